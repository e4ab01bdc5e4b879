// The images of one item, what was measured, and what the reader ticks.
import { useEffect, useMemo, useState } from "preact/hooks";
import { Refusal, Skeleton, Verdict } from "../../components/basic";
import { useLoad } from "../../lib/load";
import { href } from "../../lib/url";
import { autoVerdict, fetchBytes, look, maskOf, type Collected, type Shown } from "./data";
import { BRAIN_WORDS, BRAINS, RESIDUALS, type Marks } from "./marks";
import type { Item } from "./queue";
import { hasWebGl, Viewer, VIEWS, type Images, type View } from "./Viewer";

interface Props {
  found: Collected;
  item: Item;
  next: Item | undefined;
  blind: boolean;
  view: View;
  onView: (view: View) => void;
  marks: Marks;
  onMarks: (marks: Marks) => void;
  onShown: (shown: Shown) => void;
}

interface Loaded {
  shown: Shown;
  name: string;
  images: Images;
}

/** What was fetched of the present and of the next item; the rest is let go. */
const fetched = new Map<string, Promise<Loaded>>();

function load(found: Collected, item: Item, wanted: string): Promise<Loaded> {
  const key = `${found.project} ${item.key} ${item.machine?.at ?? ""} ${wanted}`;
  const known = fetched.get(key);
  if (known) return known;
  const made = loadNow(found, item, wanted);
  made.catch(() => fetched.delete(key));
  fetched.set(key, made);
  while (fetched.size > 2) fetched.delete([...fetched.keys()][0]!);
  return made;
}

async function loadNow(found: Collected, item: Item, wanted: string): Promise<Loaded> {
  const shown = await look(item, found.hasBefore);
  const name = wanted || shown.names[0] || "";
  const bytes = (uri: string | undefined) => (uri && hasWebGl() ? fetchBytes(uri) : Promise.resolve(undefined));
  const [before, after, mask] = await Promise.all([bytes(shown.before.get(name)), bytes(shown.after.get(name)), bytes(maskOf(shown, name))]);
  return { shown, name, images: { before, after, mask } };
}

export function Judge({ found, item, next, blind, view, onView, marks, onMarks, onShown }: Props) {
  const [wanted, setWanted] = useState("");
  const { value, error, reload } = useLoad(() => load(found, item, wanted), [found.project, item.key, wanted]);
  useEffect(() => {
    if (!value) return;
    onShown(value.shown);
    // the images of the next one are fetched while this one is looked at; a failure shows when it is opened
    if (next) load(found, next, "").catch(() => undefined);
  }, [value, next?.key]);
  const webGl = useMemo(hasWebGl, []);
  const drawable = webGl && value && (value.images.before || value.images.after);
  return (
    <>
      <header class="item">
        <h2>
          <a href={href(["c", found.project, "s", item.sessionId])}>{item.subject}</a> · {item.session} · scan {item.scan}
          {item.scanType && ` · ${item.scanType}`}
        </h2>
        {value && value.shown.names.length > 1 && (
          <label>
            Image{" "}
            <select value={value.name} onChange={(event) => setWanted(event.currentTarget.value)}>
              {value.shown.names.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        )}
        <div class="views" role="group" aria-label="View">
          {VIEWS.map((one) => (
            <button type="button" key={one.view} aria-pressed={one.view === view} disabled={!drawable} onClick={() => onView(one.view)}>
              <kbd>{one.key.toUpperCase()}</kbd> {one.title}
            </button>
          ))}
        </div>
      </header>
      <Refusal error={error} retry={reload} />
      {!value && !error && <Skeleton lines={10} label="Loading the images" />}
      {value && drawable && <Viewer images={value.images} view={view} />}
      {value && !webGl && <p class="hint">This browser cannot draw volumes (no WebGL), so the pictures that the program made are shown.</p>}
      {value && !drawable && <Pictures shown={value.shown} />}
      {value && !value.images.after && webGl && <p class="hint">There is no de-faced image of this scan.</p>}
      <div class="facts-and-marks">
        <Facts item={item} shown={value?.shown} blind={blind} />
        <Ticks marks={marks} onMarks={onMarks} />
      </div>
    </>
  );
}

function Pictures({ shown }: { shown: Shown }) {
  if (!shown.pictures.length) return <p class="hint">There are no pictures of this scan that you may see.</p>;
  return (
    <div class="pictures">
      {shown.pictures.map((one) => (
        <figure key={one.url}>
          <figcaption>{one.name}</figcaption>
          <img src={one.url} alt={one.name} loading="lazy" />
        </figure>
      ))}
    </div>
  );
}

function Facts({ item, shown, blind }: { item: Item; shown: Shown | undefined; blind: boolean }) {
  const machine = item.machine;
  const facts: [string, string][] = [
    ["Brain kept", machine?.brainKept ? `${machine.brainKept} %` : ""],
    ["Removed", machine?.removedMl ? `${machine.removedMl} ml` : shown?.report?.removedMl ? `${shown.report.removedMl} ml` : ""],
    ["Score of what is left", blind ? "" : (machine?.score ?? "")],
    ["Quality of the scan", shown?.quality ?? ""],
  ];
  const word = autoVerdict(item, shown?.report);
  return (
    <dl class="measured">
      <div>
        <dt>The program says</dt>
        <dd>{blind ? <span class="soft">hidden until you have spoken</span> : <Verdict value={word} />}</dd>
      </div>
      {facts
        .filter(([, value]) => value)
        .map(([title, value]) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      {!blind && shown?.report?.reasons.map((reason) => <div key={reason}><dt>Why</dt><dd>{reason}</dd></div>)}
      {item.people
        .filter((one) => one.verdict === "review")
        .map((one) => (
          <div key={one.label}>
            <dt>Second reader asked for by</dt>
            <dd>
              {one.reviewer}
              {one.remarks && `: ${one.remarks}`}
            </dd>
          </div>
        ))}
    </dl>
  );
}

function Ticks({ marks, onMarks }: { marks: Marks; onMarks: (marks: Marks) => void }) {
  const flip = (name: string) =>
    onMarks({ ...marks, residual: marks.residual.includes(name) ? marks.residual.filter((one) => one !== name) : [...marks.residual, name] });
  return (
    <div class="ticks">
      <fieldset>
        <legend>Still to be seen</legend>
        {RESIDUALS.map((name) => (
          <label key={name}>
            <input type="checkbox" checked={marks.residual.includes(name)} onChange={() => flip(name)} /> {name}
          </label>
        ))}
      </fieldset>
      <fieldset>
        <legend>Brain</legend>
        {BRAINS.map((name) => (
          <label key={name}>
            <input type="radio" name="brain" checked={marks.brain === name} onChange={() => onMarks({ ...marks, brain: name })} /> {BRAIN_WORDS[name]}
          </label>
        ))}
      </fieldset>
      <label class="remarks">
        Remarks
        <textarea rows={1} maxLength={1900} value={marks.remarks} onInput={(event) => onMarks({ ...marks, remarks: event.currentTarget.value })} />
      </label>
    </div>
  );
}
