// A table of any length: only the rows in sight are in the page. Sorted by its heads, driven by keys.
import { Component, type ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Cell } from "../lib/csv";
import { sorted, toggled } from "../lib/sort";

export interface Column<T> {
  key: string;
  title: string;
  /** Track of the grid, e.g. "90px" or "minmax(140px, 2fr)". */
  width?: string;
  align?: "end" | "center";
  /** What is sorted by, written to CSV, and shown unless `cell` says otherwise. */
  value: (row: T) => Cell;
  cell?: (row: T) => ComponentChildren;
  hint?: string;
}

export interface TableProps<T> {
  label: string;
  rows: readonly T[];
  columns: readonly Column<T>[];
  rowKey: (row: T) => string;
  /** Key of a column, with `-` before it for the other direction. */
  sort?: string;
  onSort?: (sort: string) => void;
  selected?: ReadonlySet<string>;
  onSelect?: (keys: ReadonlySet<string>) => void;
  /** Enter or double click on a row. */
  onOpen?: (row: T) => void;
  /** What stands there when there are no rows. */
  empty?: ComponentChildren;
  /** Style class of a row. */
  rowClass?: (row: T) => string;
  /** Height in CSS; without it the table fills the window. */
  height?: string;
}

const ROW = 34;
/** Between cells, and at both ends of a row (parts.css). */
const GAP = 12;
const SPARE = 8;

export function Table<T>(props: TableProps<T>) {
  const { rows, columns, rowKey, sort = "", selected, onSelect } = props;
  const shown = useMemo(() => sorted(rows, columns, sort), [rows, columns, sort]);
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 800 });
  const [active, draw] = useState(0);
  // Keys may come faster than the page is drawn: what counts is kept beside the state.
  const at = useRef(0);
  const chosen = useRef(selected);
  at.current = active;
  chosen.current = selected;
  const setActive = (index: number) => {
    at.current = index;
    draw(index);
  };

  useLayoutEffect(() => {
    const target = box.current;
    if (!target) return undefined;
    let frame = 0;
    const measure = () => {
      frame = 0;
      setView({ top: target.scrollTop, height: target.clientHeight });
    };
    const follow = () => (frame ||= requestAnimationFrame(measure));
    measure();
    target.addEventListener("scroll", follow, { passive: true });
    const size = new ResizeObserver(follow);
    size.observe(target);
    return () => {
      target.removeEventListener("scroll", follow);
      size.disconnect();
      cancelAnimationFrame(frame);
    };
  }, []);
  useEffect(() => setActive(Math.max(0, Math.min(at.current, shown.length - 1))), [shown.length]);

  const first = Math.max(0, Math.floor(view.top / ROW) - SPARE);
  const last = Math.min(shown.length, Math.ceil((view.top + view.height) / ROW) + SPARE);
  const widths = [...(onSelect ? ["34px"] : []), ...columns.map((one) => one.width ?? "minmax(90px, 1fr)")];
  const tracks = widths.join(" ");
  // head and rows are grids of their own: both are at least as wide as the tracks at their narrowest
  const least = widths.reduce((sum, one) => sum + parseFloat(/[\d.]+(?=px)/.exec(one)?.[0] ?? "0") + GAP, GAP);

  const toggle = (row: T) => {
    if (!onSelect || !chosen.current) return;
    const next = new Set(chosen.current);
    if (!next.delete(rowKey(row))) next.add(rowKey(row));
    chosen.current = next;
    onSelect(next);
  };
  const move = (to: number) => {
    const next = Math.max(0, Math.min(shown.length - 1, to));
    setActive(next);
    const target = box.current;
    if (!target) return;
    const top = next * ROW;
    if (top < target.scrollTop) target.scrollTop = top;
    else if (top + 2 * ROW > target.scrollTop + target.clientHeight) target.scrollTop = top + 2 * ROW - target.clientHeight;
  };
  const page = Math.max(1, Math.floor(view.height / ROW) - 2);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps: Record<string, number> = {
      ArrowDown: at.current + 1,
      ArrowUp: at.current - 1,
      PageDown: at.current + page,
      PageUp: at.current - page,
      Home: 0,
      End: shown.length - 1,
    };
    const row = shown[at.current];
    if (event.key in steps) move(steps[event.key]!);
    else if (event.key === "Enter" && row !== undefined) props.onOpen?.(row);
    else if (event.key === " " && row !== undefined) toggle(row);
    else return;
    event.preventDefault();
  };

  // One object for all rows and all drawings, so that a row is drawn anew only when it changed.
  const actions = useRef<Actions<T>>({ toggle, activate: setActive, open: props.onOpen }).current;
  Object.assign(actions, { toggle, activate: setActive, open: props.onOpen });

  const all = selected !== undefined && shown.length > 0 && shown.every((row) => selected.has(rowKey(row)));
  const activeKey = shown[active] === undefined ? undefined : `row-${rowKey(shown[active]!)}`;
  return (
    <div
      class="table"
      ref={box}
      role="grid"
      aria-label={props.label}
      aria-rowcount={shown.length + 1}
      aria-multiselectable={onSelect ? true : undefined}
      aria-activedescendant={activeKey}
      tabIndex={0}
      style={{ "--tracks": tracks, "--least": `${least}px`, maxHeight: props.height ?? undefined }}
      onKeyDown={onKeyDown}
    >
      <div class="table-head" role="row" aria-rowindex={1}>
        {onSelect && (
          <span role="columnheader" class="cell pick">
            <input
              type="checkbox"
              aria-label="Select all shown"
              checked={all}
              onChange={() => onSelect(all ? new Set() : new Set(shown.map(rowKey)))}
            />
          </span>
        )}
        {columns.map((one) => (
          <Head key={one.key} column={one} sort={sort} {...(props.onSort ? { onSort: props.onSort } : {})} />
        ))}
      </div>
      {shown.length === 0 ? (
        <div class="table-empty" role="row">
          <div role="gridcell">{props.empty ?? "Nothing to show."}</div>
        </div>
      ) : (
        <div role="rowgroup" class="table-body" style={{ height: `${shown.length * ROW}px` }}>
          {shown.slice(first, last).map((row, place) => {
            const index = first + place;
            const key = rowKey(row);
            return (
              <Row
                key={key}
                id={key}
                row={row}
                index={index}
                columns={columns}
                active={index === active}
                selected={onSelect ? (selected?.has(key) ?? false) : undefined}
                style={props.rowClass?.(row) ?? ""}
                actions={actions}
              />
            );
          })}
        </div>
      )}
    </div>
  );
}

interface Actions<T> {
  toggle: (row: T) => void;
  activate: (index: number) => void;
  open: ((row: T) => void) | undefined;
}

interface RowProps<T> {
  id: string;
  row: T;
  index: number;
  columns: readonly Column<T>[];
  active: boolean;
  selected: boolean | undefined;
  style: string;
  actions: Actions<T>;
}

class Row<T> extends Component<RowProps<T>> {
  override shouldComponentUpdate(next: RowProps<T>): boolean {
    const now = this.props;
    return (Object.keys(next) as (keyof RowProps<T>)[]).some((name) => next[name] !== now[name]);
  }

  override render({ id, row, index, columns, active, selected, style, actions }: RowProps<T>) {
    return (
      <div
        id={`row-${id}`}
        role="row"
        aria-rowindex={index + 2}
        aria-selected={selected}
        class={`table-row ${active ? "active" : ""} ${style}`}
        style={{ transform: `translateY(${index * ROW}px)` }}
        onClick={() => actions.activate(index)}
        onDblClick={() => actions.open?.(row)}
      >
        {selected !== undefined && (
          <span role="gridcell" class="cell pick">
            <input type="checkbox" aria-label={`Select ${id}`} checked={selected} onChange={() => actions.toggle(row)} />
          </span>
        )}
        {columns.map((one) => (
          <span key={one.key} role="gridcell" class={`cell ${one.align ?? ""}`}>
            {one.cell ? one.cell(row) : one.value(row)}
          </span>
        ))}
      </div>
    );
  }
}

function Head<T>({ column, sort, onSort }: { column: Column<T>; sort: string; onSort?: (sort: string) => void }) {
  const down = sort === `-${column.key}`;
  const on = down || sort === column.key;
  return (
    <span role="columnheader" class={`cell ${column.align ?? ""}`} aria-sort={on ? (down ? "descending" : "ascending") : undefined} title={column.hint}>
      {onSort && column.title ? (
        <button type="button" class="sort" onClick={() => onSort(toggled(sort, column.key))}>
          {column.title}
          <span aria-hidden="true">{on ? (down ? " ↓" : " ↑") : ""}</span>
        </button>
      ) : (
        column.title
      )}
    </span>
  );
}
