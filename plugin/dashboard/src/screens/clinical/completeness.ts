// How much is filled: per variable, per site, per record. What is not asked does not count as missing.
import { isAsked, valueOf, type Element, type Values } from "./record";

export interface Share {
  filled: number;
  of: number;
}

/** One line of the grid: a subject with one of its records, or without any. */
export interface Row {
  subject: string;
  site: string;
  label: string;
  values: Values;
  modified: string;
}

export type CellState = "filled" | "missing" | "not-asked";

export function cellState(element: Element, row: Row): CellState {
  if (valueOf(row.values, element.name)) return "filled";
  return isAsked(element, row.values) ? "missing" : "not-asked";
}

export function shareOf(element: Element, rows: readonly Row[]): Share {
  const states = rows.map((row) => cellState(element, row));
  return { filled: states.filter((one) => one === "filled").length, of: states.filter((one) => one !== "not-asked").length };
}

/** Per site: filled cells of the asked ones, over all given elements. */
export function bySite(elements: readonly Element[], rows: readonly Row[]): [string, Share][] {
  const sites = new Map<string, Share>();
  for (const row of rows) {
    const name = row.site || "site unknown";
    const share = sites.get(name) ?? { filled: 0, of: 0 };
    for (const element of elements) {
      const state = cellState(element, row);
      if (state !== "not-asked") share.of += 1;
      if (state === "filled") share.filled += 1;
    }
    sites.set(name, share);
  }
  return [...sites].sort(([one], [other]) => one.localeCompare(other));
}

export function percent({ filled, of }: Share): string {
  if (!of) return "–";
  // 99.6 % is not yet all of it
  return `${filled === of ? 100 : Math.min(99, Math.round((100 * filled) / of))} %`;
}
