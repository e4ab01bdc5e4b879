// One run: what it was launched with, its log, retry and stop.
import { useState } from "preact/hooks";
import { Ago, Badge, Dialog, Refusal, Skeleton } from "../../components/basic";
import { LiveRun, toneOf } from "../../components/LiveRun";
import { useLoad } from "../../lib/load";
import { isOver, log, type Run } from "../../lib/runs";
import type { Rights } from "../../lib/session";
import { span } from "../../lib/time";
import { href } from "../../lib/url";
import { retry } from "./retry";

interface Props {
  project: string;
  run: Run;
  label: string;
  rights: Rights;
  stamp: number;
  onChanged: () => void;
  onClose: () => void;
}

export function RunDrawer({ project, run, label, rights, onChanged, onClose }: Props) {
  const over = isOver(run.status);
  const logs = useLoad(async () => (over ? { out: await log(run.id, "stdout"), err: await log(run.id, "stderr") } : undefined), [run.id, over]);
  const [error, setError] = useState<unknown>();
  const [sent, setSent] = useState(false);
  const again = async () => {
    setError(undefined);
    try {
      await retry(project, run);
      setSent(true);
      onChanged();
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Dialog title={`Run ${run.id}: ${run.command}`} onClose={onClose}>
      <div class="run">
        <p>
          <Badge tone={toneOf(run.status)}>{run.status}</Badge> on {run.session ? <a href={href(["c", project, "s", run.session])}>{label}</a> : label} by {run.user}, <Ago at={run.began} />
          {!Number.isNaN(run.ended) && `, took ${span(run.ended - run.began)}`}
        </p>
        {over && run.noted && <p class="why">{run.noted}</p>}
        {!over && <LiveRun project={project} title="Now" workflow={run.workflow} target={run.target} pipeline="" onEnd={onChanged} />}
        <dl class="inputs">
          {Object.entries(run.inputs).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
        {logs.loading && over && <Skeleton lines={3} />}
        {logs.value?.err && (
          <>
            <h3>Errors</h3>
            <pre tabIndex={0}>{logs.value.err}</pre>
          </>
        )}
        {logs.value?.out && (
          <>
            <h3>Log</h3>
            <pre tabIndex={0}>{logs.value.out}</pre>
          </>
        )}
        {logs.value && !logs.value.out && !logs.value.err && <p class="soft">The run left no log.</p>}
        <Refusal error={error} />
        <div class="actions end">
          {sent && <span class="badge good">launched again</span>}
          {over && rights.edit && !sent && (
            <button type="button" onClick={() => void again()}>
              Retry with the same inputs
            </button>
          )}
          <button type="button" class="main" onClick={onClose}>
            Close
          </button>
        </div>
      </div>
    </Dialog>
  );
}
