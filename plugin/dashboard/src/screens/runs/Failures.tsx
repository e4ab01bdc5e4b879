// Failed runs by what went wrong: one look, one retry for all of a kind.
import { useState } from "preact/hooks";
import { Panel, Refusal, Skeleton } from "../../components/basic";
import { useLoad } from "../../lib/load";
import { reason, type Run } from "../../lib/runs";
import type { Rights } from "../../lib/session";
import { change } from "../../lib/url";
import { retry } from "./retry";
import { byReason, type Group } from "./summary";

/** Logs of that many failed runs are read; older ones stand under their status. */
const MOST = 40;

interface Props {
  project: string;
  failed: Run[];
  label: (run: Run) => string;
  rights: Rights;
  onRetried: () => void;
  open: boolean;
}

export function Failures({ project, failed, label, rights, onRetried, open }: Props) {
  const [wanted, setWanted] = useState(open);
  const groups = useLoad(async () => {
    if (!wanted && !open) return undefined;
    const found: { run: Run; reason: string }[] = [];
    const queue = failed.slice(0, MOST);
    const worker = async () => {
      for (let run = queue.shift(); run; run = queue.shift()) found.push({ run, reason: await reason(run) });
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
    return byReason([...found, ...failed.slice(MOST).map((run) => ({ run, reason: run.noted || run.status }))]);
  }, [wanted || open, failed.map((run) => run.id).join(" ")]);
  return (
    <Panel title={`${failed.length} ${failed.length === 1 ? "object" : "objects"} whose last run failed`} class="failures">
      {!wanted && !open ? (
        <button type="button" onClick={() => setWanted(true)}>
          Show why
        </button>
      ) : (
        <>
          <Refusal error={groups.error} retry={groups.reload} />
          {groups.loading && !groups.value && <Skeleton lines={3} />}
          <ul>
            {groups.value?.map((group) => (
              <One key={group.reason} project={project} group={group} label={label} rights={rights} onRetried={onRetried} />
            ))}
          </ul>
        </>
      )}
    </Panel>
  );
}

function One({ project, group, label, rights, onRetried }: Omit<Props, "failed" | "open"> & { group: Group }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const again = async () => {
    setBusy(true);
    setError(undefined);
    const ended = await Promise.allSettled(group.runs.map((run) => retry(project, run)));
    setError(ended.find((one) => one.status === "rejected")?.reason);
    setBusy(false);
    onRetried();
  };
  return (
    <li>
      <div class="failure">
        <strong>{group.runs.length} ×</strong>
        <span class="reason">{group.reason}</span>
        {rights.edit && (
          <button type="button" disabled={busy} onClick={() => void again()}>
            {busy ? "Sending…" : `Retry ${group.runs.length === 1 ? "" : "all"}`}
          </button>
        )}
      </div>
      <div class="soft">
        {group.runs.slice(0, 6).map((run, at) => (
          <>
            {at > 0 && ", "}
            <button type="button" class="link" key={run.id} onClick={() => change({ run: run.id }, false)}>
              {label(run)}
            </button>
          </>
        ))}
        {group.runs.length > 6 && ` and ${group.runs.length - 6} more`}
      </div>
      <Refusal error={error} />
    </li>
  );
}
