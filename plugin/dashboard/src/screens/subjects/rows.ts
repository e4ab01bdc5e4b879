// One row for each subject, from the lists of a collection.
import type { QcRow, RecordRow, ScanRow, Session, Subject } from "../../lib/collection";
import { STAGES, type Funnel, type Stage } from "../../lib/funnel";

export interface SubjectRow {
  label: string;
  sessions: Session[];
  sites: string[];
  /** Types of its scans. */
  types: Set<string>;
  /** Sessions with a verdict or de-faced by a run. */
  defaced: number;
  /** The worst verdict; empty for none. */
  verdict: string;
  verdicts: string[];
  record: RecordRow | undefined;
  mrs: string;
  complete: boolean;
  /** The last stage that was reached. */
  at: Stage | "";
  reached: Stage[];
}

const WORST = ["fail", "review", "pending", "pass"];

export interface SubjectLists {
  sessions: readonly Session[];
  verdicts: readonly QcRow[];
  records: readonly RecordRow[];
  subjects?: readonly Subject[] | undefined;
  scans?: readonly ScanRow[] | null | undefined;
  defaced?: readonly string[] | undefined;
}

export function subjectRows(lists: SubjectLists, funnel: Funnel): SubjectRow[] {
  const rows = new Map<string, SubjectRow>();
  const row = (label: string): SubjectRow => {
    const known = rows.get(label);
    if (known) return known;
    const made: SubjectRow = { label, sessions: [], sites: [], types: new Set(), defaced: 0, verdict: "", verdicts: [], record: undefined, mrs: "", complete: false, at: "", reached: [] };
    rows.set(label, made);
    return made;
  };
  for (const one of lists.subjects ?? []) row(one.label);
  const owner = new Map<string, SubjectRow>();
  for (const one of lists.sessions) {
    const own = row(one.subject);
    own.sessions.push(one);
    if (one.site && !own.sites.includes(one.site)) own.sites.push(one.site);
    owner.set(one.id, own);
  }
  for (const one of lists.scans ?? []) owner.get(one.session)?.types.add(one.type || "(no type)");
  const faceless = new Set([...lists.verdicts.map((one) => one.session), ...(lists.defaced ?? [])]);
  for (const id of faceless) {
    const own = owner.get(id);
    if (own) own.defaced += 1;
  }
  for (const one of lists.verdicts) {
    const own = owner.get(one.session);
    if (!own) continue;
    if (!own.verdicts.includes(one.verdict)) own.verdicts.push(one.verdict);
    if (own.verdict === "" || WORST.indexOf(one.verdict) < WORST.indexOf(own.verdict)) own.verdict = one.verdict;
  }
  for (const one of lists.records) {
    const own = rows.get(one.subject);
    if (!own) continue;
    own.record ??= one;
    if (one.mrs_3m !== "") own.mrs = one.mrs_3m;
    own.complete ||= one.mrs_3m !== "" || one.lost_followup === "yes";
  }
  for (const stage of STAGES) {
    for (const label of funnel[stage]) {
      const own = rows.get(label);
      if (!own) continue;
      own.reached.push(stage);
      if (stage !== "published") own.at = stage;
    }
  }
  return [...rows.values()].sort((a, b) => (a.label < b.label ? -1 : 1));
}

/** The most frequent scan types, for columns of their own. */
export function topTypes(scans: readonly ScanRow[], most: number): string[] {
  const seen = new Map<string, Set<string>>();
  for (const one of scans) {
    const type = one.type || "(no type)";
    const known = seen.get(type);
    if (known) known.add(one.session);
    else seen.set(type, new Set([one.session]));
  }
  return [...seen].sort((a, b) => b[1].size - a[1].size || (a[0] < b[0] ? -1 : 1)).slice(0, most).map(([type]) => type);
}
