// Filters live in the address: a chip for each, a menu for more, a field to search in.
import { useEffect, useRef, useState } from "preact/hooks";
import { change, type Route } from "../lib/url";
import { count } from "./charts";

export interface Facet<T> {
  key: string;
  title: string;
  /** Values of a row; a row fits when one of them is among the chosen. */
  values: (row: T) => readonly string[];
  /** How a value is written on the chip; the value itself without it. */
  label?: (value: string) => string;
}

export interface Filtered<T> {
  rows: T[];
  /** Whether any filter is on. */
  on: boolean;
}

/** Rows that fit what the address says: all of the facets, any of a facet's values, `q` in the texts. */
export function filter<T>(rows: readonly T[], facets: readonly Facet<T>[], query: URLSearchParams, texts: (row: T) => readonly string[]): Filtered<T> {
  const tests: ((row: T) => boolean)[] = [];
  for (const facet of facets) {
    const wanted = new Set(query.getAll(facet.key));
    if (wanted.size) tests.push((row) => facet.values(row).some((value) => wanted.has(value)));
  }
  const words = (query.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length) {
    tests.push((row) => {
      const text = texts(row).join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }
  return { rows: rows.filter((row) => tests.every((test) => test(row))), on: tests.length > 0 };
}

export function Filters<T>({ rows, facets, route, shown }: { rows: readonly T[]; facets: readonly Facet<T>[]; route: Route; shown: number }) {
  const { query } = route;
  const chips = facets.flatMap((facet) => query.getAll(facet.key).map((value) => ({ facet, value })));
  return (
    <div class="filters">
      <input
        type="search"
        placeholder="Search"
        aria-label="Search in the rows"
        value={query.get("q") ?? ""}
        onInput={(event) => change({ q: event.currentTarget.value })}
      />
      {chips.map(({ facet, value }) => (
        <span class="chip" key={`${facet.key}=${value}`}>
          {facet.title}: {facet.label?.(value) ?? value}
          <button
            type="button"
            aria-label={`Remove filter ${facet.title}: ${facet.label?.(value) ?? value}`}
            onClick={() => change({ [facet.key]: query.getAll(facet.key).filter((one) => one !== value) }, false)}
          >
            ×
          </button>
        </span>
      ))}
      <Menu rows={rows} facets={facets} query={query} />
      <span class="count" role="status">
        {shown === rows.length ? count(rows.length) : `${count(rows.length)} → ${count(shown)}`}
      </span>
    </div>
  );
}

function Menu<T>({ rows, facets, query }: { rows: readonly T[]; facets: readonly Facet<T>[]; query: URLSearchParams }) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return undefined;
    const close = (event: Event) => {
      if (event instanceof KeyboardEvent ? event.key === "Escape" : !box.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("keydown", close);
    };
  }, [open]);
  return (
    <div class="menu" ref={box}>
      <button type="button" class="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
        + Filter
      </button>
      {open && (
        <div class="menu-body">
          {facets.map((facet) => {
            const counts = new Map<string, number>();
            for (const row of rows) for (const value of new Set(facet.values(row))) counts.set(value, (counts.get(value) ?? 0) + 1);
            const chosen = query.getAll(facet.key);
            const values = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 40);
            if (!values.length) return null;
            return (
              <fieldset key={facet.key}>
                <legend>{facet.title}</legend>
                {values.map(([value, total]) => (
                  <label key={value}>
                    <input
                      type="checkbox"
                      checked={chosen.includes(value)}
                      onChange={() =>
                        change({ [facet.key]: chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value] }, false)
                      }
                    />
                    {facet.label?.(value) ?? value} <span class="count">{count(total)}</span>
                  </label>
                ))}
              </fieldset>
            );
          })}
        </div>
      )}
    </div>
  );
}
