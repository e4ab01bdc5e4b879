// G. Runs: newest first; failed ones grouped by what went wrong; log, retry, stop.
import { useEffect, useMemo, useState } from "preact/hooks";
import type { ScreenProps } from "../app";
import { Ago, Badge, CopyLink, CsvButton, Panel, Refusal, Skeleton } from "../components/basic";
import { filter, Filters, type Facet } from "../components/Filters";
import { toneOf } from "../components/LiveRun";
import { Table, type Column } from "../components/Table";
import { sessions } from "../lib/collection";
import { forget, useLoad } from "../lib/load";
import { poll } from "../lib/poll";
import { newestRuns, runs, type Run } from "../lib/runs";
import { exact, span } from "../lib/time";
import { change } from "../lib/url";
import { Failures } from "./runs/Failures";
import { RunDrawer } from "./runs/RunDrawer";
import { byCommand } from "./runs/summary";

const FACETS: Facet<Run>[] = [
  { key: "state", title: "State", values: (run) => [run.state] },
  { key: "command", title: "Command", values: (run) => [run.command] },
  { key: "user", title: "User", values: (run) => [run.user] },
];

export default function Runs({ project, route, rights }: ScreenProps) {
  const found = useLoad(() => runs(project), [project]);
  const known = useLoad(async () => (found.value ? new Map((await sessions(project)).map((one) => [one.id, one.label])) : undefined), [project, found.value !== undefined]).value;
  const [stamp, setStamp] = useState(0);
  const all = found.value;
  const alive = all?.some((run) => run.state === "running" || run.state === "queued") ?? false;
  const again = () => {
    forget(`${project} runs`);
    found.reload();
  };
  // While something runs the list follows; it holds no form, so nothing typed is in danger.
  useEffect(() => {
    if (!alive) return undefined;
    let first = true;
    return poll(async () => {
      if (first) {
        first = false;
        return "same";
      }
      forget(`${project} runs`);
      found.reload();
      setStamp((old) => old + 1);
      return "same";
    });
  }, [project, alive]);

  const label = (run: Run) => (run.session ? `${known?.get(run.session) ?? run.session}${run.scan ? ` / ${run.scan}` : ""}` : run.target.replace("/archive/", ""));
  const columns = useMemo(() => columnsOf(label), [known]);
  const shown = all ? filter(all, FACETS, route.query, (run) => [run.id, run.command, run.user, run.status, label(run)]).rows : [];
  const sort = route.query.get("sort") ?? "";
  const open = route.query.get("run");
  const picked = all?.find((run) => run.id === open);
  const failed = all ? newestRuns(all).filter((run) => run.state === "failed") : [];
  return (
    <>
      <div class="title">
        <h1>Runs</h1>
        <div class="actions">
          <CopyLink />
          <CsvButton name={`${project}-runs`} rows={shown} columns={columns} sort={sort} />
          <button type="button" onClick={again}>
            Reload
          </button>
        </div>
      </div>
      <Refusal error={found.error} retry={again} />
      {!all ? (
        found.loading && <Skeleton lines={12} label="Loading the runs" />
      ) : (
        <>
          {failed.length > 0 && <Failures project={project} failed={failed} label={label} rights={rights} onRetried={again} open={route.query.getAll("state").includes("failed")} />}
          <Summary all={all} />
          <Filters rows={all} facets={FACETS} route={route} shown={shown.length} />
          <Table
            key={`${project}`}
            label={`Runs of ${project}`}
            rows={shown}
            columns={columns}
            rowKey={(run) => run.id}
            sort={sort}
            onSort={(next) => change({ sort: next })}
            onOpen={(run) => change({ run: run.id }, false)}
            empty={all.length ? "No run fits these filters." : "Nothing was launched yet."}
          />
        </>
      )}
      {picked && <RunDrawer key={picked.id} project={project} run={picked} label={label(picked)} rights={rights} stamp={stamp} onChanged={again} onClose={() => change({ run: undefined })} />}
    </>
  );
}

function columnsOf(label: (run: Run) => string): Column<Run>[] {
  return [
    { key: "id", title: "Run", width: "68px", value: (run) => Number(run.id), cell: (run) => <button type="button" class="link" onClick={() => change({ run: run.id }, false)}>{run.id}</button> },
    { key: "status", title: "Status", width: "minmax(110px, 0.8fr)", value: (run) => run.status, cell: (run) => <Badge tone={toneOf(run.status)}>{run.status}</Badge> },
    { key: "command", title: "Command", width: "minmax(120px, 1fr)", value: (run) => run.command },
    { key: "object", title: "On", width: "minmax(150px, 1.6fr)", value: label },
    { key: "began", title: "Launched", width: "104px", value: (run) => exact(run.began), cell: (run) => <Ago at={run.began} /> },
    { key: "took", title: "Took", width: "72px", align: "end", value: (run) => (Number.isNaN(run.ended) ? "" : Math.round((run.ended - run.began) / 1000)), cell: (run) => (Number.isNaN(run.ended) ? "" : span(run.ended - run.began)) },
    { key: "user", title: "By", width: "minmax(90px, 0.7fr)", value: (run) => run.user },
    { key: "noted", title: "Note", width: "minmax(120px, 2fr)", value: (run) => (run.state === "failed" ? run.noted : ""), cell: (run) => (run.state === "failed" ? <span class="soft" title={run.noted}>{run.noted}</span> : "") },
  ];
}

function Summary({ all }: { all: readonly Run[] }) {
  const lines = byCommand(all);
  if (!lines.length) return null;
  return (
    <Panel title="Commands" aside="middle and longest time of complete runs">
      <ul class="summary">
        {lines.map((line) => (
          <li key={line.command}>
            <strong>{line.command}</strong>
            <span>{line.complete} complete</span>
            {line.alive > 0 && <Badge tone="busy">{line.alive} under way</Badge>}
            {line.failed > 0 && <Badge tone="bad">{line.failed} failed</Badge>}
            <span class="soft">{Number.isNaN(line.middle) ? "" : `${span(line.middle)} … ${span(line.longest)}`}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
