// Small pieces that every screen uses.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { save, toCsv } from "../lib/csv";
import type { Column } from "./Table";
import { remedyOf, sentenceOf } from "../lib/refused";
import { SignedOut } from "../lib/signed-out";
import { sorted } from "../lib/sort";
import { ago, exact, moment } from "../lib/time";

/** Grey lines in place of what is being loaded. */
export function Skeleton({ lines = 6, label = "Loading" }: { lines?: number; label?: string }) {
  return (
    <div class="skeleton" role="status" aria-label={label}>
      {Array.from({ length: lines }, (_, at) => (
        <div key={at} style={{ width: `${92 - ((at * 17) % 45)}%` }} />
      ))}
    </div>
  );
}

/** A refusal with its sentence and what helps. Being signed out has its own notice at the top of the page. */
export function Refusal({ error, retry }: { error: unknown; retry?: (() => void) | undefined }) {
  if (error === undefined || error === null || error instanceof SignedOut) return null;
  if (error instanceof DOMException && error.name === "AbortError") return null;
  const remedy = remedyOf(error);
  return (
    <div class="refusal" role="alert">
      <div>
        <strong>{sentenceOf(error)}</strong>
        {remedy && <p>{remedy}</p>}
      </div>
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

export type Tone = "good" | "warn" | "bad" | "busy" | "plain";

export function Badge({ tone = "plain", children, title }: { tone?: Tone; children: ComponentChildren; title?: string | undefined }) {
  return (
    <span class={`badge ${tone}`} title={title}>
      {children}
    </span>
  );
}

const VERDICTS: Record<string, Tone> = { pass: "good", "no-face": "good", review: "warn", pending: "warn", fail: "bad" };

/** A de-facing verdict. */
export function Verdict({ value }: { value: string }) {
  return value ? <Badge tone={VERDICTS[value] ?? "plain"}>{value}</Badge> : <span class="none">–</span>;
}

/** A time relative to now, exact on hover. */
export function Ago({ at }: { at: string | number | null | undefined }) {
  const when = moment(at);
  if (Number.isNaN(when)) return <span class="none">–</span>;
  return (
    <time dateTime={new Date(when).toISOString()} title={exact(when)}>
      {ago(when, Date.now())}
    </time>
  );
}

/** Copies the address of the present view. */
export function CopyLink() {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const later = setTimeout(() => setDone(false), 1500);
    return () => clearTimeout(later);
  }, [done]);
  return (
    <button type="button" class="quiet" onClick={() => void copy(location.href).then(() => setDone(true))}>
      {done ? "Copied" : "Copy link"}
    </button>
  );
}

async function copy(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Without TLS a browser has no clipboard of its own for pages.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** Saves what a table shows as CSV. */
export function CsvButton<T>({ name, rows, columns, sort = "" }: { name: string; rows: readonly T[]; columns: readonly Column<T>[]; sort?: string }) {
  const write = () =>
    save(
      `${name}.csv`,
      toCsv(
        columns.map((one) => one.title),
        sorted(rows, columns, sort).map((row) => columns.map((one) => one.value(row))),
      ),
    );
  return (
    <button type="button" class="quiet" onClick={write} disabled={rows.length === 0}>
      CSV
    </button>
  );
}

/** A modal window; Escape and the cross close it. */
export function Dialog({ title, children, onClose }: { title: string; children: ComponentChildren; onClose: () => void }) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const target = box.current;
    target?.showModal();
    (target?.querySelector<HTMLElement>("form input, form select, form textarea, .main") ?? target)?.focus();
    return () => target?.close();
  }, []);
  return (
    <dialog
      ref={box}
      aria-label={title}
      tabIndex={-1}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <header>
        <h2>{title}</h2>
        <button type="button" class="quiet" aria-label="Close" onClick={onClose}>
          ×
        </button>
      </header>
      {children}
    </dialog>
  );
}

export function Panel({ title, aside, children, class: name = "" }: { title?: ComponentChildren; aside?: ComponentChildren; children: ComponentChildren; class?: string }) {
  return (
    <section class={`panel ${name}`}>
      {title && (
        <header>
          <h2>{title}</h2>
          {aside && <div class="aside">{aside}</div>}
        </header>
      )}
      {children}
    </section>
  );
}
