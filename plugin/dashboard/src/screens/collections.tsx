// A. The collections one may see: what needs work first.
import { useState } from "preact/hooks";
import type { ScreenProps } from "../app";
import { AskForAccess } from "../components/AskForAccess";
import { Ago, Badge, CopyLink, CsvButton, Refusal, Skeleton } from "../components/basic";
import { count } from "../components/charts";
import { filter, Filters, type Facet } from "../components/Filters";
import { Table, type Column } from "../components/Table";
import { useLoad } from "../lib/load";
import type { Collection } from "../lib/session";
import { collections } from "../lib/session";
import { change, go, href } from "../lib/url";
import { figures, type Figures } from "./collections/figures";
import { NewCollection } from "./collections/NewCollection";

interface Row extends Collection {
  figures: Figures | undefined;
}

const FACETS: Facet<Row>[] = [
  { key: "visibility", title: "Visibility", values: (row) => [row.visibility] },
  { key: "role", title: "Your role", values: (row) => [row.role || "none"] },
];

export default function Collections({ route, who }: ScreenProps) {
  const found = useLoad(collections, []);
  const known = useLoad(async () => (found.value ? figures() : undefined), [found.value]);
  const [making, setMaking] = useState(false);
  const sort = route.query.get("sort") ?? "";

  const rows: Row[] = (found.value ?? []).map((one) => ({ ...one, figures: known.value?.get(one.id) }));
  const shown = filter(rows, FACETS, route.query, (row) => [row.id, row.name, row.description, row.pi]).rows;
  const pending = found.value && known.loading;
  const number = (row: Row, name: "subjects" | "sites" | "open" | "newest") => (pending ? "…" : row.figures?.[name]);
  const columns: Column<Row>[] = [
    {
      key: "id",
      title: "Collection",
      width: "minmax(180px, 1.2fr)",
      value: (row) => row.id,
      cell: (row) => <a href={href(["c", row.id])}>{row.id}</a>,
    },
    { key: "description", title: "About", width: "minmax(140px, 3fr)", value: (row) => row.description || (row.name === row.id ? "" : row.name), cell: (row) => <span class="soft" title={row.description}>{row.description || (row.name === row.id ? "" : row.name)}</span> },
    { key: "visibility", title: "Visibility", width: "90px", value: (row) => row.visibility, cell: (row) => <Badge tone={row.visibility === "public" ? "good" : row.visibility === "protected" ? "warn" : "plain"}>{row.visibility}</Badge> },
    { key: "role", title: "Your role", width: "100px", value: (row) => row.role },
    { key: "subjects", title: "Subjects", width: "84px", align: "end", value: (row) => number(row, "subjects"), cell: (row) => shownNumber(number(row, "subjects")) },
    { key: "sites", title: "Sites", width: "60px", align: "end", value: (row) => number(row, "sites"), cell: (row) => shownNumber(number(row, "sites")) },
    {
      key: "open",
      title: "Needs you",
      width: "130px",
      value: (row) => number(row, "open"),
      cell: (row) => <Open row={row} pending={pending === true} />,
    },
    {
      key: "newest",
      title: "Newest",
      width: "96px",
      value: (row) => (row.figures && !Number.isNaN(row.figures.newest) ? new Date(row.figures.newest).toISOString() : ""),
      cell: (row) => (row.figures ? <Ago at={row.figures.newest} /> : ""),
    },
    {
      key: "ask",
      title: "",
      width: "130px",
      value: () => "",
      cell: (row) => (row.role || row.visibility !== "protected" || who?.isAdmin ? "" : <AskForAccess project={row.id} who={who} />),
    },
  ];
  return (
    <>
      <div class="title">
        <h1>Collections</h1>
        <div class="actions">
          <CopyLink />
          <CsvButton name="collections" rows={shown} columns={columns.slice(0, -1)} sort={sort} />
          {who?.isAdmin && (
            <button type="button" class="main" onClick={() => setMaking(true)}>
              New collection…
            </button>
          )}
        </div>
      </div>
      <Refusal error={found.error ?? known.error} retry={found.error ? found.reload : known.reload} />
      {found.loading && !found.value ? (
        <Skeleton />
      ) : (
        found.value && (
          <>
            <Filters rows={rows} facets={FACETS} route={route} shown={shown.length} />
            <Table
              label="Collections"
              rows={shown}
              columns={columns}
              rowKey={(row) => row.id}
              sort={sort}
              onSort={(next) => change({ sort: next })}
              onOpen={(row) => go(["c", row.id])}
              empty={who?.login === null ? "There is no public collection. Log in to see yours." : "You are in no collection yet. Ask an owner for access."}
            />
          </>
        )
      )}
      {making && <NewCollection onClose={() => setMaking(false)} />}
    </>
  );
}

const shownNumber = (value: number | string | undefined) => (typeof value === "number" ? count(value) : (value ?? "–"));

function Open({ row, pending }: { row: Row; pending: boolean }) {
  if (pending) return <>…</>;
  if (!row.figures) return <span class="none">–</span>;
  return row.figures.open ? <a href={href(["c", row.id])}><Badge tone="warn">{count(row.figures.open)} open</Badge></a> : <span class="soft">✓ nothing open</span>;
}
