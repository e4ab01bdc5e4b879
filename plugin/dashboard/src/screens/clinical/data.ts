// Reading and writing stroke records.
import dictionary from "../../generated/dictionary.json";
import { write } from "../../lib/api";
import { clearing, documentOf } from "../../lib/document";
import { forget } from "../../lib/load";
import { path } from "../../lib/root";
import { rows } from "../../lib/rows";
import type { Row } from "./completeness";
import type { Known } from "./dryrun";
import { edited, type Conflict, conflicts } from "./merge";
import { valueOf, type Element, type RecordType, type Values } from "./record";

const type = dictionary.types.clinicalData;

export const record = type as unknown as RecordType;
export const elementOf = new Map<string, Element>(record.elements.map((one) => [one.name, one]));
const ALL = record.elements.map((one) => one.name);

/** The records of a project with the values of some elements; `id` asks for one only. */
export async function recordsOf(project: string, names: readonly string[], signal?: AbortSignal, id?: string): Promise<(Known & { id: string })[]> {
  const columns = ["ID", "label", "subject_label", "last_modified"] as const;
  const found = await rows(
    `/data${path("projects", project, "experiments")}`,
    { xsiType: type.xsi_type, columns: [...columns, ...names.map((name) => `${type.xsi_type}/${name}`)].join(","), ID: id },
    [...columns, ...names],
    signal,
  );
  return found
    .filter((row) => id === undefined || row.ID === id)
    .map((row) => ({
      id: row.ID ?? "",
      label: row.label ?? "",
      subject: row.subject_label ?? "",
      modified: row.last_modified ?? "",
      values: Object.fromEntries(names.map((name) => [name, row[name] ?? ""]).filter(([, value]) => value !== "")),
    }));
}

export async function subjectsOf(project: string, signal?: AbortSignal): Promise<string[]> {
  return (await rows(`/data${path("projects", project, "subjects")}`, { columns: "label" }, ["label"], signal)).map((row) => row.label);
}

/** Subject to site, as its newest session says. */
export async function sitesOf(project: string, signal?: AbortSignal): Promise<Map<string, string>> {
  const found = await rows(
    `/data${path("projects", project, "experiments")}`,
    { xsiType: "xnat:imageSessionData", columns: "subject_label,acquisition_site" },
    ["subject_label", "acquisition_site"],
    signal,
  );
  return new Map(found.filter((row) => row.acquisition_site).map((row) => [row.subject_label, row.acquisition_site]));
}

export interface GridRow extends Row {
  id: string;
}

/** Everything the grid of some elements shows: three requests, whatever the size. */
export async function gridOf(project: string, names: readonly string[], signal: AbortSignal): Promise<GridRow[]> {
  const [subjects, sites, records] = await Promise.all([subjectsOf(project, signal), sitesOf(project, signal), recordsOf(project, names, signal)]);
  const bySubject = new Map<string, typeof records>();
  for (const one of records) bySubject.set(one.subject, [...(bySubject.get(one.subject) ?? []), one]);
  const found: GridRow[] = [];
  for (const subject of subjects) {
    const site = sites.get(subject) ?? "";
    const own = bySubject.get(subject) ?? [{ id: "", label: "", values: {}, modified: "" }];
    for (const { id, label, values, modified } of own) found.push({ id, subject, site, label, values, modified });
  }
  return found;
}

/** One record with everything it holds. */
export async function readRecord(project: string, label: string, id: string, signal?: AbortSignal): Promise<Known | undefined> {
  const number = id || (await recordsOf(project, [], signal)).find((one) => one.label === label)?.id;
  return number ? (await recordsOf(project, ALL, signal, number))[0] : undefined;
}

export class Changed extends Error {
  readonly theirs: Known;
  readonly conflicts: Conflict[];

  constructor(theirs: Known, found: Conflict[]) {
    super("Somebody else changed this record since you opened it. Nothing was overwritten.");
    this.theirs = theirs;
    this.conflicts = found;
  }
}

export interface Edit {
  subject: string;
  label: string;
  /** Empty for a new record. */
  id: string;
  base: Values;
  mine: Values;
}

/** Store what was edited, unless somebody else stored something meanwhile: then `Changed` says what. */
export async function saveRecord(project: string, edit: Edit): Promise<void> {
  const now = await readRecord(project, edit.label, edit.id);
  if (now) {
    const found = conflicts(edit.base, now.values, edit.mine);
    if (found.length) throw new Changed(now, found);
  }
  await putRecord(project, { ...edit, seen: now?.modified ?? "" });
}

export interface Put extends Omit<Edit, "id"> {
  /** When what one saw was stored; empty when there was nothing. */
  seen: string;
}

/**
 * Send the edited elements only, so that nothing else is touched. Repeating it changes nothing more. Our archive
 * refuses (412) when the record is newer than what was seen; a server that does not know these headers takes the last.
 */
export async function putRecord(project: string, { subject, label, base, mine, seen }: Put): Promise<void> {
  const names = edited(base, mine);
  const emptied = names.filter((name) => valueOf(mine, name) === "");
  const filled = Object.fromEntries(names.filter((name) => !emptied.includes(name)).map((name) => [name, valueOf(mine, name)]));
  const target = `/data${path("projects", project, "subjects", subject, "experiments", label)}`;
  const headers: Record<string, string> = seen ? { "If-Match": `"${seen}"` } : { "If-None-Match": "*" };
  const isFilled = Object.keys(filled).length > 0 || !emptied.length;
  if (isFilled) {
    await write("PUT", target, { params: { xsiType: type.xsi_type }, body: documentOf(type, filled), type: "text/xml", headers });
  }
  if (emptied.length) {
    const params = { xsiType: type.xsi_type, ...clearing(type, emptied) };
    await write("PUT", target, isFilled ? { params } : { params, headers });
  }
  forget(`${project} `);
}
