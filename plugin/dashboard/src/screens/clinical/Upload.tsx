// A table from a file: first what it would do, then, only when told so, the writing.
import { useMemo, useRef, useState } from "preact/hooks";
import { Dialog, Refusal } from "../../components/basic";
import { parseCsvLines, save, toCsv, type CsvLine } from "../../lib/csv";
import { sentenceOf } from "../../lib/refused";
import { SignedOut } from "../../lib/signed-out";
import { record, recordsOf, putRecord, type GridRow } from "./data";
import { dryRun, refusedLines, SUBJECT, EVENT, type DryRun, type Known, type Planned } from "./dryrun";
import { sameValue, valueOf } from "./record";

interface Props {
  project: string;
  subjects: readonly GridRow[];
  onClose: () => void;
  onWritten: () => void;
}

interface Read {
  name: string;
  lines: CsvLine[];
  known: Known[];
  result: DryRun;
}

/** What became of a line. */
interface Outcome {
  planned: Planned;
  failure: string;
}

const MOST_SHOWN = 200;
const ENCODINGS = ["utf-8", "windows-1252"] as const;

/** A spreadsheet saves in UTF-8 or in the letters of Western Europe; what is not the one is the other. */
async function textOf(file: File): Promise<string> {
  const bytes = await file.arrayBuffer();
  try {
    return new TextDecoder(ENCODINGS[0], { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder(ENCODINGS[1]).decode(bytes);
  }
}

export function Upload({ project, subjects, onClose, onWritten }: Props) {
  const [read, setRead] = useState<Read>();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState("");
  const [done, setDone] = useState<Outcome[]>();
  const input = useRef<HTMLInputElement>(null);
  const labels = useMemo(() => new Set(subjects.map((row) => row.subject)), [subjects]);

  const take = async (file: File | undefined) => {
    if (!file) return;
    setError(undefined);
    setDone(undefined);
    setRead(undefined);
    setBusy(`Reading ${file.name} …`);
    try {
      const lines = parseCsvLines(await textOf(file));
      const known = await recordsOf(project, namesIn(lines));
      setRead({ name: file.name, lines, known, result: dryRun(lines, record, labels, known) });
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy("");
      if (input.current) input.current.value = "";
    }
  };
  const commit = async (planned: readonly Planned[], known: readonly Known[], lines: readonly CsvLine[]) => {
    setError(undefined);
    try {
      setDone(await writeAll(project, planned, known, namesIn(lines), setBusy));
      onWritten();
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy("");
    }
  };

  return (
    <Dialog title="Upload clinical records" onClose={onClose}>
      <div
        class="upload"
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault();
          void take(event.dataTransfer?.files[0]);
        }}
      >
        <label class="drop">
          <span>
            <strong>Choose a CSV file</strong> or drop it here. It is checked first; nothing is written until you say so.
          </span>
          <input ref={input} type="file" accept=".csv,.tsv,.txt,text/csv" onChange={(event) => void take(event.currentTarget.files?.[0])} />
          <span class="hint">
            One line for each record: the column {SUBJECT}, the column {EVENT} (1 when left out), and the variables by name. An empty cell leaves a value alone.
          </span>
        </label>
        <p class="soft" role="status">
          {busy}
        </p>
        {error instanceof SignedOut ? (
          <p class="refusal" role="alert">
            You were signed out. Log in again, then press the button again: what is written already is not written twice.
          </p>
        ) : (
          <Refusal error={error} />
        )}
        {read && !done && <Result read={read} busy={busy !== ""} onCommit={(planned) => void commit(planned, read.known, read.lines)} />}
        {read && done && <Done outcomes={done} onAgain={(planned) => void commit(planned, read.known, read.lines)} onClose={onClose} />}
      </div>
    </Dialog>
  );
}

/** Variables that the columns of a file name, and those that checks need to look at besides. */
function namesIn(lines: readonly CsvLine[]): string[] {
  const header = new Set(lines[0]?.cells.map((cell) => cell.trim()) ?? []);
  const named = record.elements.filter((one) => header.has(one.name)).map((one) => one.name);
  const beside = record.checks.filter((check) => check.elements.some((name) => header.has(name))).flatMap((check) => check.elements);
  return [...new Set([EVENT, "record_status", ...named, ...beside])];
}

/** Write line by line, four at a time. A record that changed since the dry run is left alone. */
async function writeAll(
  project: string,
  planned: readonly Planned[],
  known: readonly Known[],
  names: readonly string[],
  say: (text: string) => void,
): Promise<Outcome[]> {
  const before = new Map(known.map((one) => [one.label, one]));
  const now = new Map((await recordsOf(project, names)).map((one) => [one.label, one]));
  let written = 0;
  let out: unknown;
  const outcomes = await Promise.all(
    planned.map(async (one): Promise<Outcome> => {
      const failure = meanwhile(one, before.get(one.label), now.get(one.label));
      if (failure || out) return { planned: one, failure: failure || "Not written." };
      try {
        const mine = Object.fromEntries(one.changes.map((change) => [change.name, change.now]));
        await putRecord(project, { subject: one.subject, label: one.label, base: {}, mine, seen: now.get(one.label)?.modified ?? "" });
        written += 1;
        say(`Written ${written} of ${planned.length} …`);
        return { planned: one, failure: "" };
      } catch (error) {
        if (error instanceof SignedOut) out = error;
        return { planned: one, failure: sentenceOf(error) };
      }
    }),
  );
  if (out) throw out;
  return outcomes;
}

function meanwhile(planned: Planned, before: Known | undefined, now: Known | undefined): string {
  const differs = planned.changes.some(
    ({ name, now: mine }) => !sameValue(valueOf(now?.values ?? {}, name), valueOf(before?.values ?? {}, name)) && !sameValue(valueOf(now?.values ?? {}, name), mine),
  );
  return differs ? "Somebody else changed this record since the file was checked. Choose the file again to see both." : "";
}

function Result({ read, busy, onCommit }: { read: Read; busy: boolean; onCommit: (planned: Planned[]) => void }) {
  const { result, name, lines } = read;
  const planned = [...result.fresh, ...result.changed];
  const warned = planned.filter((one) => one.warnings.length);
  if (result.faults.length) {
    return (
      <div class="refusal" role="alert">
        <div>
          <strong>{name} cannot be read.</strong>
          {result.faults.map((fault) => (
            <p key={fault}>{fault}</p>
          ))}
        </div>
      </div>
    );
  }
  const download = () => {
    const refused = refusedLines(lines, result);
    save("refused-lines.csv", toCsv(refused.titles, refused.lines));
  };
  return (
    <div class="dry-run" aria-label="What the file would do">
      <p class="soft">
        {name}: {lines.length - 1} lines. Nothing is written yet.
      </p>
      <ul class="tallies">
        <Tally count={result.fresh.length} word="new" />
        <Tally count={result.changed.length} word="changed" />
        <Tally count={result.same} word="as they are" />
        <Tally count={result.refused.length} word="refused" tone="bad" />
      </ul>
      {result.notRead.length > 0 && <p class="hint">Columns that are no variables are not read: {result.notRead.join(", ")}.</p>}
      {result.refused.length > 0 && (
        <section>
          <header>
            <h3>Refused</h3>
            <button type="button" class="quiet" onClick={download}>
              Save these lines as CSV
            </button>
          </header>
          <table>
            <thead>
              <tr>
                <th scope="col">Line</th>
                <th scope="col">Subject</th>
                <th scope="col">Why</th>
              </tr>
            </thead>
            <tbody>
              {result.refused.slice(0, MOST_SHOWN).map((one) => (
                <tr key={one.line}>
                  <td>{one.line}</td>
                  <td>{one.subject || "–"}</td>
                  <td>{one.reasons.join(" ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      {warned.length > 0 && (
        <details>
          <summary>{warned.length === 1 ? "One line" : `${warned.length} lines`} to look at</summary>
          <ul class="findings">
            {warned.slice(0, MOST_SHOWN).map((one) => (
              <li key={one.line} class="warning">
                Line {one.line}, {one.subject}: {one.warnings.join(" ")}
              </li>
            ))}
          </ul>
        </details>
      )}
      {planned.length > 0 && (
        <details open={planned.length <= 12}>
          <summary>What would change</summary>
          <table>
            <thead>
              <tr>
                <th scope="col">Line</th>
                <th scope="col">Record</th>
                <th scope="col">Values</th>
              </tr>
            </thead>
            <tbody>
              {planned.slice(0, MOST_SHOWN).map((one) => (
                <tr key={one.line}>
                  <td>{one.line}</td>
                  <td>
                    {one.label} {one.isNew && <span class="badge busy">new</span>}
                  </td>
                  <td>
                    {one.changes.map((change) => (
                      <span key={change.name} class="change">
                        {change.name}: {change.old && <del>{change.old}</del>} <ins>{change.now}</ins>
                      </span>
                    ))}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {planned.length > MOST_SHOWN && <p class="hint">and {planned.length - MOST_SHOWN} more</p>}
        </details>
      )}
      <div class="actions">
        {result.refused.length > 0 && <span class="soft">Correct the file and choose it again, or leave the refused lines out.</span>}
        <button type="button" class="main" disabled={busy || !planned.length} onClick={() => onCommit(planned)}>
          {planned.length ? `Write ${planned.length} ${planned.length === 1 ? "record" : "records"}` : "Nothing to write"}
        </button>
      </div>
    </div>
  );
}

function Tally({ count, word, tone = "" }: { count: number; word: string; tone?: string }) {
  return (
    <li class={count ? tone : ""}>
      <strong>{count}</strong> {word}
    </li>
  );
}

function Done({ outcomes, onAgain, onClose }: { outcomes: readonly Outcome[]; onAgain: (planned: Planned[]) => void; onClose: () => void }) {
  const failed = outcomes.filter((one) => one.failure);
  const good = outcomes.length - failed.length;
  return (
    <div class="dry-run">
      <p role="status">
        <strong>
          {good} {good === 1 ? "record" : "records"} written.
        </strong>{" "}
        {failed.length > 0 && `${failed.length} were not.`}
      </p>
      {failed.length > 0 && (
        <ul class="findings">
          {failed.slice(0, MOST_SHOWN).map((one) => (
            <li key={one.planned.line} class="error">
              Line {one.planned.line}, {one.planned.subject}: {one.failure}
            </li>
          ))}
        </ul>
      )}
      <div class="actions">
        {failed.length > 0 && (
          <button type="button" onClick={() => onAgain(failed.map((one) => one.planned))}>
            Try these again
          </button>
        )}
        <button type="button" class="main" onClick={onClose}>
          Close
        </button>
      </div>
    </div>
  );
}
