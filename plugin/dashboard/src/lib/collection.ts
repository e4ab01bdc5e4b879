// The lists of a collection, each asked for once and shared by the screens.
import { read, readJson, Refused, write } from "./api";
import { newestVerdicts } from "./funnel";
import { once } from "./load";
import { path } from "./root";
import { pick, rows, type ResultSet } from "./rows";
import { collections, rightsIn, session } from "./session";
import { moment } from "./time";

export const SESSION_TYPE = "xnat:imageSessionData";
export const QC_TYPE = "lethe:defaceQcData";
export const RECORD_TYPE = "lethe:clinicalData";
const INTAKE = "_INTAKE";

export interface Session {
  id: string;
  label: string;
  subject: string;
  site: string;
  xsiType: string;
  /** Milliseconds. */
  arrived: number;
}

export interface QcRow {
  session: string;
  scan: string;
  verdict: string;
  at: string;
}

export interface RecordRow {
  label: string;
  subject: string;
  status: string;
  age: string;
  sex: string;
  nihss: string;
  mrs_3m: string;
  lost_followup: string;
}

export interface ScanRow {
  session: string;
  scan: string;
  type: string;
  quality: string;
}

export interface Subject {
  id: string;
  label: string;
}

export interface Waiting {
  label: string;
  subject: string;
  status: string;
  changed: string;
  message: string;
}

const list = (project: string, kind: "experiments" | "subjects") => `/data${path("projects", project, kind)}`;

export function sessions(project: string): Promise<Session[]> {
  return once(`${project} sessions`, async () => {
    const names = ["ID", "label", "subject_label", "acquisition_site", "xsiType", "insert_date"] as const;
    const found = await rows(list(project, "experiments"), { xsiType: SESSION_TYPE, columns: names.join(",") }, names);
    return found.map((row) => ({
      id: row.ID,
      label: row.label,
      subject: row.subject_label,
      site: row.acquisition_site,
      xsiType: row.xsiType,
      arrived: moment(row.insert_date),
    }));
  });
}

/** The newest de-facing verdict of each scan. An archive without the plugin's types has none. */
export function verdicts(project: string): Promise<QcRow[]> {
  return once(`${project} verdicts`, async () => {
    const names = ["session_ID", "insert_date", "scan_id", "verdict", "auto_verdict"] as const;
    const columns = ["session_ID", "insert_date", ...["scan_id", "verdict", "auto_verdict"].map((name) => `${QC_TYPE}/${name}`)];
    const found = await rows(list(project, "experiments"), { xsiType: QC_TYPE, columns: columns.join(",") }, names);
    return newestVerdicts(
      found.map((row) => ({ session: row.session_ID, scan: row.scan_id, verdict: row.verdict || row.auto_verdict || "pending", at: row.insert_date })),
    );
  });
}

export function records(project: string): Promise<RecordRow[]> {
  return once(`${project} records`, async () => {
    const typed = ["record_status", "age_years", "sex", "nihss_admission", "mrs_3m", "lost_followup"] as const;
    const names = ["label", "subject_label", ...typed] as const;
    const columns = ["label", "subject_label", ...typed.map((name) => `${RECORD_TYPE}/${name}`)];
    const found = await rows(list(project, "experiments"), { xsiType: RECORD_TYPE, columns: columns.join(",") }, names);
    return found.map((row) => ({
      label: row.label,
      subject: row.subject_label,
      status: row.record_status,
      age: row.age_years,
      sex: row.sex,
      nihss: row.nihss_admission,
      mrs_3m: row.mrs_3m,
      lost_followup: row.lost_followup,
    }));
  });
}

export function subjects(project: string): Promise<Subject[]> {
  return once(`${project} subjects`, async () =>
    (await rows(list(project, "subjects"), { columns: "ID,label" }, ["ID", "label"])).map((row) => ({ id: row.ID, label: row.label })),
  );
}

/** The other project of a collection that the user may read, if there is one. */
export async function twinOf(project: string): Promise<string | undefined> {
  const twin = project.endsWith(INTAKE) ? project.slice(0, -INTAKE.length) : project + INTAKE;
  const [all, who] = await Promise.all([collections(), session()]);
  const found = all.find((one) => one.id === twin);
  return found && rightsIn(found, who).read ? twin : undefined;
}

export const isIntake = (project: string): boolean => project.endsWith(INTAKE);

const xml = (text: string) => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

/** All scans of a project in one search; null where the server does not search scans. */
export function scans(project: string): Promise<ScanRow[] | null> {
  return once(`${project} scans`, async () => {
    const field = (name: string) =>
      `<xdat:search_field><xdat:element_name>xnat:imageScanData</xdat:element_name><xdat:field_ID>${name}</xdat:field_ID></xdat:search_field>`;
    const body =
      '<?xml version="1.0" encoding="UTF-8"?><xdat:bundle xmlns:xdat="http://nrg.wustl.edu/security">' +
      "<xdat:root_element_name>xnat:imageScanData</xdat:root_element_name>" +
      ["ID", "SESSION_ID", "TYPE", "QUALITY"].map(field).join("") +
      '<xdat:search_where method="AND"><xdat:criteria><xdat:schema_field>xnat:imageScanData/PROJECT</xdat:schema_field>' +
      `<xdat:comparison_type>=</xdat:comparison_type><xdat:value>${xml(project)}</xdat:value></xdat:criteria></xdat:search_where></xdat:bundle>`;
    try {
      const text = await write("POST", "/data/search", { params: { format: "json" }, body, type: "text/xml" });
      const found = pick((JSON.parse(text) as ResultSet).ResultSet.Result, ["id", "session_id", "type", "quality"]);
      return found.map((row) => ({ session: row.session_id, scan: row.id, type: row.type, quality: row.quality }));
    } catch (error) {
      if (error instanceof Refused) return null;
      throw error;
    }
  });
}

/** Sessions that were received and are not archived yet; only who may edit sees them. */
export function waiting(project: string): Promise<Waiting[]> {
  return once(`${project} waiting`, async () => {
    const names = ["name", "subject", "status", "lastmod", "message"] as const;
    const found = await rows(`/data${path("prearchive", "projects", project)}`, {}, names);
    return found.map((row) => ({ label: row.name, subject: row.subject, status: row.status, changed: row.lastmod, message: row.message }));
  });
}

// ---- sessions that runs worked on ---------------------------------------------------------------

export const CONVERTING = ["dicom-to-nifti-scan", "dicom-to-nifti-session", "prepare-session"] as const;
export const DEFACING = ["deface-scan", "deface-session", "prepare-session"] as const;

export interface Worked {
  converted: string[];
  defaced: string[];
}

/** Which sessions our commands converted and de-faced, as the workflows tell. */
export function worked(project: string): Promise<Worked> {
  return once(`${project} worked`, async () => {
    const names = [...new Set<string>([...CONVERTING, ...DEFACING])];
    const done = new Map(await Promise.all(names.map(async (name) => [name, await completed(project, name)] as const)));
    const all = (some: readonly string[]) => [...new Set(some.flatMap((name) => done.get(name) ?? []))];
    return { converted: all(CONVERTING), defaced: all(DEFACING) };
  });
}

async function completed(project: string, pipeline: string): Promise<string[]> {
  const found = await workflowRows(`/data/services/workflows${path(pipeline)}`, { project, status: "Complete", display: "LATEST" });
  return found.filter((row) => row.status === "Complete").map((row) => row.ID);
}

export interface WorkflowRow {
  wrk_workflowdata_id: string;
  ID: string;
  pipeline_name: string;
  status: string;
  launch_time: string;
  current_step_launch_time: string;
  justification: string;
  scan_id: string;
  comments: string;
  details: string;
}

/** Workflows come as items or as a result set, by the server's version. */
export async function workflowRows(address: string, params: Record<string, string>): Promise<WorkflowRow[]> {
  let answer: { items?: { data_fields: Record<string, unknown> }[] } & Partial<ResultSet>;
  try {
    answer = await readJson(address, { format: "json", ...params });
  } catch (error) {
    if (error instanceof Refused && [403, 404, 500].includes(error.status)) return [];
    throw error;
  }
  const plain = (fields: Record<string, unknown>) => Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, String(value ?? "")]));
  const found = answer.items?.map((item) => plain(item.data_fields)) ?? answer.ResultSet?.Result ?? [];
  return found.flatMap((row) =>
    pick([row], ["wrk_workflowdata_id", "ID", "pipeline_name", "status", "launch_time", "current_step_launch_time", "justification", "scan_id", "comments", "details"]),
  );
}

/** Ask for access to a protected collection, with the reason. */
export async function askForAccess(project: string, level: string, reason: string): Promise<void> {
  await write("POST", `/xapi${path("projects", project, "access-requests")}`, { params: { level }, json: { level, justification: reason } });
}

/** Text of a file or log; empty when there is none. */
export async function textOrNothing(address: string): Promise<string> {
  try {
    return await (await read(address)).text();
  } catch (error) {
    if (error instanceof Refused) return "";
    throw error;
  }
}
