// What the review reads and writes. The original image lies in the intake project only.
import dictionary from "../../generated/dictionary.json";
import { read, readJson, Refused, write } from "../../lib/api";
import { documentOf } from "../../lib/document";
import { address, path } from "../../lib/root";
import { rows } from "../../lib/rows";
import { moment } from "../../lib/time";
import type { RecordType } from "../clinical/record";
import { keyOf, QUALITY, type Assessment, type Item } from "./queue";

const type = dictionary.types.defaceQcData;
export const qcRecord = type as unknown as RecordType;

export interface SessionRow {
  id: string;
  label: string;
  subject: string;
  site: string;
}

export interface Collected {
  /** The project that is read: the intake where one may, else the released collection. */
  project: string;
  /** Whether originals can be seen. */
  hasBefore: boolean;
  assessments: Assessment[];
  sessions: Map<string, SessionRow>;
  /** Scans that a run de-faced, as keys. */
  defaced: string[];
}

const INTAKE = "_INTAKE";

/** Everything the queue needs: three requests. Without rights in the intake project, the released one is read. */
export async function collect(project: string, signal: AbortSignal): Promise<Collected> {
  const intake = project.endsWith(INTAKE) ? project : `${project}${INTAKE}`;
  try {
    return { ...(await collectFrom(intake, signal)), hasBefore: true };
  } catch (error) {
    const closed = error instanceof Refused && [403, 404].includes(error.status);
    if (!closed || intake === project) throw error;
    return { ...(await collectFrom(project, signal)), hasBefore: false };
  }
}

async function collectFrom(project: string, signal: AbortSignal): Promise<Omit<Collected, "hasBefore">> {
  const base = `/data${path("projects", project, "experiments")}`;
  const plain = ["ID", "label", "session_ID", "session_label", "subject_label", "last_modified"] as const;
  const typed = qcRecord.elements.map((one) => one.name).filter((name) => !UNUSED.has(name));
  const [found, sessions, runs] = await Promise.all([
    rows(base, { xsiType: type.xsi_type, columns: [...plain, ...typed.map((name) => `${type.xsi_type}/${name}`)].join(",") }, [...plain, ...typed], signal),
    rows(base, { xsiType: "xnat:imageSessionData", columns: "ID,label,subject_label,acquisition_site" }, SESSION, signal),
    readJson<Run[]>(`/xapi${path("projects", project, "containers")}`, {}, signal).catch(noRuns),
  ]);
  return {
    project,
    assessments: found.map(assessment),
    sessions: new Map(sessions.map((row) => [row.ID, { id: row.ID, label: row.label, subject: row.subject_label, site: row.acquisition_site }])),
    defaced: [...new Set(runs.flatMap(defacedBy))],
  };
}

const SESSION = ["ID", "label", "subject_label", "acquisition_site"] as const;
const UNUSED = new Set(["container_id", "workflow_id", "input_sha256", "output_sha256", "affine_same", "header_clean", "face_voxels_removed"]);

/** A project without the Container Service, or a reader who may not see runs, has none. */
function noRuns(error: unknown): Run[] {
  if (error instanceof Refused) return [];
  throw error;
}

interface Run {
  status?: string;
  outputs?: { label?: string; created?: string }[];
}

/** Scans into which a finished run has put a de-facing report: `/archive/experiments/E/scans/S/resources/…`. */
function defacedBy(run: Run): string[] {
  if (run.status !== "Complete") return [];
  return (run.outputs ?? [])
    .filter((one) => one.label === "DEFACE_QC")
    .map((one) => /\/experiments\/([^/]+)\/scans\/([^/]+)(?:\/|$)/.exec(one.created ?? ""))
    .filter((found) => found !== null)
    .map((found) => keyOf(decodeURIComponent(found[1]!), decodeURIComponent(found[2]!)));
}

function assessment(row: Record<string, string>): Assessment {
  const cell = (name: string) => row[name] ?? "";
  return {
    id: cell("ID"),
    label: cell("label"),
    sessionId: cell("session_ID"),
    session: cell("session_label"),
    subject: cell("subject_label"),
    scan: cell("scan_id"),
    scanType: cell("scan_type"),
    verdict: cell("verdict"),
    autoVerdict: cell("auto_verdict"),
    reviewer: cell("reviewer"),
    removedMl: cell("removed_ml"),
    brainKept: cell("brain_kept_percent"),
    score: cell("residual_face_score"),
    residual: cell("face_residual"),
    brain: cell("brain_damage"),
    remarks: cell("remarks"),
    method: cell("method"),
    methodVersion: cell("method_version"),
    at: moment(cell("last_modified")),
  };
}

/** Items of scans that a run de-faced without leaving an assessment. */
export function unrecorded(found: Collected): Item[] {
  const known = new Set(found.assessments.map((one) => keyOf(one.sessionId, one.scan)));
  return found.defaced.filter((key) => !known.has(key)).flatMap((key) => bareItem(found, key) ?? []);
}

/** An item from nothing but its key, for a link to a scan. */
export function bareItem(found: Collected, key: string): Item | undefined {
  const [sessionId = "", scan = ""] = key.split(/\/(.*)/s);
  const session = found.sessions.get(sessionId);
  return session && scan
    ? { key, sessionId, session: session.label, subject: session.subject, scan, scanType: "", machine: undefined, people: [], standing: "waits" }
    : undefined;
}

// ---- one item ---------------------------------------------------------------------------------

/** The report of the program. */
export interface Report {
  verdict: string;
  method: string;
  methodVersion: string;
  reasons: string[];
  removedMl: string;
}

export interface Shown {
  /** Names of the images of the scan; most have one. */
  names: string[];
  before: Map<string, string>;
  after: Map<string, string>;
  masks: Map<string, string>;
  /** Name and address of the pictures. */
  pictures: { name: string; url: string }[];
  report: Report | undefined;
  quality: string;
}

function scanPath(item: Item): string {
  return `/data${path("experiments", item.sessionId, "scans", item.scan)}`;
}

/** What there is to see of an item: two lists and the report. */
export async function look(item: Item, hasBefore: boolean, signal?: AbortSignal): Promise<Shown> {
  const [files, scans] = await Promise.all([
    rows(`${scanPath(item)}/files`, {}, ["Name", "URI", "collection"], signal),
    rows(`/data${path("experiments", item.sessionId, "scans")}`, { columns: "ID,quality" }, ["ID", "quality"], signal),
  ]);
  const of = (label: string) => files.filter((one) => one.collection === label);
  const images = (label: string) => new Map(of(label).filter((one) => isImage(one.URI)).map((one) => [inside(one.URI), one.URI]));
  const qc = of("DEFACE_QC");
  const reportFile = qc.find((one) => inside(one.URI) === "report.json");
  const before = hasBefore ? images("NIFTI") : new Map<string, string>();
  const after = images("NIFTI_DEFACED");
  const masks = new Map(qc.filter((one) => isImage(one.URI)).map((one) => [inside(one.URI), one.URI]));
  return {
    names: [...new Set([...after.keys(), ...before.keys()])].sort(),
    before,
    after,
    masks,
    pictures: qc
      .filter((one) => /\.(png|jpe?g)$/i.test(one.URI) && (hasBefore || !/before/i.test(inside(one.URI))))
      .map((one) => ({ name: inside(one.URI), url: address(encoded(one.URI)) })),
    report: reportFile ? reportOf(await (await read(encoded(reportFile.URI), {}, signal)).json()) : undefined,
    quality: scans.find((one) => one.ID === item.scan)?.quality ?? "",
  };
}

function isImage(uri: string): boolean {
  return /\.nii(\.gz)?$/i.test(uri);
}

/** The path of a file within its resource. */
function inside(uri: string): string {
  const part = uri.slice(uri.indexOf("/files/") + "/files/".length);
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** A server may or may not have encoded what it lists. */
function encoded(uri: string): string {
  try {
    return encodeURI(decodeURI(uri));
  } catch {
    return encodeURI(uri);
  }
}

/** The mask of an image: alone `mask.nii.gz`, of several `image_2/mask.nii.gz`. */
export function maskOf(shown: Shown, name: string): string | undefined {
  return shown.masks.get(`${name.replace(/\.nii(\.gz)?$/i, "")}/mask.nii.gz`) ?? shown.masks.get("mask.nii.gz");
}

export async function fetchBytes(uri: string, signal?: AbortSignal): Promise<ArrayBuffer> {
  return (await read(encoded(uri), {}, signal)).arrayBuffer();
}

function reportOf(found: unknown): Report {
  const report = (typeof found === "object" && found !== null ? found : {}) as Record<string, unknown>;
  const measures = (typeof report.measures === "object" && report.measures !== null ? report.measures : {}) as Record<string, unknown>;
  const text = (value: unknown) => (typeof value === "string" || typeof value === "number" ? String(value) : "");
  const reasons = Array.isArray(report.reasons) ? report.reasons : [];
  return {
    verdict: text(report.verdict),
    method: text(report.method),
    methodVersion: text(report.method_version),
    reasons: reasons.map((one) => (typeof one === "string" ? one : text((one as Record<string, unknown> | null)?.sentence))).filter(Boolean),
    removedMl: text(measures.removed_ml),
  };
}

/** The program's word as the data type has it: an image without a face passes. */
export function autoVerdict(item: Item, report: Report | undefined): string {
  const word = item.machine?.autoVerdict || report?.verdict || "";
  return word === "no-face" ? "pass" : ["pass", "fail", "review"].includes(word) ? word : "";
}

// ---- writing ----------------------------------------------------------------------------------

export interface Verdict {
  label: string;
  isNew: boolean;
  values: Record<string, string>;
}

function assessorPath(project: string, item: Item, label: string): string {
  return `/data${path("projects", project, "subjects", item.subject, "experiments", item.session, "assessors", label)}`;
}

/** Store an assessment. A new one never replaces one that is there. */
export async function putAssessment(project: string, item: Item, { label, isNew, values }: Verdict): Promise<void> {
  await write("PUT", assessorPath(project, item, label), {
    params: { xsiType: type.xsi_type },
    body: documentOf(type, values),
    type: "text/xml",
    headers: isNew ? { "If-None-Match": "*" } : {},
  });
}

/** The scan's quality follows the verdict, so that every client of the archive sees it. */
export async function putQuality(project: string, item: Item, quality: string): Promise<void> {
  const target = `/data${path("projects", project, "subjects", item.subject, "experiments", item.session, "scans", item.scan)}`;
  await write("PUT", target, { params: { "xnat:imageScanData/quality": quality } });
}

export function qualityOf(verdict: string): string {
  return QUALITY[verdict] ?? "usable";
}

/** Write down what the program found where its run left no assessment. */
export async function record(project: string, item: Item, all: readonly Assessment[]): Promise<void> {
  const uri = `${scanPath(item)}/resources/DEFACE_QC/files/report.json`;
  const report = reportOf(await (await read(uri)).json());
  const verdict = autoVerdict(item, report) || "review";
  const taken = new Set(all.map((one) => one.label));
  let number = 1;
  const label = () => `${item.session}_DQC_${item.scan}_${number}`.replace(/[^A-Za-z0-9_-]/g, "_");
  while (taken.has(label())) number += 1;
  await putAssessment(project, item, {
    label: label(),
    isNew: true,
    values: { scan_id: item.scan, method: report.method, method_version: report.methodVersion, verdict, auto_verdict: verdict, removed_ml: report.removedMl },
  });
}
