// Clinical records: subjects by variables, a group at a time. What is missing is shaded and can be filled here.
import { useMemo, useState } from "preact/hooks";
import type { ScreenProps } from "../app";
import { CopyLink, Refusal, Skeleton } from "../components/basic";
import { filter, Filters, type Facet } from "../components/Filters";
import { Table, type Column } from "../components/Table";
import { save, toCsv } from "../lib/csv";
import { useLoad } from "../lib/load";
import { change } from "../lib/url";
import { bySite, cellState, percent, shareOf, type Share } from "./clinical/completeness";
import { elementOf, gridOf, record, type GridRow } from "./clinical/data";
import { Drawer } from "./clinical/Drawer";
import { EVENT, SUBJECT } from "./clinical/dryrun";
import { valueOf, type Element } from "./clinical/record";
import { Upload } from "./clinical/Upload";
import "./clinical/clinical.css";

const FIRST_GROUP = "outcome";

/** Elements whose values decide whether others are asked, and the state of the record. */
function companions(elements: readonly Element[]): string[] {
  return [EVENT, "record_status", ...elements.flatMap((element) => Object.keys(element.applies))];
}

function keyOf(row: GridRow): string {
  return row.label || `${row.subject} (none)`;
}

export default function Clinical({ project, route, rights }: ScreenProps) {
  const group = record.groups.find((one) => one.name === route.query.get("g"))?.name ?? FIRST_GROUP;
  const elements = useMemo(() => record.elements.filter((one) => one.group === group), [group]);
  const names = useMemo(() => [...new Set([...companions(elements), ...elements.map((one) => one.name)])], [elements]);
  const { value: rows, error, reload } = useLoad((signal) => gridOf(project, names, signal), [project, group]);
  const [uploading, setUploading] = useState(false);

  const facets = useMemo<Facet<GridRow>[]>(
    () => [
      { key: "site", title: "Site", values: (row) => [row.site || "site unknown"] },
      { key: "status", title: "Record", values: (row) => [row.label ? valueOf(row.values, "record_status") || "no status" : "none"] },
      {
        key: "missing",
        title: "Missing",
        values: (row) => elements.filter((one) => cellState(one, row) === "missing").map((one) => one.name),
        label: (name) => elementOf.get(name)?.label ?? name,
      },
    ],
    [elements],
  );
  const columns = useMemo<Column<GridRow>[]>(
    () => [
      { key: "subject", title: "Subject", width: "minmax(110px, 1fr)", value: (row) => row.subject, cell: (row) => <Opener row={row} /> },
      { key: "event", title: "Event", width: "54px", align: "end", value: (row) => valueOf(row.values, EVENT) || (row.label ? "1" : "") },
      { key: "site", title: "Site", width: "minmax(80px, 0.7fr)", value: (row) => row.site },
      { key: "record", title: "Record", width: "84px", value: (row) => (row.label ? valueOf(row.values, "record_status") || "–" : "none") },
      ...elements.filter((one) => one.name !== EVENT && one.name !== "record_status").map(variableColumn),
    ],
    [elements],
  );
  const fitting = useMemo(() => filter(rows ?? [], facets, route.query, (row) => [row.subject, row.label, row.site]), [rows, facets, route.query.toString()]);

  const open = route.query.get("open");
  const opened = open === null ? undefined : rows?.find((row) => keyOf(row) === open);
  const at = opened ? fitting.rows.indexOf(opened) : -1;
  const show = (row: GridRow | undefined) => change({ open: row ? keyOf(row) : undefined });

  return (
    <>
      <div class="title">
        <h1>Clinical records</h1>
        <div class="actions">
          {rights.edit && (
            <button type="button" class="main" onClick={() => setUploading(true)}>
              Upload CSV
            </button>
          )}
          <button type="button" onClick={() => rows && save(`${project}-template.csv`, template(rows))} disabled={!rows}>
            Template
          </button>
          <button type="button" class="quiet" disabled={!fitting.rows.length} onClick={() => save(`${project}-${group}.csv`, exported(fitting.rows, elements))}>
            CSV
          </button>
          <CopyLink />
        </div>
      </div>
      <nav class="groups" aria-label="Groups of variables">
        {record.groups.map((one) => (
          <button
            type="button"
            key={one.name}
            aria-pressed={one.name === group}
            onClick={() => change({ g: one.name === FIRST_GROUP ? undefined : one.name, missing: undefined, sort: undefined }, false)}
          >
            {one.title}
          </button>
        ))}
      </nav>
      <Refusal error={error} retry={reload} />
      {!rows && !error && <Skeleton lines={14} label="Loading the records" />}
      {rows && (
        <>
          <Completeness rows={fitting.rows} elements={elements} missing={route.query.getAll("missing")} />
          <Filters rows={rows} facets={facets} route={route} shown={fitting.rows.length} />
          <div class={opened ? "with-drawer" : ""}>
            <Table
              label={`Clinical records, ${group}`}
              rows={fitting.rows}
              columns={columns}
              rowKey={keyOf}
              sort={route.query.get("sort") ?? ""}
              onSort={(sort) => change({ sort })}
              onOpen={show}
              rowClass={(row) => (keyOf(row) === open ? "open" : "")}
              empty={rows.length ? "No record fits the filters." : "There are no subjects yet."}
            />
            {opened && (
              <Drawer
                key={keyOf(opened)}
                project={project}
                row={opened}
                group={group}
                canEdit={rights.edit}
                onClose={() => show(undefined)}
                onSaved={reload}
                {...(at > 0 ? { onPrevious: () => show(fitting.rows[at - 1]) } : {})}
                {...(at >= 0 && at + 1 < fitting.rows.length ? { onNext: () => show(fitting.rows[at + 1]) } : {})}
              />
            )}
          </div>
        </>
      )}
      {uploading && rows && <Upload project={project} subjects={rows} onClose={() => setUploading(false)} onWritten={reload} />}
    </>
  );
}

function Opener({ row }: { row: GridRow }) {
  return (
    <button type="button" class="link" onClick={() => change({ open: keyOf(row) })} tabIndex={-1}>
      {row.subject}
    </button>
  );
}

function variableColumn(element: Element): Column<GridRow> {
  const number = element.type === "integer" || element.type === "decimal";
  return {
    key: element.name,
    title: element.name,
    width: element.type === "text" ? "minmax(180px, 2fr)" : "minmax(96px, 1fr)",
    ...(number ? { align: "end" as const } : {}),
    hint: [element.label, element.unit && `(${element.unit})`, `– ${element.name}`].filter(Boolean).join(" "),
    value: (row) => {
      const text = valueOf(row.values, element.name);
      return number && text ? Number(text) : text;
    },
    cell: (row) => {
      const state = cellState(element, row);
      if (state === "filled") return valueOf(row.values, element.name);
      return state === "missing" ? <span class="missing" role="img" aria-label="missing" /> : <span class="not-asked" role="img" aria-label="not asked" />;
    },
  };
}

/** Shares of filled cells of what the filters leave; a variable is a link to the rows that lack it. */
function Completeness({ rows, elements, missing }: { rows: readonly GridRow[]; elements: readonly Element[]; missing: readonly string[] }) {
  const sites = useMemo(() => bySite(elements, rows), [elements, rows]);
  return (
    <section class="completeness" aria-label="Completeness">
      <ul>
        {elements.map((element) => (
          <li key={element.name}>
            <button
              type="button"
              aria-pressed={missing.includes(element.name)}
              title={`Show the records without: ${element.label}`}
              onClick={() => change({ missing: missing.includes(element.name) ? undefined : element.name }, false)}
            >
              <Fill share={shareOf(element, rows)} label={element.label} />
            </button>
          </li>
        ))}
      </ul>
      {sites.length > 1 && (
        <ul class="by-site" aria-label="By site">
          {sites.slice(0, 12).map(([site, share]) => (
            <li key={site}>
              <Fill share={share} label={site} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Fill({ share, label }: { share: Share; label: string }) {
  return (
    <>
      <span class="fill-label">{label}</span>
      <span class="fill-track" aria-hidden="true">
        <span style={{ width: `${share.of ? (100 * share.filled) / share.of : 0}%` }} />
      </span>
      <span class="fill-share">{percent(share)}</span>
    </>
  );
}

/** All columns, and a line for each subject without a record. */
function template(rows: readonly GridRow[]): string {
  const titles = [SUBJECT, ...record.elements.map((one) => one.name)];
  const lines = rows.filter((row) => !row.label).map((row) => [row.subject, "1", ...titles.slice(2).map(() => "")]);
  return toCsv(titles, lines);
}

/** What is shown, with the names of the variables, so that it can be edited and uploaded again. */
function exported(rows: readonly GridRow[], elements: readonly Element[]): string {
  const names = [...new Set([EVENT, ...elements.map((one) => one.name)])];
  return toCsv(
    [SUBJECT, ...names],
    rows.filter((row) => row.label).map((row) => [row.subject, ...names.map((name) => valueOf(row.values, name))]),
  );
}
