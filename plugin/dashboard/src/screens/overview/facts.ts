// What the overview shows, from the lists of a collection.
import { bins, type Bar } from "../../components/charts";
import type { QcRow, RecordRow, ScanRow, Session, Worked } from "../../lib/collection";
import { clinicallyComplete, funnel, type Funnel } from "../../lib/funnel";

export interface Lists {
  sessions: readonly Session[];
  verdicts: readonly QcRow[];
  records: readonly RecordRow[];
  worked?: Worked | undefined;
  published?: readonly string[] | undefined;
}

export function funnelOf(lists: Lists): Funnel {
  return funnel({
    sessions: lists.sessions,
    verdicts: lists.verdicts,
    records: lists.records,
    converted: lists.worked?.converted ?? [],
    defaced: lists.worked?.defaced ?? [],
    published: lists.published ?? [],
  });
}

/** How many rows have each value, the most frequent first. */
export function counted(values: Iterable<string>): [string, number][] {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

export const NO_SITE = "(no site)";

/** Subjects of each site, by their sessions. */
export function bySite(sessions: readonly Session[]): [string, number][] {
  const seen = new Map<string, Set<string>>();
  for (const one of sessions) {
    const site = one.site || NO_SITE;
    const known = seen.get(site);
    if (known) known.add(one.subject);
    else seen.set(site, new Set([one.subject]));
  }
  return [...seen].map(([site, subjects]): [string, number] => [site, subjects.size]).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

/** Sessions that arrived in each month: at least `least` months, at most the last `most`, gaps included. */
export function byMonth(sessions: readonly Session[], least = 6, most = 24): Bar[] {
  const months = sessions.map((one) => one.arrived).filter((at) => !Number.isNaN(at)).map((at) => new Date(at).getUTCFullYear() * 12 + new Date(at).getUTCMonth());
  if (!months.length) return [];
  const [low, high] = [months.reduce((a, b) => Math.min(a, b)), months.reduce((a, b) => Math.max(a, b))];
  const first = Math.max(Math.min(low, high - least + 1), high - most + 1);
  const counts = new Array<number>(high - first + 1).fill(0);
  for (const month of months) if (month >= first) counts[month - first]! += 1;
  return counts.map((count, at) => ({ label: `${Math.floor((first + at) / 12)}-${String(((first + at) % 12) + 1).padStart(2, "0")}`, count }));
}

/** Share of the sessions that have a scan of each type. */
export function coverage(scans: readonly ScanRow[]): [string, number][] {
  const seen = new Map<string, Set<string>>();
  for (const one of scans) {
    const type = one.type || "(no type)";
    const known = seen.get(type);
    if (known) known.add(one.session);
    else seen.set(type, new Set([one.session]));
  }
  return [...seen].map(([type, sessions]): [string, number] => [type, sessions.size]).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

const numbers = (values: readonly string[]) => values.filter((value) => value !== "").map(Number).filter((value) => Number.isFinite(value));

export function histogram(values: readonly string[], width: number, range?: readonly [number, number]): Bar[] {
  return bins(numbers(values), width, range);
}

/** Middle value, empty for none. */
export function median(values: readonly string[]): string {
  const found = numbers(values).sort((a, b) => a - b);
  if (!found.length) return "";
  const middle = found.length >> 1;
  return String(found.length % 2 ? found[middle] : (found[middle - 1]! + found[middle]!) / 2);
}

export interface Needs {
  review: number;
  failed: number;
  unjudged: number;
  missing: number;
}

/** What waits for a person: scans to look at, scans that must not leave, sessions without verdict, records without outcome. */
export function needsOf(lists: Lists): Needs {
  const judged = new Set(lists.verdicts.map((one) => one.session));
  const complete = clinicallyComplete(lists.records);
  const subjects = new Set(lists.sessions.map((one) => one.subject));
  return {
    review: lists.verdicts.filter((one) => one.verdict === "review" || one.verdict === "pending").length,
    failed: lists.verdicts.filter((one) => one.verdict === "fail").length,
    unjudged: new Set((lists.worked?.defaced ?? []).filter((id) => !judged.has(id))).size,
    missing: [...subjects].filter((one) => !complete.has(one)).length,
  };
}
