// Numbers of all collections from three lists of the whole site.
import { pick, type ResultSet } from "../../lib/rows";
import { readJson } from "../../lib/api";
import { QC_TYPE, RECORD_TYPE, SESSION_TYPE } from "../../lib/collection";
import { clinicallyComplete, newestVerdicts } from "../../lib/funnel";
import { once } from "../../lib/load";
import { moment } from "../../lib/time";

export interface Figures {
  subjects: number;
  sites: number;
  /** Scans to look at or not safe, and subjects whose record misses the outcome. */
  open: number;
  /** Milliseconds; NaN for none. */
  newest: number;
}

async function all<T extends string>(xsiType: string, names: readonly T[], columns: readonly string[]): Promise<Record<T, string>[]> {
  const answer = await readJson<ResultSet>("/data/experiments", { format: "json", xsiType, columns: columns.join(",") });
  return pick(answer.ResultSet.Result, names);
}

export function figures(): Promise<Map<string, Figures>> {
  return once("figures", async () => {
    const sessionNames = ["project", "subject_label", "acquisition_site", "insert_date"] as const;
    const [sessions, verdicts, records] = await Promise.all([
      all(SESSION_TYPE, sessionNames, sessionNames),
      all(QC_TYPE, ["project", "session_ID", "insert_date", "scan_id", "verdict"], ["project", "session_ID", "insert_date", `${QC_TYPE}/scan_id`, `${QC_TYPE}/verdict`]),
      all(RECORD_TYPE, ["project", "subject_label", "mrs_3m", "lost_followup"], ["project", "subject_label", `${RECORD_TYPE}/mrs_3m`, `${RECORD_TYPE}/lost_followup`]),
    ]);
    return figuresOf(sessions, verdicts, records);
  });
}

export function figuresOf(
  sessions: readonly { project: string; subject_label: string; acquisition_site: string; insert_date: string }[],
  verdicts: readonly { project: string; session_ID: string; insert_date: string; scan_id: string; verdict: string }[],
  records: readonly { project: string; subject_label: string; mrs_3m: string; lost_followup: string }[],
): Map<string, Figures> {
  const groups = new Map<string, { subjects: Set<string>; sites: Set<string>; newest: number; verdicts: typeof verdicts[number][]; records: typeof records[number][] }>();
  const group = (project: string) => {
    const known = groups.get(project) ?? { subjects: new Set<string>(), sites: new Set<string>(), newest: NaN, verdicts: [], records: [] };
    groups.set(project, known);
    return known;
  };
  for (const row of sessions) {
    const one = group(row.project);
    one.subjects.add(row.subject_label);
    if (row.acquisition_site) one.sites.add(row.acquisition_site);
    const at = moment(row.insert_date);
    if (!(at <= one.newest)) one.newest = Number.isNaN(at) ? one.newest : at;
  }
  for (const row of verdicts) group(row.project).verdicts.push(row);
  for (const row of records) group(row.project).records.push(row);
  return new Map(
    [...groups].map(([project, one]) => {
      const newest = newestVerdicts(one.verdicts.map((row) => ({ session: row.session_ID, scan: row.scan_id, verdict: row.verdict, at: row.insert_date })));
      const complete = clinicallyComplete(one.records.map((row) => ({ subject: row.subject_label, mrs_3m: row.mrs_3m, lost_followup: row.lost_followup })));
      // Records are kept in the released collection; an intake project without any is not blamed for it.
      const missing = one.records.length ? new Set(one.records.map((row) => row.subject_label).filter((label) => !complete.has(label))).size : 0;
      return [project, { subjects: one.subjects.size, sites: one.sites.size, newest: one.newest, open: newest.filter((row) => row.verdict !== "pass").length + missing }];
    }),
  );
}
