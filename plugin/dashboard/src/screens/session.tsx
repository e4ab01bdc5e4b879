// D. A session: its scans, what was made of them, launching, and the runs.
import { useState } from "preact/hooks";
import type { ScreenProps } from "../app";
import { Ago, Badge, CopyLink, CsvButton, Panel, Refusal, Skeleton, Verdict } from "../components/basic";
import { LaunchDialog, type Level } from "../components/Launch";
import { LiveRun, toneOf } from "../components/LiveRun";
import { Table, type Column } from "../components/Table";
import type { WorkflowRow } from "../lib/collection";
import { forget, useLoad } from "../lib/load";
import { address, path } from "../lib/root";
import { isOver } from "../lib/runs";
import { moment, span } from "../lib/time";
import { change, href } from "../lib/url";
import { contents, runsOf, size, verdictsOf, type Resource, type Scan, type ScanVerdict } from "./session/data";

interface Row extends Scan {
  verdict: ScanVerdict | undefined;
  run: WorkflowRow | undefined;
}

export default function Session({ project, route, rights }: ScreenProps) {
  const id = route.path[3] ?? "";
  const found = useLoad((signal) => contents(project, id, signal), [project, id]);
  const ready = found.value !== undefined;
  const judged = useLoad(async () => (ready ? verdictsOf(id) : undefined), [id, ready, found.value]);
  const history = useLoad(async () => (ready && rights.read ? runsOf(project, id) : undefined), [id, ready, rights.read, found.value]);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());

  const { head, scans = [], own = [] } = found.value ?? {};
  const runs = history.value ?? [];
  const rows: Row[] = scans.map((scan) => ({ ...scan, verdict: judged.value?.get(scan.id), run: runs.find((run) => run.scan_id === scan.id) }));
  const alive = runs.filter((run) => !isOver(run.status));
  const columns = columnsOf(project, id);
  const sort = route.query.get("sort") ?? "";
  const launching = route.query.get("launch");
  const chosen = launching && launching !== "session" ? scans.filter((scan) => scan.id === launching) : selected.size ? scans.filter((scan) => selected.has(scan.id)) : scans;
  const refresh = () => {
    forget(`${project} `);
    found.reload();
  };
  if (found.error && !found.value) {
    return (
      <>
        <h1>{id}</h1>
        <Refusal error={found.error} retry={found.reload} />
      </>
    );
  }
  return (
    <>
      <div class="title">
        <h1>
          {head ? (
            <>
              <span class="soft">{head.subject} / </span>
              {head.label}
            </>
          ) : (
            id
          )}
        </h1>
        {head && <span class="soft">{[head.modality, head.date, head.site].filter(Boolean).join(" · ")}</span>}
        <div class="actions">
          <CopyLink />
          {rights.edit && scans.length > 0 && (
            <button type="button" class="main" onClick={() => change({ launch: "session" }, false)}>
              De-face this session…
            </button>
          )}
        </div>
      </div>
      {!found.value ? (
        <Skeleton lines={8} label="Loading the session" />
      ) : (
        <>
          {alive.map((run) => (
            <LiveRun
              key={run.wrk_workflowdata_id}
              project={project}
              title={`Run ${run.wrk_workflowdata_id}: ${run.pipeline_name}${run.scan_id ? `, scan ${run.scan_id}` : ""}`}
              workflow={run.wrk_workflowdata_id}
              target={`/archive/experiments/${id}`}
              pipeline={run.pipeline_name}
              onEnd={refresh}
            />
          ))}
          <div class="title">
            <h2>Scans</h2>
            {selected.size > 0 && (
              <button type="button" onClick={() => change({ launch: "session" }, false)}>
                Launch on {selected.size} {selected.size === 1 ? "scan" : "scans"}…
              </button>
            )}
            <div class="actions">
              <CsvButton name={head?.label ?? id} rows={rows} columns={columns} sort={sort} />
            </div>
          </div>
          <Refusal error={judged.error} />
          <Table
            label={`Scans of ${head?.label ?? id}`}
            rows={rows}
            columns={columns}
            rowKey={(row) => row.id}
            sort={sort}
            onSort={(next) => change({ sort: next })}
            height="52vh"
            {...(rights.edit ? { selected, onSelect: setSelected } : {})}
            empty="The session holds no scan."
          />
          <div class="halves">
            <Panel title="Runs" aside={rights.edit && <a href={href(["c", project, "runs"])}>All runs of the collection</a>}>
              <History runs={runs} loading={history.loading} />
            </Panel>
            <Panel title="Files">
              <Files id={id} own={own} scans={scans} />
            </Panel>
          </div>
        </>
      )}
      {launching && rights.edit && head && (
        <LaunchDialog
          project={project}
          title={launching === "session" && !selected.size ? "De-face this session" : `Launch on ${chosen.length === 1 ? `scan ${chosen[0]!.id}` : `${chosen.length} scans`}`}
          levels={levelsOf(head, chosen, launching !== "session" || selected.size > 0)}
          onClose={() => {
            change({ launch: undefined });
            refresh();
          }}
          onLaunched={() => forget(`${project} `)}
        />
      )}
    </>
  );
}

/** The session as a whole, and its scans (those with images first come first); or chosen scans only. */
function levelsOf(head: { id: string; label: string; xsiType: string }, scans: readonly Scan[], only: boolean): Level[] {
  const nifti = scans.filter((scan) => scan.resources.some((one) => one.label === "NIFTI"));
  const fit = only || !nifti.length ? scans : nifti;
  const each: Level = {
    name: only ? "The chosen scans" : nifti.length ? "Each scan that has NIfTI images" : "Each scan",
    types: fit.map((scan) => scan.xsiType),
    targets: fit.map((scan) => ({ uri: `/archive/experiments/${head.id}/scans/${scan.id}`, label: `scan ${scan.id}` })),
  };
  return only ? [each] : [{ name: "The whole session", types: [head.xsiType], targets: [{ uri: `/archive/experiments/${head.id}`, label: head.label }] }, each];
}

const made = (row: Row, label: string) => row.resources.find((one) => one.label === label);

function Mark({ resource }: { resource: Resource | undefined }) {
  return resource && resource.files ? (
    <span class="good-mark" title={`${resource.files} ${resource.files === 1 ? "file" : "files"}, ${size(resource.bytes)}`}>
      ✓
    </span>
  ) : (
    <span class="none">–</span>
  );
}

const QUALITY = { usable: "plain", questionable: "warn", unusable: "bad" } as const;

function columnsOf(project: string, session: string): Column<Row>[] {
  const resource = (label: string, title: string): Column<Row> => ({
    key: label,
    title,
    width: "84px",
    align: "center",
    value: (row) => made(row, label)?.files ?? "",
    cell: (row) => <Mark resource={made(row, label)} />,
  });
  return [
    { key: "scan", title: "Scan", width: "64px", value: (row) => row.id },
    { key: "type", title: "Type", width: "minmax(110px, 1.2fr)", value: (row) => row.type },
    { key: "series", title: "Series", width: "minmax(120px, 1.8fr)", value: (row) => row.description, cell: (row) => <span title={row.description}>{row.description}</span> },
    { key: "frames", title: "Images", width: "64px", align: "end", value: (row) => (row.frames === "" ? "" : Number(row.frames)) },
    { key: "quality", title: "Quality", width: "104px", value: (row) => row.quality, cell: (row) => (row.quality && row.quality !== "usable" ? <Badge tone={QUALITY[row.quality as keyof typeof QUALITY] ?? "plain"}>{row.quality}</Badge> : <span class="soft">{row.quality}</span>) },
    resource("DICOM", "DICOM"),
    resource("NIFTI", "NIFTI"),
    resource("NIFTI_DEFACED", "De-faced"),
    {
      key: "verdict",
      title: "Verdict",
      width: "84px",
      value: (row) => row.verdict?.verdict ?? "",
      cell: (row) =>
        row.verdict ? (
          <a href={href(["c", project, "review"], { session, scan: row.id })} title={row.verdict.reviewer ? `by ${row.verdict.reviewer}` : "by the program"}>
            <Verdict value={row.verdict.verdict} />
          </a>
        ) : made(row, "NIFTI_DEFACED") ? (
          <a href={href(["c", project, "review"], { session, scan: row.id })} title="De-faced; nobody said yet whether it is safe">
            <Badge tone="warn">waits</Badge>
          </a>
        ) : (
          <span class="none">–</span>
        ),
    },
    {
      key: "run",
      title: "Last run",
      width: "minmax(170px, 1fr)",
      value: (row) => row.run?.status ?? "",
      cell: (row) =>
        row.run ? (
          <>
            <Badge tone={toneOf(row.run.status)} title={row.run.details || undefined}>
              {row.run.status}
            </Badge>{" "}
            <Ago at={row.run.launch_time} />
          </>
        ) : (
          <span class="none">–</span>
        ),
    },
  ];
}

function History({ runs, loading }: { runs: readonly WorkflowRow[]; loading: boolean }) {
  if (!runs.length) return loading ? <Skeleton lines={2} /> : <p class="soft">Nothing was launched on this session.</p>;
  return (
    <ul class="history">
      {runs.slice(0, 12).map((run) => {
        const took = moment(run.current_step_launch_time) - moment(run.launch_time);
        return (
          <li key={run.wrk_workflowdata_id}>
            <Badge tone={toneOf(run.status)}>{run.status}</Badge>
            <span>
              {run.pipeline_name}
              {run.scan_id && `, scan ${run.scan_id}`}
            </span>
            <span class="soft">
              <Ago at={run.launch_time} />
              {isOver(run.status) && took >= 0 && `, ${span(took)}`}
            </span>
            {run.status !== "Complete" && run.details && <span class="why">{run.details}</span>}
          </li>
        );
      })}
    </ul>
  );
}

function Files({ id, own, scans }: { id: string; own: readonly Resource[]; scans: readonly Scan[] }) {
  const base = `/data${path("experiments", id)}`;
  const labels = new Map<string, { files: number; bytes: number; address: string }>();
  for (const one of own) labels.set(`session: ${one.label}`, { ...one, address: `${base}${path("resources", one.label, "files")}` });
  for (const one of scans.flatMap((scan) => scan.resources)) {
    const known = labels.get(one.label) ?? { files: 0, bytes: 0, address: `${base}/scans/ALL${path("resources", one.label, "files")}` };
    labels.set(one.label, { ...known, files: known.files + one.files, bytes: known.bytes + one.bytes });
  }
  if (!labels.size) return <p class="soft">No files yet.</p>;
  return (
    <ul class="files">
      {[...labels].map(([label, one]) => (
        <li key={label}>
          <span>{label}</span>
          <span class="soft">
            {one.files} {one.files === 1 ? "file" : "files"}, {size(one.bytes)}
          </span>
          <a href={address(one.address, { format: "zip" })} download>
            Download
          </a>
        </li>
      ))}
    </ul>
  );
}
