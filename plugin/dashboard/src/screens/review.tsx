// Review of de-faced images: before, after and what was removed; a verdict with one key; the next image is ready.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ScreenProps } from "../app";
import { Badge, CopyLink, Refusal, Skeleton } from "../components/basic";
import { useDraft } from "../lib/draft";
import { useLoad } from "../lib/load";
import { SignedOut } from "../lib/signed-out";
import { change } from "../lib/url";
import { faults } from "./clinical/record";
import { bareItem, collect, qcRecord, record, unrecorded, type Collected, type Shown } from "./review/data";
import { Judge } from "./review/Judge";
import { NO_MARKS, remarksText, residualWord, type Marks } from "./review/marks";
import { itemsOf, queueFor, sampleOf, type Assessment, type Item } from "./review/queue";
import { give, said, takeBack, type Given } from "./review/verdict";
import type { View } from "./review/Viewer";
import "./review/review.css";

const SAMPLE = 20;

export default function Review({ project, route, who }: ScreenProps) {
  const { value: found, error, reload } = useLoad((signal) => collect(project, signal), [project]);
  const reader = who?.login ?? "";
  const size = Number(route.query.get("sample") ?? 0) || 0;
  const seed = route.query.get("seed") ?? "1";
  const [given, setGiven] = useState<Given[]>([]);
  const [stored, setStored] = useState<Assessment[]>([]);
  const note = (one: Assessment) => setStored((old) => [...old.filter((other) => other.label !== one.label), one]);

  const queue = useMemo(() => {
    if (!found) return [];
    const items = [...itemsOf(found.assessments), ...unrecorded(found)];
    if (size) return sampleOf(items, size, seed, (item) => found.sessions.get(item.sessionId)?.site ?? "");
    return queueFor(items, reader);
  }, [found, reader, size, seed]);
  // what was judged just now stays in sight, so that the list does not jump
  const spoken = useMemo(() => new Map(given.map((one) => [one.item.key, one])), [given]);
  const asked = route.query.get("session") ? `${route.query.get("session")}/${route.query.get("scan") ?? ""}` : "";
  const current = useMemo(
    () => (asked && found ? (queue.find((one) => one.key === asked) ?? itemsOf(found.assessments).find((one) => one.key === asked) ?? bareItem(found, asked)) : queue.find((one) => !spoken.has(one.key))),
    [asked, found, queue, spoken],
  );
  const next = useMemo(() => queue.find((one) => one.key !== current?.key && !spoken.has(one.key)), [queue, current, spoken]);
  const open = useCallback((item: Item | undefined) => change({ session: item?.sessionId, scan: item?.scan }), []);

  return (
    <>
      <div class="title">
        <h1>Review</h1>
        <span class="soft" role="status">
          {found && (size ? `sample of ${queue.length}, seed ${seed}` : `${queue.filter((one) => !spoken.has(one.key)).length} in the queue`)}
          {given.length > 0 && `, ${given.length} judged now`}
        </span>
        <div class="actions">
          {size > 0 ? (
            <button type="button" onClick={() => change({ sample: undefined, seed: undefined, session: undefined, scan: undefined }, false)}>
              Back to the queue
            </button>
          ) : (
            <button type="button" onClick={() => change({ sample: `${SAMPLE}`, seed: `${new Date().toISOString().slice(0, 10)}`, session: undefined, scan: undefined }, false)} title="Look at images by chance, the same number from each site, without knowing what the program said">
              Draw a sample
            </button>
          )}
          <CopyLink />
        </div>
      </div>
      <Refusal error={error} retry={reload} />
      {!found && !error && <Skeleton lines={12} label="Loading the queue" />}
      {found && !found.hasBefore && (
        <p class="hint">You have no role in the intake project, so the original images are not shown; only what was released is.</p>
      )}
      {found && !size && <Unrecorded found={found} onDone={reload} />}
      {found && (
        <div class="review">
          <Queue items={queue} current={current} spoken={spoken} hidden={size > 0} onOpen={open} />
          {current ? (
            <Desk key={current.key} found={found} item={current} next={next} reader={reader} blind={size > 0 && !spoken.has(current.key)} given={given} setGiven={setGiven} stored={stored} onStored={note} queue={queue} onOpen={open} />
          ) : (
            <div class="panel done">
              <h2>{given.length ? "All judged." : "Nothing waits for a verdict."}</h2>
              <p class="soft">{given.length ? "Thank you." : "Images that the program is not sure of come here; a sample can be drawn at any time."}</p>
              {given.length > 0 && (
                <button type="button" onClick={() => open(given.at(-1)!.item)}>
                  Back to the last one
                </button>
              )}
            </div>
          )}
        </div>
      )}
    </>
  );
}

interface DeskProps {
  found: Collected;
  item: Item;
  next: Item | undefined;
  reader: string;
  blind: boolean;
  given: Given[];
  setGiven: (given: Given[]) => void;
  /** Everything this page has stored, also what was taken back. */
  stored: readonly Assessment[];
  onStored: (one: Assessment) => void;
  queue: readonly Item[];
  onOpen: (item: Item | undefined) => void;
}

/** One image on the desk, with its keys. */
function Desk({ found, item, next, reader, blind, given, setGiven, stored, onStored, queue, onOpen }: DeskProps) {
  const [marks, setMarks, clearMarks] = useDraft<Marks>(`review ${found.project} ${item.key}`, NO_MARKS);
  const [view, setView] = useState<View>("all");
  const [views, setViews] = useState<ReadonlySet<View>>(new Set(["all"]));
  const [shown, setShown] = useState<Shown>();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const [objection, setObjection] = useState("");
  const own = given.find((one) => one.item.key === item.key);

  const turn = (to: View) => {
    setView(to);
    setViews(new Set([...views, to]));
  };
  const speak = async (verdict: string) => {
    if (busy || !reader) return;
    const values = { verdict, face_residual: residualWord(marks.residual), brain_damage: marks.brain, reviewer: reader, reviewed_at: "now" };
    const wrong = faults(qcRecord, values).filter((one) => one.severity === "error");
    setObjection(wrong.map((one) => `${one.sentence} ${one.remedy}`).join(" "));
    if (wrong.length) return;
    setBusy(true);
    setError(undefined);
    try {
      const done = await give(found, item, reader, verdict, { ...marks, remarks: remarksText(marks) }, [...views], shown, stored);
      clearMarks();
      onStored(said(done, verdict));
      setGiven([...given.filter((one) => one.item.key !== item.key), done]);
      onOpen(next);
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const undo = async () => {
    const last = given.at(-1);
    if (busy || !last) return;
    setBusy(true);
    setError(undefined);
    try {
      await takeBack(found, last);
      onStored(said(last, last.verdictBefore || "pending"));
      setGiven(given.slice(0, -1));
      onOpen(last.item);
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const step = (by: number) => {
    const at = queue.findIndex((one) => one.key === item.key);
    const target = queue[at + by];
    if (target) onOpen(target);
  };

  useKeys({
    "1": () => void speak("pass"),
    "2": () => void speak("fail"),
    "3": () => void speak("review"),
    u: () => void undo(),
    a: () => turn("axial"),
    s: () => turn("sagittal"),
    c: () => turn("coronal"),
    f: () => turn("face"),
    m: () => turn("all"),
    j: () => step(1),
    k: () => step(-1),
  });

  return (
    <div class="desk">
      <Judge found={found} item={item} next={next} blind={blind} view={view} onView={turn} marks={marks} onMarks={setMarks} onShown={setShown} />
      {objection && (
        <p class="refusal" role="alert">
          {objection}
        </p>
      )}
      {error instanceof SignedOut ? (
        <p class="refusal" role="alert">
          Not stored: you were signed out. Your marks are still here; log in again, then give the verdict again.
        </p>
      ) : (
        <Refusal error={error} />
      )}
      <div class="verdicts">
        {[
          ["1", "pass", "Pass", "main"],
          ["2", "fail", "Fail", "danger"],
          ["3", "review", "Ask second reader", ""],
        ].map(([key, verdict, title, tone]) => (
          <button type="button" key={key} class={tone} disabled={busy || !reader} onClick={() => void speak(verdict!)}>
            <kbd>{key}</kbd> {title}
          </button>
        ))}
        <button type="button" class="quiet" disabled={busy || !given.length} onClick={() => void undo()}>
          <kbd>u</kbd> Undo
        </button>
        <span class="soft" role="status">
          {busy ? "Storing …" : own ? `Your verdict: ${own.verdict}.` : ""}
          {!busy && !own && given.at(-1) && `${given.at(-1)!.item.subject} scan ${given.at(-1)!.item.scan}: ${given.at(-1)!.verdict} stored.${sampleWord(given.at(-1)!)}`}
        </span>
      </div>
    </div>
  );
}

function sampleWord(given: Given): string {
  const program = given.item.machine?.autoVerdict;
  return program && program !== given.verdict ? ` The program said ${program}.` : "";
}

/** Single keys, unless somebody types. */
function useKeys(keys: Record<string, () => void>): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || target.closest("dialog")) return;
      if (target.matches("textarea, select, input:not([type=checkbox]):not([type=radio])")) {
        if (event.key === "Escape") target.blur();
        return;
      }
      const action = latest.current[event.key.toLowerCase()];
      if (!action) return;
      event.preventDefault();
      action();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}

function Queue({ items, current, spoken, hidden, onOpen }: { items: readonly Item[]; current: Item | undefined; spoken: ReadonlyMap<string, Given>; hidden: boolean; onOpen: (item: Item) => void }) {
  return (
    <nav class="queue" aria-label="Queue">
      <ol>
        {items.slice(0, 300).map((item) => (
          <li key={item.key}>
            <button type="button" aria-current={item.key === current?.key ? "true" : undefined} onClick={() => onOpen(item)}>
              <span>
                {item.subject} <span class="soft">scan {item.scan}</span>
              </span>
              {spoken.get(item.key) ? (
                <Badge tone={TONES[spoken.get(item.key)!.verdict] ?? "plain"}>{spoken.get(item.key)!.verdict}</Badge>
              ) : (
                !hidden && item.standing === "waits-for-second" && <Badge tone="busy">2nd</Badge>
              )}
            </button>
          </li>
        ))}
      </ol>
      {items.length > 300 && <p class="hint">and {items.length - 300} more</p>}
    </nav>
  );
}

const TONES: Record<string, "good" | "bad" | "warn"> = { pass: "good", fail: "bad", review: "warn" };

/** Runs of a server that does not keep their verdict: written down here, on request. */
function Unrecorded({ found, onDone }: { found: Collected; onDone: () => void }) {
  const open = useMemo(() => unrecorded(found), [found]);
  const [busy, setBusy] = useState("");
  const [error, setError] = useState<unknown>();
  if (!open.length || !found.hasBefore) return null;
  const run = async () => {
    setError(undefined);
    let done = 0;
    setBusy(`0 of ${open.length}`);
    try {
      await Promise.all(
        open.map(async (item) => {
          await record(found.project, item, found.assessments);
          done += 1;
          setBusy(`${done} of ${open.length}`);
        }),
      );
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy("");
      onDone();
    }
  };
  return (
    <div class="unrecorded">
      <p>
        {open.length === 1 ? "One run" : `${open.length} runs`} de-faced a scan and left only a report. They wait below; or write down what the program found: what it passed then
        leaves the queue.
      </p>
      <button type="button" disabled={busy !== ""} onClick={() => void run()}>
        {busy || "Write down the program's verdicts"}
      </button>
      <Refusal error={error} />
    </div>
  );
}
