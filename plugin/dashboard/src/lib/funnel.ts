// How far the patients of a collection have come. The same function as `lethe.xnat.funnel`, with the same test
// vectors (tests/data/funnel.json).

export interface SessionFact {
  id: string;
  /** Label of the subject. */
  subject: string;
}

export interface VerdictFact {
  session: string;
  scan: string;
  /** pending, pass, fail or review. */
  verdict: string;
  /** When it was stored; of several verdicts on a scan the newest counts. */
  at: string;
}

export interface RecordFact {
  subject: string;
  mrs_3m: string;
  lost_followup: string;
}

export interface Facts {
  sessions: readonly SessionFact[];
  verdicts: readonly VerdictFact[];
  records: readonly RecordFact[];
  /** Ids of the sessions of which a run made NIfTI images. */
  converted: readonly string[];
  /** Ids of the sessions of which a run made de-faced images. */
  defaced: readonly string[];
  /** Labels of the subjects in the released collection. */
  published: readonly string[];
}

export const STAGES = ["received", "converted", "defaced", "reviewed", "clinical", "published"] as const;
export type Stage = (typeof STAGES)[number];

/** Labels of the subjects that reached a stage, in order. Each stage but the last needs all before it. */
export type Funnel = Record<Stage, string[]>;

/** Text order by code unit, the same in every language. */
const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** The newest verdict of each scan. */
export function newestVerdicts<T extends VerdictFact>(verdicts: readonly T[]): T[] {
  const newest = new Map<string, T>();
  for (const one of verdicts) {
    const key = JSON.stringify([one.session, one.scan]);
    const old = newest.get(key);
    if (!old || byText(old.at, one.at) <= 0) newest.set(key, one);
  }
  return [...newest.values()];
}

/** Subjects whose record says what inclusion needs: the outcome at three months, or that it cannot be had. */
export function clinicallyComplete(records: readonly RecordFact[]): Set<string> {
  return new Set(records.filter((one) => one.mrs_3m !== "" || one.lost_followup === "yes").map((one) => one.subject));
}

export function funnel(facts: Facts): Funnel {
  const verdicts = newestVerdicts(facts.verdicts);
  const judged = new Set(verdicts.map((one) => one.session));
  const open = new Set(verdicts.filter((one) => one.verdict !== "pass").map((one) => one.session));
  const faceless = new Set([...judged, ...facts.defaced]);
  const ready = new Set([...faceless, ...facts.converted]);
  const complete = clinicallyComplete(facts.records);

  const sessionsOf = new Map<string, string[]>();
  for (const one of facts.sessions) {
    const known = sessionsOf.get(one.subject);
    if (known) known.push(one.id);
    else sessionsOf.set(one.subject, [one.id]);
  }
  const received = [...sessionsOf.keys()].sort(byText);
  const every = (subjects: string[], test: (session: string) => boolean) => subjects.filter((one) => sessionsOf.get(one)!.every(test));

  const done = every(received, (session) => ready.has(session));
  const defaced = every(done, (session) => faceless.has(session));
  const reviewed = every(defaced, (session) => judged.has(session) && !open.has(session));
  const published = new Set(facts.published);
  return {
    received,
    converted: done,
    defaced,
    reviewed,
    clinical: reviewed.filter((one) => complete.has(one)),
    published: received.filter((one) => published.has(one)),
  };
}
