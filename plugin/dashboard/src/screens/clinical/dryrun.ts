// What an uploaded table would do, before anything is written.
import { cellFault, faults, isFinal, sameValue, valueOf, type RecordType, type Values } from "./record";

/** A line of the file: its number as an editor counts, and its cells. */
export interface Line {
  line: number;
  cells: string[];
}

/** A record that is there. */
export interface Known {
  label: string;
  subject: string;
  values: Values;
  modified: string;
}

export interface Change {
  name: string;
  old: string;
  now: string;
}

export interface Planned {
  line: number;
  subject: string;
  label: string;
  isNew: boolean;
  changes: Change[];
  /** Sentences of the cross-checks that do not stop it. */
  warnings: string[];
}

export interface Refusal {
  line: number;
  subject: string;
  reasons: string[];
}

export interface DryRun {
  /** Why the file as a whole cannot be read; then nothing else is filled. */
  faults: string[];
  notRead: string[];
  fresh: Planned[];
  changed: Planned[];
  same: number;
  refused: Refusal[];
}

export const SUBJECT = "subject";
export const EVENT = "event_no";

export function labelOf(subject: string, event: string): string {
  return `${subject}_CLIN_${event || "1"}`;
}

/** The record of a subject and event: found by what it says, else by its label. */
export function find(known: readonly Known[], subject: string, event: string): Known | undefined {
  const own = known.filter((one) => one.subject === subject);
  return own.find((one) => (valueOf(one.values, EVENT) || "1") === event) ?? own.find((one) => one.label === labelOf(subject, event));
}

export function dryRun(lines: readonly Line[], record: RecordType, subjects: ReadonlySet<string>, known: readonly Known[]): DryRun {
  const result: DryRun = { faults: [], notRead: [], fresh: [], changed: [], same: 0, refused: [] };
  const header = lines[0]?.cells.map((cell) => cell.trim()) ?? [];
  const names = new Set(record.elements.map((element) => element.name));
  result.faults = fileFaults(header, lines.length - 1, names);
  if (result.faults.length) return result;
  result.notRead = header.filter((name) => name !== SUBJECT && !names.has(name));
  const byKey = new Map(known.map((one) => [`${one.subject}\n${valueOf(one.values, EVENT) || "1"}`, one]));
  const byLabel = new Map(known.map((one) => [one.label, one]));
  const seen = new Map<string, number>();
  for (const { line, cells } of lines.slice(1)) {
    const given = new Map(header.map((name, at) => [name, unguarded(cells[at] ?? "")]));
    const subject = given.get(SUBJECT) ?? "";
    const event = given.get(EVENT) || "1";
    const key = `${subject}\n${event}`;
    const reasons = lineFaults(header, cells, given, record, subjects);
    const before = seen.get(key);
    if (before !== undefined) reasons.push(`Line ${before} is about the same subject and event.`);
    else seen.set(key, line);
    const old = byKey.get(key) ?? byLabel.get(labelOf(subject, event));
    const changes = reasons.length ? [] : changesOf(record, given, old, event);
    const after = { ...old?.values, ...Object.fromEntries(changes.map((change) => [change.name, change.now])) };
    const found = reasons.length ? [] : faults(record, after);
    if (isFinal(after)) reasons.push(...found.filter((one) => one.severity === "error").map((one) => `${one.sentence} ${one.remedy}`));
    if (reasons.length) result.refused.push({ line, subject, reasons });
    else if (!changes.length) result.same += 1;
    else {
      const label = old?.label ?? labelOf(subject, event);
      const warnings = found.map((one) => `${one.sentence} ${one.remedy}`);
      (old ? result.changed : result.fresh).push({ line, subject, label, isNew: !old, changes, warnings });
    }
  }
  return result;
}

function fileFaults(header: readonly string[], rows: number, names: ReadonlySet<string>): string[] {
  if (!header.length) return ["The file is empty."];
  const found = [];
  if (!header.includes(SUBJECT)) found.push(`The first line has no column "${SUBJECT}". Download the template to see the columns.`);
  const twice = header.filter((name, at) => name && header.indexOf(name) !== at);
  if (twice.length) found.push(`Columns are there twice: ${[...new Set(twice)].join(", ")}.`);
  if (!header.some((name) => names.has(name))) found.push("No column is the name of a variable.");
  if (rows < 1) found.push("There is no line below the first.");
  return found;
}

function lineFaults(
  header: readonly string[],
  cells: readonly string[],
  given: ReadonlyMap<string, string>,
  record: RecordType,
  subjects: ReadonlySet<string>,
): string[] {
  if (cells.length !== header.length) return [`The line has ${cells.length} cells, the first line has ${header.length}.`];
  const reasons = [];
  const subject = given.get(SUBJECT) ?? "";
  if (!subject) reasons.push("The subject is empty.");
  else if (!subjects.has(subject)) reasons.push("This subject is not in the collection.");
  for (const element of record.elements) {
    const text = given.get(element.name);
    const fault = text ? cellFault(element, text) : "";
    if (fault) reasons.push(`${element.name} ${fault}.`);
  }
  return reasons;
}

/** Filled cells that differ from what is there; an empty cell leaves the value alone. */
function changesOf(record: RecordType, given: ReadonlyMap<string, string>, old: Known | undefined, event: string): Change[] {
  const changes = [];
  for (const { name } of record.elements) {
    const now = name === EVENT && !old ? event : (given.get(name) ?? "");
    const before = old ? valueOf(old.values, name) : "";
    if (now && !sameValue(now, before)) changes.push({ name, old: before, now });
  }
  return changes;
}

/** The text as it was before a spreadsheet's guard against formulas was put in front of it. */
function unguarded(cell: string): string {
  return cell.trim().replace(/^'(?=[=+\-@\t\r])/, "");
}

/** The lines that were refused, with their reasons, to be mended and uploaded again. */
export function refusedLines(lines: readonly Line[], result: DryRun): { titles: string[]; lines: string[][] } {
  const reasons = new Map(result.refused.map((one) => [one.line, one.reasons.join(" ")]));
  return {
    titles: [...(lines[0]?.cells ?? []), "reason"],
    lines: lines.filter((one) => reasons.has(one.line)).map((one) => [...one.cells, reasons.get(one.line)!]),
  };
}
