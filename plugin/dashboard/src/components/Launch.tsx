// Launch a command: choose it, fill in its inputs, send, watch it run.
import { useMemo, useState } from "preact/hooks";
import { availableFor, defacingFirst, faults, form, launch, type Form, type Input, type Launched, type Wrapper } from "../lib/launch";
import { forget, useLoad } from "../lib/load";
import { Refused } from "../lib/refused";
import { Dialog, Refusal, Skeleton } from "./basic";
import { LiveRun } from "./LiveRun";

export interface Target {
  uri: string;
  label: string;
}

/** Objects of one kind that a launch may be about, e.g. the session itself, or its scans. */
export interface Level {
  name: string;
  types: readonly string[];
  targets: readonly Target[];
}

interface Choice {
  key: string;
  /** Place of its level. */
  at: number;
  level: Level;
  wrapper: Wrapper;
}

interface Filled {
  key: string;
  values: Readonly<Record<string, string>>;
  tried: boolean;
  error: unknown;
}

const EMPTY: Filled = { key: "", values: {}, tried: false, error: undefined };

export interface LaunchProps {
  project: string;
  title: string;
  levels: readonly Level[];
  onClose: () => void;
  /** A launch was taken. */
  onLaunched?: (sent: Launched[], wrapper: Wrapper) => void;
}

export function LaunchDialog({ project, title, levels, onClose, onLaunched }: LaunchProps) {
  const choices = useLoad(async () => {
    const found = await Promise.all(levels.map(async (level) => ({ level, wrappers: level.targets.length ? await availableFor(project, level.types) : [] })));
    return found.flatMap(({ level, wrappers }, at) => defacingFirst(wrappers).map((wrapper): Choice => ({ key: `${at} ${wrapper.id}`, at, level, wrapper })));
  }, [project]);
  const [chosen, setChosen] = useState("");
  const [filled, setFilled] = useState<Filled>(EMPTY);
  const [busy, setBusy] = useState(false);
  const [sent, setSent] = useState<{ runs: Launched[]; wrapper: Wrapper }>();

  // Nobody chose yet: the first command whose form the server gives for these objects.
  const found = useLoad(async (): Promise<{ choice: Choice; form: Form } | undefined> => {
    const all = choices.value;
    if (!all?.length) return undefined;
    const picked = all.find((one) => one.key === chosen);
    const sample = (one: Choice) => form(project, one.wrapper, one.level.targets[0]!.uri);
    if (picked) return { choice: picked, form: await sample(picked) };
    let first: unknown;
    const order = defacingFirst(all.map((one) => one.wrapper)).slice(0, 6);
    for (const one of order.map((wrapper) => all.find((choice) => choice.wrapper === wrapper)!)) {
      try {
        return { choice: one, form: await sample(one) };
      } catch (problem) {
        if (!(problem instanceof Refused)) throw problem;
        first ??= problem;
      }
    }
    throw first;
  }, [choices.value, chosen]);
  const current = found.value;
  const key = current?.choice.key ?? chosen;
  // What was filled in belongs to one command; another one begins with its own values.
  const { values, tried, error } = filled.key === key ? filled : EMPTY;
  const fill = (change: Partial<Filled>) => setFilled((old) => ({ ...(old.key === key ? old : EMPTY), ...change, key }));
  const wrong = useMemo(() => (current ? faults(current.form, current.choice.wrapper, values, current.choice.level.targets.map((one) => one.uri)) : {}), [current, values]);
  const send = async (event: Event) => {
    event.preventDefault();
    fill({ tried: true, error: undefined });
    if (!current || Object.keys(wrong).length) return;
    setBusy(true);
    try {
      const { choice } = current;
      const runs = await launch(project, current.form, choice.wrapper, values, choice.level.targets.map((one) => one.uri));
      forget(`${project} runs`);
      setSent({ runs, wrapper: choice.wrapper });
      onLaunched?.(runs, choice.wrapper);
    } catch (problem) {
      fill({ error: problem });
    } finally {
      setBusy(false);
    }
  };

  if (sent) {
    return (
      <Dialog title={title} onClose={onClose}>
        <Sent project={project} sent={sent.runs} wrapper={sent.wrapper} labels={new Map(levels.flatMap((level) => level.targets.map((one) => [one.uri, one.label])))} />
        <div class="actions end">
          <button type="button" class="main" onClick={onClose}>
            Close
          </button>
        </div>
      </Dialog>
    );
  }
  const targets = (current?.choice.level ?? levels[0])?.targets ?? [];
  return (
    <Dialog title={title} onClose={onClose}>
      {choices.loading && !choices.value ? (
        <Skeleton lines={4} />
      ) : choices.error ? (
        <Refusal error={choices.error} retry={choices.reload} />
      ) : !choices.value?.length ? (
        <p>No command is switched on for these objects. An owner of the collection switches commands on.</p>
      ) : (
        <form class="form" noValidate onSubmit={(event) => void send(event)}>
          <label class="field">
            <span>Command</span>
            <select value={key} onChange={(event) => setChosen(event.currentTarget.value)}>
              {!key && <option value="">Looking for what fits…</option>}
              {levels.map((level, at) => {
                const own = choices.value!.filter((one) => one.at === at);
                return (
                  own.length > 0 && (
                    <optgroup key={level.name} label={level.name}>
                      {own.map((one) => (
                        <option key={one.key} value={one.key}>
                          {one.wrapper.label}
                        </option>
                      ))}
                    </optgroup>
                  )
                );
              })}
            </select>
            {current && <span class="hint">{current.choice.wrapper.description}</span>}
          </label>
          <p class="targets" title={targets.map((one) => one.label).join(", ")}>
            On {targets.length === 1 ? targets[0]!.label : `${targets.length} objects: ${targets.slice(0, 4).map((one) => one.label).join(", ")}${targets.length > 4 ? " …" : ""}`}
          </p>
          {found.loading ? <Skeleton lines={2} /> : current?.form.inputs.filter((one) => one.kind !== "fixed").map((one) => (
            <Field key={one.name} input={one} value={values[one.name] ?? one.initial} wrong={tried ? wrong[one.name] : undefined} onChange={(value) => fill({ values: { ...values, [one.name]: value } })} />
          ))}
          <Refusal error={found.error} />
          <Refusal error={error ?? (tried && wrong[""] ? new Refused(400, wrong[""], "") : undefined)} />
          <div class="actions">
            <button type="button" onClick={onClose}>
              Cancel
            </button>
            <button class="main" disabled={busy || !current}>
              {busy ? "Sending…" : "Launch"}
            </button>
          </div>
        </form>
      )}
    </Dialog>
  );
}

function Field({ input, value, wrong, onChange }: { input: Input; value: string; wrong: string | undefined; onChange: (value: string) => void }) {
  const invalid = wrong ? true : undefined;
  return (
    <label class="field">
      <span>
        {input.label}
        {input.required ? "" : " (optional)"}
      </span>
      {input.kind === "choice" ? (
        <select value={value} aria-invalid={invalid} onChange={(event) => onChange(event.currentTarget.value)}>
          {(!input.required || !input.options.some((one) => one.value === value)) && <option value="">–</option>}
          {input.options.map((one) => (
            <option key={one.value} value={one.value}>
              {one.label}
            </option>
          ))}
        </select>
      ) : input.kind === "choices" ? (
        <select
          multiple
          aria-invalid={invalid}
          onChange={(event) => onChange(JSON.stringify([...event.currentTarget.selectedOptions].map((one) => one.value)))}
        >
          {input.options.map((one) => (
            <option key={one.value} value={one.value}>
              {one.label}
            </option>
          ))}
        </select>
      ) : input.kind === "boolean" ? (
        <select value={value || "false"} onChange={(event) => onChange(event.currentTarget.value)}>
          <option value="true">yes</option>
          <option value="false">no</option>
        </select>
      ) : (
        <input value={value} inputMode={input.kind === "number" ? "decimal" : undefined} aria-invalid={invalid} onInput={(event) => onChange(event.currentTarget.value)} />
      )}
      {wrong ? <span class="wrong">{wrong}</span> : input.hint && <span class="hint">{input.hint}</span>}
    </label>
  );
}

const MOST_SHOWN = 8;

function Sent({ project, sent, wrapper, labels }: { project: string; sent: Launched[]; wrapper: Wrapper; labels: ReadonlyMap<string, string> }) {
  return (
    <div class="sent">
      <p>
        {sent.length === 1 ? "The run was taken." : `${sent.length} runs were taken.`} {sent.length > MOST_SHOWN && "All of them are listed under Runs."}
      </p>
      {sent.slice(0, MOST_SHOWN).map((one) => (
        <LiveRun key={one.target} project={project} title={`${wrapper.label}: ${labels.get(one.target) ?? one.target}`} workflow={one.workflow} target={one.target} pipeline={wrapper.name} quiet={sent.length > 1} />
      ))}
    </div>
  );
}
