// Runs of the Container Service: their state, what they worked on, why they failed.
import { readJson, Refused, write, writeJson } from "./api";
import { textOrNothing } from "./collection";
import { once } from "./load";
import { path } from "./root";

interface Step {
  status?: string | null;
  message?: string | null;
  "time-recorded"?: number | string | null;
}

/** A run as the Container Service describes it, as far as we read it. */
export interface Container {
  id: number;
  "wrapper-id": number;
  status: string;
  "status-time"?: number | string | null;
  "workflow-id"?: string | null;
  "user-id"?: string | null;
  "docker-image"?: string | null;
  inputs?: { type?: string; name?: string; value?: string | null; sensitive?: boolean }[] | null;
  history?: Step[] | null;
}

export type State = "queued" | "running" | "complete" | "failed";

export interface Run {
  id: string;
  wrapper: number;
  /** Image without its registry and tag. */
  command: string;
  workflow: string;
  user: string;
  status: string;
  state: State;
  /** Archive URI it was launched on. */
  target: string;
  session: string;
  scan: string;
  began: number;
  ended: number;
  /** What the archive noted at the end. */
  noted: string;
  /** Name of the root input. */
  root: string;
  /** What was sent at the launch. */
  inputs: Record<string, string>;
}

export const isOver = (status: string): boolean => status === "Complete" || /^(Failed|Killed)/.test(status);

export function stateOf(status: string): State {
  if (status === "Complete") return "complete";
  if (isOver(status)) return "failed";
  return /^_?Queued/.test(status) ? "queued" : "running";
}

/** An archive URI without `/data` and without project and subject: `/archive/experiments/E/scans/1`. */
export function flat(uri: string): string {
  const plain = uri.replace(/^\/(data|REST)(?=\/archive\/)/, "");
  return plain.replace(/^\/archive\/projects\/[^/]+\/subjects\/[^/]+(?=\/experiments\/)/, "/archive");
}

const time = (value: number | string | null | undefined): number => {
  if (value === null || value === undefined || value === "") return NaN;
  const number = Number(value);
  return Number.isNaN(number) ? Date.parse(String(value)) : number;
};

export function runOf(one: Container): Run {
  const inputs = one.inputs ?? [];
  const raw = inputs.filter((input) => input.type === "raw");
  const targets = [...raw, ...inputs.filter((input) => input.type === "wrapper-external")];
  const main = targets.find((input) => /^\/(data\/)?archive\//.test(input.value ?? ""));
  const target = flat(main?.value ?? "");
  const words = target.split("/");
  const history = one.history ?? [];
  const over = isOver(one.status);
  const end = history.filter((step) => isOver(step.status ?? ""));
  return {
    id: String(one.id),
    wrapper: one["wrapper-id"],
    command: (one["docker-image"] ?? "").replace(/^.*\//, "").replace(/[:@].*$/, ""),
    workflow: String(one["workflow-id"] ?? ""),
    user: one["user-id"] ?? "",
    status: one.status,
    state: stateOf(one.status),
    target,
    session: words[2] === "experiments" ? (words[3] ?? "") : "",
    scan: words[4] === "scans" ? (words[5] ?? "") : "",
    began: time(history[0]?.["time-recorded"] ?? one["status-time"]),
    ended: over ? time(one["status-time"]) : NaN,
    noted: end.map((step) => step.message ?? "").filter(Boolean).at(-1) ?? "",
    root: main?.name ?? "",
    inputs: Object.fromEntries(raw.filter((input) => !input.sensitive).map((input) => [input.name ?? "", input.value ?? ""])),
  };
}

export const PAGE = 500;

/** The newest runs of a project; `again` does not take what is remembered. */
export function runs(project: string): Promise<Run[]> {
  return once(`${project} runs`, () => page(project, 1), 5);
}

export async function page(project: string, number: number): Promise<Run[]> {
  const address = `/xapi${path("projects", project, "containers")}`;
  let found: Container[];
  try {
    found = await writeJson<Container[]>("POST", address, { json: { page: number, size: PAGE, sort_col: "id", sort_dir: "desc" } });
  } catch (error) {
    // Older versions know the whole list only.
    if (!(error instanceof Refused) || ![404, 405].includes(error.status)) throw error;
    found = number === 1 ? await readJson<Container[]>(address) : [];
  }
  return found.map(runOf).sort((a, b) => Number(b.id) - Number(a.id));
}

/** Of several runs of a command on one object the newest counts. */
export function newestRuns(found: readonly Run[]): Run[] {
  const newest = new Map<string, Run>();
  for (const one of found) {
    const key = `${one.wrapper} ${one.target}`;
    const old = newest.get(key);
    if (!old || Number(old.id) < Number(one.id)) newest.set(key, one);
  }
  return [...newest.values()];
}

export const log = (run: string, stream: "stdout" | "stderr"): Promise<string> => textOrNothing(`/xapi${path("containers", run, "logs", stream)}`);

/** The line that says why: the last one of the log, or what the archive noted. */
export function reasonIn(stderr: string, stdout: string, noted: string, status: string): string {
  if (status !== "Failed" && noted) return noted;
  for (const text of [stderr, stdout]) {
    const lines = text.split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
    const last = lines.at(-1);
    if (last) return last.replace(/^failed: /, "").slice(0, 300);
  }
  return noted || status;
}

export async function reason(run: Run): Promise<string> {
  return once(
    `reason ${run.id}`,
    async () => {
      const stderr = run.status !== "Failed" && run.noted ? "" : await log(run.id, "stderr");
      const stdout = stderr || (run.status !== "Failed" && run.noted) ? "" : await log(run.id, "stdout");
      return reasonIn(stderr, stdout, run.noted, run.status);
    },
    3600,
  );
}

export async function stop(project: string, run: string): Promise<void> {
  await write("POST", `/xapi${path("projects", project, "containers", run, "kill")}`);
}
