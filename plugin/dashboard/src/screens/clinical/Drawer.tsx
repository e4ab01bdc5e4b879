// The form of one record. Typing checks it; storing looks first whether somebody else changed it meanwhile.
import { useEffect, useRef, useState } from "preact/hooks";
import { Ago, Badge, Refusal, Skeleton } from "../../components/basic";
import { useDraft } from "../../lib/draft";
import { useLoad } from "../../lib/load";
import { SignedOut } from "../../lib/signed-out";
import { Changed, elementOf, readRecord, record, saveRecord, type GridRow } from "./data";
import { labelOf } from "./dryrun";
import { Field } from "./Field";
import { conflicts, edited, merged } from "./merge";
import { cellFault, faults, isAsked, isFinal, valueOf, whenAsked, type Check, type Values } from "./record";

interface Draft {
  base: Values;
  mine: Record<string, string>;
}

export interface DrawerProps {
  project: string;
  row: GridRow;
  /** The group that is open at first. */
  group: string;
  canEdit: boolean;
  onClose: () => void;
  onSaved: () => void;
  onPrevious?: () => void;
  onNext?: () => void;
}

export function Drawer(props: DrawerProps) {
  const { project, row } = props;
  const { value, error, reload } = useLoad(
    async (signal) => (row.label ? ((await readRecord(project, row.label, row.id, signal)) ?? null) : null),
    [project, row.label],
  );
  const [draft, setDraft, clearDraft] = useDraft<Draft | null>(`clinical ${project} ${row.subject} ${row.label}`, null);
  const box = useRef<HTMLElement>(null);
  const ready = draft !== null || value !== undefined;
  useEffect(() => {
    if (!ready) return;
    const open = box.current?.querySelector<HTMLElement>("details[open]");
    open?.scrollIntoView({ block: "start" });
    (open?.querySelector<HTMLElement>("input:enabled, select:enabled, textarea:enabled") ?? box.current?.querySelector("h2"))?.focus({ preventScroll: true });
  }, [ready]);
  const stored = value?.values ?? { event_no: "1", record_status: "draft" };
  const form = draft ?? { base: value?.values ?? {}, mine: { ...stored } };
  return (
    <aside
      class="drawer"
      ref={box}
      aria-label={`Record of ${row.subject}`}
      onKeyDown={(event) => {
        if (event.key === "Escape") props.onClose();
      }}
    >
      <header>
        <h2 tabIndex={-1}>
          {row.subject} {row.label ? "" : <Badge tone="busy">new record</Badge>}
        </h2>
        {value && (
          <span class="soft">
            changed <Ago at={value.modified} />
          </span>
        )}
        <div class="actions">
          <button type="button" class="quiet" aria-label="Record before" disabled={!props.onPrevious} onClick={props.onPrevious}>
            ‹
          </button>
          <button type="button" class="quiet" aria-label="Next record" disabled={!props.onNext} onClick={props.onNext}>
            ›
          </button>
          <button type="button" class="quiet" aria-label="Close" onClick={props.onClose}>
            ×
          </button>
        </div>
      </header>
      <Refusal error={error} retry={reload} />
      {!ready && !error && <Skeleton lines={10} />}
      {ready && (
        <Form
          {...props}
          form={form}
          label={row.label || labelOf(row.subject, valueOf(form.mine, "event_no"))}
          onEdit={setDraft}
          isDraft={draft !== null}
          onGiveUp={clearDraft}
          onStored={() => {
            clearDraft();
            reload();
            props.onSaved();
          }}
        />
      )}
    </aside>
  );
}

interface FormProps extends DrawerProps {
  form: Draft;
  label: string;
  isDraft: boolean;
  onEdit: (draft: Draft) => void;
  onGiveUp: () => void;
  onStored: () => void;
}

function Form({ project, row, group, canEdit, form, label, isDraft, onEdit, onGiveUp, onStored }: FormProps) {
  const { base, mine } = form;
  const [state, setState] = useState<"idle" | "saving" | "stored">("idle");
  const [error, setError] = useState<unknown>();
  const [tried, setTried] = useState(false);
  const found = faults(record, mine);
  const wrong = new Map(
    record.elements.map((one) => [one.name, valueOf(mine, one.name) ? cellFault(one, valueOf(mine, one.name)) : ""] as const).filter(([, fault]) => fault),
  );
  const blocking = isFinal(mine) ? found.filter((one) => one.severity === "error") : [];
  const changed = edited(base, mine);

  const set = (name: string, value: string) => {
    setState("idle");
    onEdit({ base, mine: { ...mine, [name]: value } });
  };
  const store = async () => {
    setTried(true);
    setError(undefined);
    if (wrong.size || blocking.length) {
      const first = [...wrong.keys()][0] ?? blocking[0]!.elements[0]!;
      const target = document.getElementById(`field-${first}`);
      target?.closest("details")?.setAttribute("open", "");
      target?.focus();
      return;
    }
    setState("saving");
    try {
      await saveRecord(project, { subject: row.subject, label, id: row.id, base, mine });
      setState("stored");
      onStored();
    } catch (failure) {
      setState("idle");
      setError(failure);
    }
  };

  return (
    <form
      class="record"
      onSubmit={(event) => {
        event.preventDefault();
        void store();
      }}
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void store();
      }}
    >
      <div class="record-groups">
        {record.groups.map((one) => {
          const own = record.elements.filter((element) => element.group === one.name);
          const asked = own.filter((element) => isAsked(element, mine) || valueOf(mine, element.name));
          const filled = asked.filter((element) => valueOf(mine, element.name)).length;
          const hidden = own.filter((element) => !asked.includes(element));
          return (
            <details key={one.name} open={one.name === group}>
              <summary>
                {one.title}
                <span class="count">
                  {filled} of {asked.length}
                </span>
              </summary>
              <div class="fields">
                {asked.map((element) => (
                  <Field
                    key={element.name}
                    element={element}
                    value={mine[element.name] ?? ""}
                    fault={wrong.get(element.name) ?? (isAsked(element, mine) ? "" : whenAsked(element, record))}
                    checks={found.filter((check) => concerns(check, element.name, mine))}
                    edited={changed.includes(element.name)}
                    readOnly={!canEdit}
                    onInput={(value) => set(element.name, value)}
                  />
                ))}
                {hidden.length > 0 && <p class="hint">{hiddenHint(hidden.length, whenAsked(hidden[0]!, record))}</p>}
              </div>
            </details>
          );
        })}
      </div>
      <footer>
        <Findings found={found} show={tried || found.length > 0} />
        {error instanceof Changed ? (
          <Meeting
            failure={error}
            base={base}
            mine={mine}
            onDecided={(next) => {
              setError(undefined);
              onEdit({ base: error.theirs.values, mine: next });
            }}
          />
        ) : error instanceof SignedOut ? (
          <p class="refusal" role="alert">
            Not stored: you were signed out. What you typed is still here; log in again, then store it.
          </p>
        ) : (
          <Refusal error={error} retry={() => void store()} />
        )}
        {tried && wrong.size > 0 && (
          <p class="wrong" role="alert">
            {wrong.size === 1 ? "One value" : `${wrong.size} values`} cannot be stored:{" "}
            {[...wrong].map(([name, fault]) => `${elementOf.get(name)?.label ?? name} ${fault}`).join("; ")}.
          </p>
        )}
        {tried && blocking.length > 0 && (
          <p class="wrong" role="alert">
            A record that is complete must not contradict itself. Correct it, or set its status to draft.
          </p>
        )}
        <div class="actions">
          <span class="soft" role="status">
            {state === "saving" ? "Storing …" : state === "stored" && !isDraft ? "Stored." : isDraft && changed.length ? `${changed.length} changed, not stored yet` : ""}
          </span>
          {canEdit && isDraft && (
            <button type="button" class="quiet" onClick={onGiveUp}>
              Undo all
            </button>
          )}
          {canEdit && (
            <button type="submit" class="main" disabled={state === "saving" || (!changed.length && row.label !== "")} title="Ctrl+Enter">
              Store
            </button>
          )}
        </div>
      </footer>
    </form>
  );
}

/** A finding stands at the filled fields that it is about; where none is filled, at the first. */
function concerns(check: Check, name: string, values: Values): boolean {
  const filled = check.elements.filter((one) => valueOf(values, one));
  return (filled.length ? filled : check.elements.slice(0, 1)).includes(name);
}

function hiddenHint(count: number, when: string): string {
  return `${count === 1 ? "One more is" : `${count} more are`} there for other answers. ${when}`;
}

function Findings({ found, show }: { found: readonly Check[]; show: boolean }) {
  if (!show || !found.length) return null;
  return (
    <ul class="findings" aria-live="polite">
      {found.map((check) => (
        <li key={check.id} class={check.severity}>
          <strong>{check.sentence}</strong> {check.remedy}
        </li>
      ))}
    </ul>
  );
}

/** Two people at one record: both values, and a choice for each. */
function Meeting({ failure, base, mine, onDecided }: { failure: Changed; base: Values; mine: Values; onDecided: (mine: Record<string, string>) => void }) {
  const theirs = failure.theirs.values;
  const both = conflicts(base, theirs, mine);
  const own = new Set(edited(base, mine));
  const [take, setTake] = useState<ReadonlySet<string>>(new Set());
  const flip = (name: string) => {
    const next = new Set(take);
    if (!next.delete(name)) next.add(name);
    setTake(next);
  };
  return (
    <div class="meeting" role="alert">
      <p>
        <strong>{failure.message}</strong>
      </p>
      <table>
        <thead>
          <tr>
            <th scope="col">Variable</th>
            <th scope="col">Yours</th>
            <th scope="col">
              Stored <Ago at={failure.theirs.modified} />
            </th>
          </tr>
        </thead>
        <tbody>
          {both.map(({ name, theirs: other, mine: self }) => (
            <tr key={name}>
              <th scope="row">{elementOf.get(name)?.label ?? name}</th>
              {own.has(name) ? (
                <>
                  <td>
                    <label>
                      <input type="radio" name={`meet-${name}`} checked={!take.has(name)} onChange={() => flip(name)} /> {self || "(empty)"}
                    </label>
                  </td>
                  <td>
                    <label>
                      <input type="radio" name={`meet-${name}`} checked={take.has(name)} onChange={() => flip(name)} /> {other || "(empty)"}
                    </label>
                  </td>
                </>
              ) : (
                <>
                  <td class="soft">not touched</td>
                  <td>{other || "(empty)"}</td>
                </>
              )}
            </tr>
          ))}
        </tbody>
      </table>
      <button type="button" onClick={() => onDecided(merged(base, theirs, mine, take))}>
        Go on with this choice
      </button>
    </div>
  );
}
