// Launching commands. A server takes nearly any launch and tells later: so everything is checked before.
import { readJson, Refused, writeJson } from "./api";
import { once } from "./load";
import { path } from "./root";

export interface Wrapper {
  id: number;
  name: string;
  label: string;
  command: string;
  description: string;
  root: string;
}

interface Summary {
  "wrapper-id": number;
  "wrapper-name": string;
  "wrapper-label"?: string | null;
  "wrapper-description"?: string | null;
  "command-name"?: string | null;
  "command-label"?: string | null;
  "command-description"?: string | null;
  enabled: boolean;
  "root-element-name"?: string | null;
}

/** The enabled commands for a type of object. */
export function available(project: string, xsiType: string): Promise<Wrapper[]> {
  return once(`${project} commands ${xsiType}`, async () => {
    const found = await readJson<Summary[]>(`/xapi${path("projects", project, "commands", "available")}`, { xsiType });
    return found.filter((one) => one.enabled && one["root-element-name"]).map(wrapperOf);
  });
}

function wrapperOf(one: Summary): Wrapper {
  return {
    id: one["wrapper-id"],
    name: one["wrapper-name"],
    label: one["wrapper-label"] || one["command-label"] || one["wrapper-name"],
    command: one["command-label"] || one["command-name"] || "",
    description: one["wrapper-description"] || one["command-description"] || "",
    root: one["root-element-name"] ?? "",
  };
}

/** Commands that every one of several types has. */
export async function availableFor(project: string, types: readonly string[]): Promise<Wrapper[]> {
  const [first = [], ...others] = await Promise.all([...new Set(types)].map((type) => available(project, type)));
  return first.filter((one) => others.every((list) => list.some((other) => other.id === one.id)));
}

/** De-facing first: all scans of a session in one run, then scan by scan, then one scan of a session. */
const DEFACING = ["prepare-session", "deface-scan", "deface-session"];
export function defacingFirst(found: readonly Wrapper[]): Wrapper[] {
  const rank = (one: Wrapper) => {
    const at = DEFACING.indexOf(one.name);
    return at >= 0 ? at : /deface|face/i.test(one.name) ? DEFACING.length : DEFACING.length + 1;
  };
  return [...found].sort((a, b) => rank(a) - rank(b));
}

// ---- the form -----------------------------------------------------------------------------------

export interface Input {
  name: string;
  label: string;
  hint: string;
  kind: "text" | "number" | "boolean" | "choice" | "choices" | "fixed";
  required: boolean;
  /** Value and label. */
  options: { value: string; label: string }[];
  initial: string;
}

export interface Form {
  wrapper: number;
  enabled: boolean;
  root: string;
  inputs: Input[];
}

interface Config {
  name: string;
  label?: string | null;
  description?: string | null;
  type?: string | null;
  required?: boolean;
  "user-settable"?: boolean;
  "select-values"?: (string | { value: string; label?: string })[] | null;
  "input-type"?: string;
}

interface FormAnswer {
  meta: { enabled?: boolean; "root-element-name"?: string | null };
  "input-config": Config[];
  "input-values"?: { name: string; values?: { value?: string | null; label?: string | null }[] }[] | null;
}

export async function form(project: string, wrapper: Wrapper, target: string): Promise<Form> {
  const answer = await readJson<FormAnswer>(`/xapi${path("projects", project, "wrappers", String(wrapper.id), "launch")}`, { [wrapper.root]: target });
  return formOf(answer, wrapper);
}

export function formOf(answer: FormAnswer, wrapper: Wrapper): Form {
  const values = new Map((answer["input-values"] ?? []).map((one) => [one.name, one.values ?? []]));
  return {
    wrapper: wrapper.id,
    enabled: answer.meta.enabled !== false,
    root: answer.meta["root-element-name"] ?? wrapper.root,
    inputs: answer["input-config"].filter((one) => one.name !== wrapper.root).map((one) => inputOf(one, values.get(one.name) ?? [])),
  };
}

function inputOf(one: Config, values: { value?: string | null; label?: string | null }[]): Input {
  const several = values.map((entry) => ({ value: entry.value ?? "", label: entry.label ?? entry.value ?? "" }));
  const given = (one["select-values"] ?? []).map((entry) => (typeof entry === "string" ? { value: entry, label: entry } : { value: entry.value, label: entry.label ?? entry.value }));
  const options = given.length ? given : several;
  const settable = one["user-settable"] !== false && one.type !== "static" && one.type !== "hidden";
  return {
    name: one.name,
    label: one.label || one.name,
    hint: one.description ?? "",
    kind: settable ? kindOf(one.type ?? "", options.length) : "fixed",
    required: one.required === true,
    options,
    initial: several[0]?.value ?? "",
  };
}

function kindOf(type: string, options: number): Input["kind"] {
  if (type === "boolean") return "boolean";
  if (type === "select-many") return "choices";
  if (type === "select-one") return options ? "choice" : "text";
  return type === "number" ? "number" : "text";
}

export const MANY = 500;

/** What is wrong with a launch before it is sent; empty when nothing is. */
export function faults(found: Form, wrapper: Wrapper, values: Readonly<Record<string, string>>, targets: readonly string[]): Record<string, string> {
  const wrong: Record<string, string> = {};
  if (!found.enabled) wrong[""] = "The command is switched off in this collection.";
  if (found.root !== wrapper.root || !wrapper.root) wrong[""] = "The command takes another kind of object.";
  if (!targets.length) wrong[""] = "Nothing is selected.";
  if (targets.length > MANY) wrong[""] = `At most ${MANY} objects go into one launch.`;
  for (const input of found.inputs) {
    const value = values[input.name] ?? input.initial;
    if (input.kind === "fixed") continue;
    if (input.required && value === "") wrong[input.name] = "This is needed.";
    if (input.kind === "number" && value !== "" && Number.isNaN(Number(value))) wrong[input.name] = "This is no number.";
    if (input.kind === "choice" && value !== "" && !input.options.some((one) => one.value === value)) wrong[input.name] = "Choose one of the list.";
  }
  return wrong;
}

// ---- sending ------------------------------------------------------------------------------------

export interface Launched {
  target: string;
  /** Number of the workflow; empty where it must be searched for. */
  workflow: string;
}

interface LaunchAnswer {
  status?: string;
  message?: string;
  params?: Record<string, string>;
  "workflow-id"?: string | null;
}

const number = (workflow: string | null | undefined) => (/^\d+$/.test(workflow ?? "") ? workflow! : "");

/** Launch on one or many objects; values of inputs that one may set go along as texts. */
export async function launch(project: string, found: Form, wrapper: Wrapper, values: Readonly<Record<string, string>>, targets: readonly string[]): Promise<Launched[]> {
  const wrong = Object.values(faults(found, wrapper, values, targets))[0];
  if (wrong) throw new Refused(400, wrong, "");
  const sent = Object.fromEntries(found.inputs.filter((one) => one.kind !== "fixed").map((one) => [one.name, values[one.name] ?? one.initial]));
  const base = `/xapi${path("projects", project, "wrappers", String(wrapper.id), "root", wrapper.root)}`;
  if (targets.length === 1) {
    const answer = await writeJson<LaunchAnswer>("POST", `${base}/launch`, { json: { ...sent, [wrapper.root]: targets[0]! } });
    if (answer.status === "failure") throw new Refused(500, answer.message || "The launch was not taken.", "Check the inputs, then try again.");
    return [{ target: targets[0]!, workflow: number(answer["workflow-id"]) }];
  }
  const answer = await writeJson<{ successes?: LaunchAnswer[]; failures?: LaunchAnswer[] }>("POST", `${base}/bulklaunch`, {
    json: { ...sent, [wrapper.root]: JSON.stringify(targets) },
  });
  const failed = answer.failures ?? [];
  if (failed.length) throw new Refused(500, `${failed.length} of ${targets.length} launches were not taken: ${failed[0]!.message ?? "no reason was given"}`, "Launch those again.");
  return (answer.successes ?? []).map((one, at) => ({ target: one.params?.[wrapper.root] ?? targets[at] ?? "", workflow: number(one["workflow-id"]) }));
}
