// C. All subjects of a collection: filter, look, select, launch, take away as CSV.
import { useMemo, useRef, useState } from "preact/hooks";
import type { ScreenProps } from "../app";
import { Badge, CopyLink, CsvButton, Refusal, Skeleton, Verdict } from "../components/basic";
import { filter, Filters, type Facet } from "../components/Filters";
import { LaunchDialog } from "../components/Launch";
import { Table, type Column } from "../components/Table";
import { isIntake, records, scans, sessions, subjects, twinOf, verdicts, worked } from "../lib/collection";
import { useLoad } from "../lib/load";
import { change, go, href } from "../lib/url";
import { funnelOf } from "./overview/facts";
import { STAGE_WORDS } from "./overview/FunnelStrip";
import { subjectRows, topTypes, type SubjectRow } from "./subjects/rows";

const FACETS: Facet<SubjectRow>[] = [
  { key: "site", title: "Site", values: (row) => (row.sites.length ? row.sites : ["none"]), label: (value) => (value === "none" ? "(no site)" : value) },
  { key: "verdict", title: "Verdict", values: (row) => (row.sessions.length && !row.verdicts.length ? ["none"] : row.verdicts) },
  { key: "stage", title: "Reached", values: (row) => row.reached, label: (value) => STAGE_WORDS[value as keyof typeof STAGE_WORDS] ?? value },
  { key: "at", title: "Stands at", values: (row) => [row.at || "none"], label: (value) => STAGE_WORDS[value as keyof typeof STAGE_WORDS] ?? "no session" },
  { key: "mrs_3m", title: "mRS 3m", values: (row) => [row.mrs !== "" ? row.mrs : row.complete ? "lost" : "missing"] },
  { key: "record", title: "Record", values: (row) => [...(row.record ? [row.record.status || "draft"] : ["none"]), row.complete ? "complete" : "open"] },
  { key: "scan", title: "Scan type", values: (row) => [...row.types] },
];

export default function Subjects({ project, route, rights, who }: ScreenProps) {
  const first = useLoad(async () => {
    const [found, judged, known] = await Promise.all([sessions(project), verdicts(project), records(project)]);
    return { sessions: found, verdicts: judged, records: known };
  }, [project]);
  const ready = first.value !== undefined;
  const everybody = useLoad(async () => (ready ? subjects(project) : undefined), [project, ready]).value;
  const types = useLoad(async () => (ready ? scans(project) : undefined), [project, ready]).value;
  const done = useLoad(async () => (ready && (isIntake(project) || !(await twinOf(project))) ? worked(project) : undefined), [project, ready]).value;
  const twin = useLoad(async () => {
    const other = ready && isIntake(project) ? await twinOf(project) : undefined;
    if (!other) return null;
    const [there, more] = await Promise.all([subjects(other), records(other)]);
    return { labels: there.map((one) => one.label), records: more };
  }, [project, ready, who?.login]).value;
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const launched = useRef(false);

  const rows = useMemo(() => {
    if (!first.value) return [];
    const lists = { ...first.value, records: twin ? [...first.value.records, ...twin.records] : first.value.records, worked: done, published: twin?.labels };
    return subjectRows({ ...lists, subjects: everybody, scans: types, defaced: done?.defaced }, funnelOf(lists));
  }, [first.value, everybody, types, done, twin]);
  const shownTypes = useMemo(() => topTypes(types ?? [], 4), [types]);
  const columns = useMemo(() => columnsOf(project, shownTypes), [project, shownTypes]);
  const query = route.query.toString();
  const shown = useMemo(() => filter(rows, FACETS, route.query, (row) => [row.label, ...row.sessions.map((one) => one.label), ...row.sites]).rows, [rows, query]);
  const sort = route.query.get("sort") ?? "";
  const chosen = useMemo(() => shown.filter((row) => selected.has(row.label)), [shown, selected]);
  const targets = chosen.flatMap((row) => row.sessions);

  return (
    <>
      <div class="title">
        <h1>Subjects</h1>
        <div class="actions">
          <CopyLink />
          <CsvButton name={`${project}-subjects`} rows={chosen.length ? chosen : shown} columns={columns} sort={sort} />
          {rights.edit && (
            <button type="button" class="main" disabled={!targets.length} onClick={() => change({ launch: "deface" }, false)}>
              De-face selected ({targets.length})…
            </button>
          )}
        </div>
      </div>
      <Refusal error={first.error} retry={first.reload} />
      {first.loading && !first.value ? (
        <Skeleton lines={14} label="Loading the subjects" />
      ) : (
        first.value && (
          <>
            <Filters rows={rows} facets={FACETS} route={route} shown={shown.length} />
            <Table
              label={`Subjects of ${project}`}
              rows={shown}
              columns={columns}
              rowKey={(row) => row.label}
              sort={sort}
              onSort={(next) => change({ sort: next })}
              {...(rights.edit ? { selected, onSelect: setSelected } : {})}
              onOpen={(row) => row.sessions[0] && go(["c", project, "s", row.sessions[0].id])}
              empty={rows.length ? "No subject fits these filters." : "There are no subjects yet."}
            />
          </>
        )
      )}
      {route.query.get("launch") && targets.length > 0 && (
        <LaunchDialog
          project={project}
          title={`De-face ${targets.length} ${targets.length === 1 ? "session" : "sessions"}`}
          levels={[{ name: "Whole sessions", types: targets.map((one) => one.xsiType), targets: targets.map((one) => ({ uri: `/archive/experiments/${one.id}`, label: one.label })) }]}
          onClose={() => {
            change({ launch: undefined });
            if (launched.current) setSelected(new Set());
            launched.current = false;
          }}
          onLaunched={() => (launched.current = true)}
        />
      )}
    </>
  );
}

const RECORD_TONES: Record<string, "good" | "plain"> = { complete: "good", verified: "good" };

function columnsOf(project: string, types: readonly string[]): Column<SubjectRow>[] {
  return [
    {
      key: "subject",
      title: "Subject",
      width: "minmax(88px, 1.4fr)",
      value: (row) => row.label,
      cell: (row) => (row.sessions[0] ? <a href={href(["c", project, "s", row.sessions[0].id])}>{row.label}</a> : row.label),
    },
    { key: "site", title: "Site", width: "minmax(64px, 1fr)", value: (row) => row.sites.join(", ") },
    {
      key: "sessions",
      title: "Sessions",
      width: "minmax(104px, 1.6fr)",
      value: (row) => row.sessions.length,
      cell: (row) => <Sessions project={project} row={row} />,
    },
    ...types.map(
      (type): Column<SubjectRow> => ({
        key: `scan ${type}`,
        title: type,
        width: "minmax(48px, 0.7fr)",
        align: "center",
        hint: `Has a scan of type ${type}`,
        value: (row) => (row.types.has(type) ? "yes" : ""),
        cell: (row) => (row.types.has(type) ? <span class="dot" aria-label="yes" role="img" /> : <span class="none">–</span>),
      }),
    ),
    {
      key: "defaced",
      title: "De-faced",
      width: "72px",
      align: "center",
      value: (row) => (row.sessions.length ? `${row.defaced}/${row.sessions.length}` : ""),
      cell: (row) => (row.sessions.length ? <span class={row.defaced < row.sessions.length ? "" : "soft"}>{`${row.defaced}/${row.sessions.length}`}</span> : <span class="none">–</span>),
    },
    { key: "verdict", title: "Verdict", width: "84px", value: (row) => row.verdict, cell: (row) => <Verdict value={row.verdict} /> },
    { key: "nihss", title: "NIHSS", width: "56px", align: "end", value: (row) => number(row.record?.nihss), cell: (row) => row.record?.nihss || <span class="none">–</span> },
    { key: "mrs", title: "mRS 3m", width: "64px", align: "end", value: (row) => number(row.mrs), cell: (row) => (row.mrs !== "" ? row.mrs : <span class="none">–</span>) },
    {
      key: "record",
      title: "Record",
      width: "86px",
      value: (row) => row.record?.status ?? "",
      cell: (row) =>
        row.record ? (
          <a href={href(["c", project, "clinical"], { q: row.label })}>
            <Badge tone={RECORD_TONES[row.record.status] ?? "plain"}>{row.record.status || "draft"}</Badge>
          </a>
        ) : (
          <span class="none">–</span>
        ),
    },
    { key: "stage", title: "Stands at", width: "124px", value: (row) => (row.reached.includes("published") ? STAGE_WORDS.published : row.at ? STAGE_WORDS[row.at] : "") },
  ];
}

const number = (text: string | undefined): number | string => (text === undefined || text === "" ? "" : Number(text));

function Sessions({ project, row }: { project: string; row: SubjectRow }) {
  if (!row.sessions.length) return <span class="none">–</span>;
  const shown = row.sessions.slice(0, 2);
  return (
    <>
      {shown.map((one, at) => (
        <>
          {at > 0 && ", "}
          <a href={href(["c", project, "s", one.id])}>{one.label}</a>
        </>
      ))}
      {row.sessions.length > 2 && ` +${row.sessions.length - 2}`}
    </>
  );
}
