// A run while it runs: its state, how long, the end of its log, a button to stop it.
import { useEffect, useRef, useState } from "preact/hooks";
import { readJson } from "../lib/api";
import { workflowRows, type WorkflowRow } from "../lib/collection";
import { poll, type Turn } from "../lib/poll";
import { path } from "../lib/root";
import { pick } from "../lib/rows";
import { flat, isOver, stop } from "../lib/runs";
import { moment, span } from "../lib/time";
import { Badge, Refusal, type Tone } from "./basic";

interface Props {
  project: string;
  title: string;
  /** Number of the workflow; empty: it is searched for by target and pipeline. */
  workflow: string;
  target: string;
  pipeline: string;
  /** Without the log (many at once). */
  quiet?: boolean;
  onEnd?: (status: string) => void;
}

const TAIL = 200;

export function toneOf(status: string): Tone {
  if (status === "Complete") return "good";
  return isOver(status) ? "bad" : "busy";
}

export function LiveRun({ project, title, workflow, target, pipeline, quiet = false, onEnd }: Props) {
  const [row, setRow] = useState<WorkflowRow>();
  const [log, setLog] = useState("");
  const [error, setError] = useState<unknown>();
  const [stopping, setStopping] = useState(false);
  const [now, setNow] = useState(Date.now());
  const tail = useRef<HTMLPreElement>(null);
  const status = row?.status ?? "Queued";
  const over = row !== undefined && isOver(status);

  useEffect(() => {
    let number = workflow;
    let before = "";
    const since: Record<string, string> = {};
    return poll(async (): Promise<Turn> => {
      const found = number ? await readWorkflow(number) : await searchWorkflow(project, pipeline, target);
      if (!found) return "same";
      number = found.wrk_workflowdata_id;
      setRow(found);
      const more = quiet || !found.comments ? "" : await logSince(found.comments, since);
      if (more) setLog((old) => (old + more).split("\n").slice(-TAIL).join("\n"));
      if (isOver(found.status)) {
        onEnd?.(found.status);
        return "over";
      }
      const changed = found.status !== before || more !== "";
      before = found.status;
      return changed ? "new" : "same";
    });
  }, [workflow, target]);
  useEffect(() => {
    if (over) return undefined;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [over]);
  useEffect(() => {
    if (tail.current) tail.current.scrollTop = tail.current.scrollHeight;
  }, [log]);

  const end = async () => {
    setStopping(true);
    setError(undefined);
    try {
      await stop(project, row!.comments);
    } catch (problem) {
      setError(problem);
      setStopping(false);
    }
  };
  const began = moment(row?.launch_time);
  const until = over ? moment(row.current_step_launch_time) : now;
  return (
    <section class={`live ${quiet ? "quiet" : ""}`} aria-label={title}>
      <header>
        <strong>{title}</strong>
        <span role="status">
          <Badge tone={toneOf(status)}>{status}</Badge>
        </span>
        {!Number.isNaN(began) && !Number.isNaN(until) && <span class="count">{span(until - began)}</span>}
        {!over && row?.comments && (
          <button type="button" class="danger" disabled={stopping} onClick={() => void end()}>
            {stopping ? "Stopping…" : "Stop"}
          </button>
        )}
      </header>
      {over && status !== "Complete" && row.details && <p class="why">{row.details}</p>}
      {log && (
        <pre ref={tail} tabIndex={0} aria-label="End of the log">
          {log}
        </pre>
      )}
      <Refusal error={error} />
    </section>
  );
}

async function readWorkflow(number: string): Promise<WorkflowRow | undefined> {
  const answer = await readJson<{ items: { data_fields: Record<string, unknown> }[] }>(`/data/workflows${path(number)}`, { format: "json" });
  const fields = answer.items[0]?.data_fields;
  if (!fields) return undefined;
  const plain = Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, String(value ?? "")]));
  return pick([plain], ["wrk_workflowdata_id", "ID", "pipeline_name", "status", "launch_time", "current_step_launch_time", "justification", "scan_id", "comments", "details"])[0];
}

/** Bulk launches answer before the run has a number: the newest workflow of the command on the object is it. */
async function searchWorkflow(project: string, pipeline: string, target: string): Promise<WorkflowRow | undefined> {
  const words = flat(target).split("/");
  const [session = "", scan = ""] = [words[3], words[5]];
  const found = await workflowRows(`/data/services/workflows${path(pipeline)}`, { project, experiment: session, display: "ALL" });
  return found
    .filter((one) => one.ID === session && (!scan || !one.scan_id || one.scan_id === scan))
    .sort((a, b) => Number(b.wrk_workflowdata_id) - Number(a.wrk_workflowdata_id))[0];
}

async function logSince(container: string, since: Record<string, string>): Promise<string> {
  let text = "";
  for (const stream of ["stdout", "stderr"]) {
    if (since[stream] === "-1") continue;
    try {
      const piece = await readJson<{ content?: string | null; timestamp?: string }>(`/xapi${path("containers", container, "logSince", stream)}`, { since: since[stream] });
      text += piece.content ?? "";
      since[stream] = piece.timestamp ?? "-1";
    } catch {
      return text; // not there yet
    }
  }
  return text;
}
