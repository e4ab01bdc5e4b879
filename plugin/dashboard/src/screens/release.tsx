// Release: what stands between the collection and its release, and what is released to take along.
import { useMemo, useState } from "preact/hooks";
import type { ScreenProps } from "../app";
import { Badge, CopyLink, Panel, Refusal, Skeleton, type Tone } from "../components/basic";
import { read, Refused, writeJson } from "../lib/api";
import { isIntake, records, scans, sessions, verdicts, type Session } from "../lib/collection";
import { save, toCsv } from "../lib/csv";
import { useLoad } from "../lib/load";
import { address, path } from "../lib/root";
import { href } from "../lib/url";
import { record as recordType, recordsOf } from "./clinical/data";
import { EVENT, SUBJECT } from "./clinical/dryrun";
import { valueOf } from "./clinical/record";
import { bytes, gates, type Gate, type GateState, type Governance } from "./release/gates";
import "./release/release.css";

const TERMS = [
  "Use the data only for what your agreement with this collection allows.",
  "Do not try to find out who the patients are, and tell the collection if you could.",
  "Do not pass the data on; delete them when the work is done.",
];

/** Null when there are none, undefined when one may not see them. */
async function governanceOf(project: string, signal: AbortSignal): Promise<Governance | null | undefined> {
  const intake = isIntake(project) ? project : `${project}_INTAKE`;
  try {
    const answer = await read(`/data${path("projects", intake, "config", "lethe", "collection")}`, { contents: true }, signal);
    return JSON.parse(await answer.text()) as Governance;
  } catch (error) {
    if (error instanceof Refused && error.status === 403) return undefined;
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  }
}

/** Verdicts of the intake project, where one may read it. */
async function heldBack(project: string) {
  const intake = isIntake(project) ? project : `${project}_INTAKE`;
  return verdicts(intake).catch((error: unknown) => {
    if (error instanceof Refused) return undefined;
    throw error;
  });
}

export default function Release({ project, rights }: ScreenProps) {
  const released = useLoad(() => Promise.all([sessions(project), records(project)]), [project]);
  const behind = useLoad(
    async (signal) => {
      const found = await heldBack(project);
      return { verdicts: found, governance: found ? await governanceOf(project, signal) : undefined };
    },
    [project],
  );
  const value = released.value;
  const list = useMemo(() => {
    if (!value || !behind.value) return undefined;
    const [all, clinical] = value;
    return gates({
      verdicts: behind.value.verdicts,
      governance: behind.value.governance,
      subjects: [...new Set(all.map((one) => one.subject))],
      records: clinical,
      today: new Date().toISOString().slice(0, 10),
      links: { review: href(["c", project, "review"]), clinical: href(["c", project, "clinical"], { missing: "mrs_3m" }) },
    });
  }, [value, behind.value, project]);

  return (
    <>
      <div class="title">
        <h1>Release</h1>
        <div class="actions">
          <CopyLink />
        </div>
      </div>
      <Refusal error={released.error ?? behind.error} retry={() => (released.reload(), behind.reload())} />
      <div class="release">
        <Panel title="Before a release">
          {list ? (
            <ul class="gates">
              {list.map((gate) => (
                <GateLine key={gate.key} gate={gate} />
              ))}
            </ul>
          ) : (
            !released.error && <Skeleton lines={6} label="Loading the gates" />
          )}
          {rights.manage && (
            <p class="hint">
              This page shows the gates; it does not release. Agreements, approvals and the profile are recorded with <code>lethe collection apply</code>; an owner publishes what
              passed every gate with <code>lethe collection publish</code>, which names what is held and why.
            </p>
          )}
        </Panel>
        <Panel title="Take along">
          {value ? value[0].length ? <Cart project={project} sessions={value[0]} /> : <p class="soft">Nothing has been released yet.</p> : !released.error && <Skeleton lines={6} />}
        </Panel>
      </div>
    </>
  );
}

const STATES: Record<GateState, [Tone, string]> = { met: ["good", "met"], open: ["warn", "open"], unknown: ["plain", "not visible"] };

function GateLine({ gate }: { gate: Gate }) {
  const [tone, word] = STATES[gate.state];
  return (
    <li>
      <Badge tone={tone}>{word}</Badge>
      <div>
        {gate.link ? <a href={gate.link}>{gate.title}</a> : <strong>{gate.title}</strong>}
        {gate.lines.map((line) => (
          <p class="soft" key={line}>
            {line}
          </p>
        ))}
      </div>
    </li>
  );
}

const RESOURCES = [
  ["NIFTI_DEFACED", "De-faced images (NIfTI)"],
  ["DICOM_CLEAN", "Images that stay DICOM, header cleaned"],
  ["NIFTI", "Images without a head (NIfTI)"],
] as const;

interface Measured {
  id: string;
  size: number;
  resourceCount: number;
}

/** Choose patients and kinds, see the size, accept the terms, download. */
function Cart({ project, sessions: all }: { project: string; sessions: readonly Session[] }) {
  const subjects = useMemo(() => [...new Set(all.map((one) => one.subject))].sort(), [all]);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(() => new Set(subjects));
  const [kinds, setKinds] = useState<ReadonlySet<string>>(() => new Set(RESOURCES.map(([label]) => label)));
  const [accepted, setAccepted] = useState(false);
  const [measured, setMeasured] = useState<Measured>();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const flip = (set: ReadonlySet<string>, one: string, give: (next: ReadonlySet<string>) => void) => {
    const next = new Set(set);
    if (!next.delete(one)) next.add(one);
    give(next);
    setMeasured(undefined);
  };
  const wanted = all.filter((one) => chosen.has(one.subject));
  const measure = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const ids = new Set(wanted.map((one) => one.id));
      const found = (await scans(project)) ?? [];
      const types = [...new Set(found.filter((one) => ids.has(one.session)).map((one) => one.type))];
      setMeasured(
        await writeJson<Measured>("POST", "/xapi/archive/downloadwithsize", {
          json: {
            projectIds: [project],
            sessions: wanted.map((one) => `${project}:${one.subject}:${one.label}:${one.id}`),
            scan_types: types,
            scan_formats: [...kinds],
            resources: [],
            options: ["simplified"],
          },
        }),
      );
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const link = (kind: string) => address(`/xapi/archive/download/${measured?.id ?? ""}/${kind}`);
  return (
    <div class="cart">
      <fieldset>
        <legend>
          Patients <span class="count">{chosen.size} of {subjects.length}</span>
        </legend>
        <div class="actions">
          <button type="button" class="quiet" onClick={() => (setChosen(new Set(subjects)), setMeasured(undefined))}>
            All
          </button>
          <button type="button" class="quiet" onClick={() => (setChosen(new Set()), setMeasured(undefined))}>
            None
          </button>
        </div>
        <div class="picks" tabIndex={0} role="group" aria-label="Patients">
          {subjects.slice(0, 500).map((one) => (
            <label key={one}>
              <input type="checkbox" checked={chosen.has(one)} onChange={() => flip(chosen, one, setChosen)} /> {one}
            </label>
          ))}
        </div>
        {subjects.length > 500 && <p class="hint">The first 500 can be ticked one by one; all are taken with "All".</p>}
      </fieldset>
      <fieldset>
        <legend>What</legend>
        {RESOURCES.map(([label, title]) => (
          <label key={label}>
            <input type="checkbox" checked={kinds.has(label)} onChange={() => flip(kinds, label, setKinds)} /> {title}
          </label>
        ))}
      </fieldset>
      <fieldset>
        <legend>Terms of use</legend>
        <ul>
          {TERMS.map((term) => (
            <li key={term}>{term}</li>
          ))}
        </ul>
        <label>
          <input type="checkbox" checked={accepted} onChange={() => setAccepted(!accepted)} /> I keep to them.
        </label>
      </fieldset>
      <Refusal error={error} />
      <div class="actions">
        <button type="button" class={measured ? "" : "main"} disabled={busy || !accepted || !wanted.length || !kinds.size} onClick={() => void measure()}>
          {busy ? "Measuring …" : "Prepare the download"}
        </button>
        <button type="button" disabled={!accepted} onClick={() => void clinicalCsv(project, chosen).catch(setError)}>
          Clinical records (CSV)
        </button>
      </div>
      {measured && (
        <div class="ready" role="status">
          <p>
            <strong>{bytes(measured.size)}</strong> in {measured.resourceCount} files of {wanted.length} sessions.
          </p>
          <a class="button main" href={link("zip")} download={`${project}.zip`}>
            Download zip
          </a>
          <a class="button" href={link("xml")} download={`${project}-files.xml`}>
            List of files with checksums
          </a>
        </div>
      )}
    </div>
  );
}

/** Records of the chosen patients, without what is never released. */
async function clinicalCsv(project: string, chosen: ReadonlySet<string>): Promise<void> {
  const names = [EVENT, ...recordType.elements.filter((one) => one.publish !== "no" && one.name !== EVENT).map((one) => one.name)];
  const found = (await recordsOf(project, names)).filter((one) => chosen.has(one.subject));
  save(`${project}-clinical.csv`, toCsv([SUBJECT, ...names], found.map((one) => [one.subject, ...names.map((name) => valueOf(one.values, name))])));
}
