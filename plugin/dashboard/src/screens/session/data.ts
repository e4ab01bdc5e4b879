// A session: its scans with their resources and verdicts, its runs.
import { QC_TYPE, workflowRows, type WorkflowRow } from "../../lib/collection";
import { newestVerdicts } from "../../lib/funnel";
import { path } from "../../lib/root";
import { rows } from "../../lib/rows";

export interface Head {
  id: string;
  label: string;
  xsiType: string;
  date: string;
  subject: string;
  site: string;
  modality: string;
  project: string;
}

export interface Resource {
  label: string;
  files: number;
  bytes: number;
}

export interface Scan {
  id: string;
  type: string;
  description: string;
  quality: string;
  frames: string;
  xsiType: string;
  resources: Resource[];
}

export interface Contents {
  head: Head | undefined;
  scans: Scan[];
  /** Resources of the session itself. */
  own: Resource[];
}

/** Three requests: the session, its scans, all of its resources. */
export async function contents(project: string, id: string, signal?: AbortSignal): Promise<Contents> {
  const headNames = ["ID", "label", "xsiType", "date", "subject_label", "acquisition_site", "modality", "project"] as const;
  const scanNames = ["ID", "type", "series_description", "quality", "frames", "xsiType"] as const;
  const base = `/data${path("experiments", id)}`;
  const [heads, scans, resources] = await Promise.all([
    rows(`/data${path("projects", project, "experiments")}`, { ID: id, columns: headNames.join(",") }, headNames, signal),
    rows(`${base}/scans`, { columns: scanNames.join(",") }, scanNames, signal),
    rows(`${base}/resources`, { all: true }, ["label", "category", "cat_id", "file_count", "file_size"], signal),
  ]);
  const head = heads.find((row) => row.ID === id);
  const resource = (row: (typeof resources)[number]): Resource => ({ label: row.label, files: Number(row.file_count) || 0, bytes: Number(row.file_size) || 0 });
  return {
    head: head && { id, label: head.label, xsiType: head.xsiType, date: head.date, subject: head.subject_label, site: head.acquisition_site, modality: head.modality, project: head.project },
    scans: scans.map((row) => ({
      id: row.ID,
      type: row.type,
      description: row.series_description,
      quality: row.quality,
      frames: row.frames,
      xsiType: row.xsiType,
      resources: resources.filter((one) => one.category === "scans" && one.cat_id === row.ID).map(resource),
    })),
    own: resources.filter((one) => one.category === "resources").map(resource),
  };
}

export interface ScanVerdict {
  scan: string;
  verdict: string;
  removedMl: string;
  brainKept: string;
  reviewer: string;
}

/** The newest verdict of each scan. */
export async function verdictsOf(id: string): Promise<Map<string, ScanVerdict>> {
  const typed = ["scan_id", "verdict", "auto_verdict", "removed_ml", "brain_kept_percent", "reviewer"] as const;
  const found = await rows(
    `/data${path("experiments", id, "assessors")}`,
    { xsiType: QC_TYPE, columns: ["label", "insert_date", ...typed.map((name) => `${QC_TYPE}/${name}`)].join(",") },
    ["insert_date", ...typed],
  );
  const newest = newestVerdicts(found.map((row) => ({ ...row, session: id, scan: row.scan_id, verdict: row.verdict || row.auto_verdict || "pending", at: row.insert_date })));
  return new Map(newest.map((row) => [row.scan, { scan: row.scan, verdict: row.verdict, removedMl: row.removed_ml, brainKept: row.brain_kept_percent, reviewer: row.reviewer }]));
}

/** Launches on the session and its scans, the newest first. */
export async function runsOf(project: string, id: string): Promise<WorkflowRow[]> {
  const found = await workflowRows("/data/services/workflows", { project, experiment: id, display: "ALL" });
  return found
    .filter((row) => row.ID === id && row.justification === "Container launch")
    .sort((a, b) => Number(b.wrk_workflowdata_id) - Number(a.wrk_workflowdata_id));
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];

export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}
