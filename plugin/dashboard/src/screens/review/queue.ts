// Which de-faced images wait for eyes, and whose.

/** One assessment: the machine's (no reviewer) or a person's. */
export interface Assessment {
  id: string;
  label: string;
  sessionId: string;
  session: string;
  subject: string;
  scan: string;
  scanType: string;
  verdict: string;
  autoVerdict: string;
  reviewer: string;
  removedMl: string;
  brainKept: string;
  score: string;
  residual: string;
  brain: string;
  remarks: string;
  method: string;
  methodVersion: string;
  /** Milliseconds; of the last change. */
  at: number;
}

export type Standing = "waits" | "waits-for-second" | "passed" | "failed" | "machine-passed" | "machine-failed";

export interface Item {
  key: string;
  sessionId: string;
  session: string;
  subject: string;
  scan: string;
  scanType: string;
  /** The machine's newest word; undefined when a run left no assessor. */
  machine: Assessment | undefined;
  /** What people said, oldest first; withdrawn verdicts are left out. */
  people: Assessment[];
  standing: Standing;
}

export function keyOf(sessionId: string, scan: string): string {
  return `${sessionId}/${scan}`;
}

export function itemsOf(assessments: readonly Assessment[]): Item[] {
  const groups = new Map<string, Assessment[]>();
  for (const one of assessments) {
    const key = keyOf(one.sessionId, one.scan);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups].map(([key, all]) => {
    const ordered = [...all].sort((one, other) => one.at - other.at);
    const machine = ordered.filter((one) => !one.reviewer).at(-1);
    const people = ordered.filter((one) => one.reviewer && one.verdict !== "pending");
    const { sessionId, session, subject, scan, scanType } = (machine ?? ordered[0])!;
    return { key, sessionId, session, subject, scan, scanType, machine, people, standing: standing(machine, people) };
  });
}

/**
 * The word of people that the gate goes by; the same as `lethe.governance.review.reviewed`. The newest counts: a fail
 * until a person says otherwise, a pass only for the program's newest result and, after somebody asked for a second
 * reader, only from another one.
 */
export function reviewed(machine: Assessment | undefined, people: readonly Assessment[]): "pass" | "fail" | "review" | undefined {
  const last = people.at(-1);
  if (!last) return undefined;
  if (last.verdict !== "pass") return last.verdict as "fail" | "review";
  if (!machine || last.at < machine.at) return people.at(-2)?.verdict === "fail" ? "fail" : undefined;
  const present = people.filter((one) => one.at >= machine.at);
  const askers = new Set(present.filter((one) => one.verdict === "review").map((one) => one.reviewer));
  const another = present.some((one) => one.verdict === "pass" && !askers.has(one.reviewer));
  return !askers.size || another ? "pass" : "review";
}

export function standing(machine: Assessment | undefined, people: readonly Assessment[]): Standing {
  const word = reviewed(machine, people);
  if (word === "pass") return "passed";
  if (word === "review") return "waits-for-second";
  // what a person failed comes back when the program has made another image
  if (word === "fail") return machine && people.at(-1)!.at < machine.at ? "waits" : "failed";
  const program = machine ? machine.autoVerdict || machine.verdict : "review";
  if (program === "fail") return "machine-failed";
  return program === "review" || program === "pending" ? "waits" : "machine-passed";
}

/** The queue of one reader: what waits, but not what this reader gave to a second one. */
export function queueFor(items: readonly Item[], reader: string): Item[] {
  const asked = (item: Item) => item.people.some((one) => one.reviewer === reader && one.verdict === "review");
  return items
    .filter((item) => item.standing === "waits" || (item.standing === "waits-for-second" && !asked(item)))
    .sort((one, other) => rank(one) - rank(other) || one.subject.localeCompare(other.subject) || one.scan.localeCompare(other.scan, "en", { numeric: true }));
}

function rank(item: Item): number {
  return item.standing === "waits-for-second" ? 0 : item.machine ? 1 : 2;
}

/**
 * A sample for visual inspection: `size` items, sites in turn, the same for the same seed whoever draws it.
 * What a person has judged already stays in, so that the sample does not follow the work done.
 */
export function sampleOf(items: readonly Item[], size: number, seed: string, siteOf: (item: Item) => string): Item[] {
  const bySite = new Map<string, Item[]>();
  for (const item of items.filter((one) => one.standing !== "machine-failed")) {
    bySite.set(siteOf(item), [...(bySite.get(siteOf(item)) ?? []), item]);
  }
  const piles = [...bySite].sort(([one], [other]) => one.localeCompare(other)).map(([, pile]) => shuffled(pile, seed));
  const drawn: Item[] = [];
  for (let round = 0; drawn.length < size && piles.some((pile) => pile.length > round); round += 1) {
    for (const pile of piles) {
      const item = pile[round];
      if (item && drawn.length < size) drawn.push(item);
    }
  }
  return drawn;
}

function shuffled(pile: readonly Item[], seed: string): Item[] {
  return pile.map((item) => [hash(`${seed}\n${item.key}`), item] as const).sort(([one], [other]) => one - other).map(([, item]) => item);
}

/** FNV-1a, 32 bit, stirred at the end: enough to draw a sample, the same on every machine. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

export const QUALITY: Record<string, string> = { pass: "usable", fail: "unusable", review: "questionable" };

/**
 * Label of a reader's own assessor. A new one for each reader and for each newer result of the machine; that one
 * asked for a second reader stays on record as well.
 */
export function ownLabel(item: Item, reader: string, all: readonly Assessment[]): { label: string; isNew: boolean } {
  const own = all.filter((one) => one.reviewer === reader && keyOf(one.sessionId, one.scan) === item.key);
  const current = own.filter((one) => one.verdict !== "review" && (!item.machine || one.at >= item.machine.at)).at(-1);
  if (current) return { label: current.label, isNew: false };
  const stem = `${item.session}_DQC_${item.scan}_${reader}`.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 150);
  const taken = new Set(all.map((one) => one.label));
  for (let number = 1; ; number += 1) {
    const label = number === 1 ? stem : `${stem}_${number}`;
    if (!taken.has(label)) return { label, isNew: true };
  }
}
