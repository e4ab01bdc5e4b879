// Order of rows: numbers as numbers, S2 before S10, nothing at the end.
import type { Cell } from "./csv";

interface Sortable<T> {
  key: string;
  value: (row: T) => Cell;
}

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

export function compare(a: Cell, b: Cell): number {
  const [noA, noB] = [a === null || a === undefined || a === "", b === null || b === undefined || b === ""];
  if (noA || noB) return Number(noA) - Number(noB);
  if (typeof a === "number" && typeof b === "number") return a - b;
  return collator.compare(String(a), String(b));
}

export function sorted<T>(rows: readonly T[], columns: readonly Sortable<T>[], sort: string): readonly T[] {
  const down = sort.startsWith("-");
  const column = columns.find((one) => one.key === sort.replace(/^-/, ""));
  if (!column) return rows;
  const keyed = rows.map((row, at) => ({ row, at, value: column.value(row) }));
  const empty = (value: Cell) => value === null || value === undefined || value === "";
  keyed.sort((a, b) => {
    const order = compare(a.value, b.value);
    const turned = down && !empty(a.value) && !empty(b.value) ? -order : order;
    return turned || a.at - b.at;
  });
  return keyed.map((one) => one.row);
}

/** The next state of a head that is clicked: up, down, not sorted. */
export function toggled(sort: string, key: string): string {
  if (sort === key) return `-${key}`;
  return sort === `-${key}` ? "" : key;
}
