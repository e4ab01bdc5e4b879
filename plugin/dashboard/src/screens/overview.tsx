// B. One page that says how far a collection is, what is missing, and leads to the rows where it is done.
import type { ScreenProps } from "../app";
import { Ago, Badge, CopyLink, Panel, Refusal, Skeleton } from "../components/basic";
import { AskForAccess } from "../components/AskForAccess";
import { Bars, Columns, count } from "../components/charts";
import { LaunchDialog } from "../components/Launch";
import { isIntake, records, scans, sessions, subjects, twinOf, verdicts, waiting, worked, type Session } from "../lib/collection";
import { useLoad } from "../lib/load";
import { Refused } from "../lib/refused";
import { newestRuns, runs } from "../lib/runs";
import type { Visibility } from "../lib/session";
import { change, href } from "../lib/url";
import { bySite, byMonth, counted, coverage, funnelOf, histogram, median, needsOf, NO_SITE, type Lists } from "./overview/facts";
import { FunnelStrip } from "./overview/FunnelStrip";
import { NeedsYou } from "./overview/NeedsYou";

const TONES: Record<Visibility, "plain" | "good" | "warn"> = { private: "plain", protected: "warn", public: "good" };

export default function Overview({ project, route, collection, rights, who }: ScreenProps) {
  // The first paint: three lists. Everything else comes after it.
  const first = useLoad(async () => {
    const [found, judged, known] = await Promise.all([sessions(project), verdicts(project), records(project)]);
    return { sessions: found, verdicts: judged, records: known };
  }, [project]);
  const ready = first.value !== undefined;
  const then = <T,>(work: () => Promise<T>, ...keys: unknown[]) => useLoad(async () => (ready ? work() : undefined), [project, ready, ...keys]).value;
  const types = then(() => scans(project));
  const twin = then(async () => {
    const other = await twinOf(project);
    if (!other) return null;
    const [there, more] = await Promise.all([subjects(other), records(other)]);
    return { project: other, labels: there.map((one) => one.label), records: more };
  }, who?.login);
  // A released collection was prepared in its intake project.
  const done = then(async () => (twin === undefined ? undefined : isIntake(project) || twin === null ? worked(project) : { converted: [], defaced: [] }), twin === undefined, twin === null);
  const recent = then(async () => (rights.edit ? runs(project) : undefined), rights.edit);
  const held = then(async () => (rights.edit ? waiting(project).catch(() => []) : undefined), rights.edit);

  if (first.error) {
    const closed = first.error instanceof Refused && [401, 403].includes(first.error.status);
    return (
      <>
        <h1>{project}</h1>
        <Refusal error={first.error} retry={closed ? undefined : first.reload} />
        {closed && <AskForAccess project={project} who={who} />}
      </>
    );
  }
  const lists: Lists | undefined = first.value && {
    ...first.value,
    records: isIntake(project) && twin ? [...first.value.records, ...twin.records] : first.value.records,
    worked: done,
    published: isIntake(project) ? twin?.labels : undefined,
  };
  const found = lists && funnelOf(lists);
  const open = lists ? toDeface(lists) : [];
  return (
    <>
      <div class="title">
        <h1>{project}</h1>
        {collection && <Badge tone={TONES[collection.visibility]}>{collection.visibility}</Badge>}
        {collection?.pi && <span class="soft">{collection.pi}</span>}
        {collection?.role && <span class="soft">you are {collection.role}</span>}
        <div class="actions">
          <CopyLink />
          {rights.edit && open.length > 0 && (
            <button type="button" class="main" onClick={() => change({ launch: "deface" }, false)}>
              De-face {count(open.length)} {open.length === 1 ? "session" : "sessions"}…
            </button>
          )}
        </div>
        {collection?.description && <p class="lead">{collection.description}</p>}
      </div>
      {!lists || !found ? (
        <Skeleton lines={9} label="Loading the overview" />
      ) : lists.sessions.length === 0 && lists.records.length === 0 ? (
        <Panel>
          <p class="soft">Nothing has arrived yet. Sessions appear here as soon as a site sends them.</p>
        </Panel>
      ) : (
        <>
          <FunnelStrip project={project} funnel={found} lists={lists} done={done !== undefined} released={twin ? twin.project : twin} />
          <NeedsYou project={project} needs={needsOf(lists)} runs={recent && newestRuns(recent)} waiting={held} intake={isIntake(project)} />
          <Pictures project={project} lists={lists} types={types} />
          {held && held.length > 0 && (
            <Panel title={`Received, not archived yet (${held.length})`} class={route.query.get("show") === "waiting" ? "shown" : ""}>
              <table class="plain">
                <thead>
                  <tr>
                    <th>Session</th>
                    <th>Subject</th>
                    <th>State</th>
                    <th>Last change</th>
                    <th>Message</th>
                  </tr>
                </thead>
                <tbody>
                  {held.map((one) => (
                    <tr key={`${one.label} ${one.changed}`}>
                      <td>{one.label}</td>
                      <td>{one.subject}</td>
                      <td>
                        <Badge tone={/ERROR|CONFLICT/i.test(one.status) ? "bad" : "plain"}>{one.status.toLowerCase()}</Badge>
                      </td>
                      <td>
                        <Ago at={one.changed} />
                      </td>
                      <td>{one.message}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Panel>
          )}
        </>
      )}
      {route.query.get("launch") === "deface" && rights.edit && lists && (
        <LaunchDialog
          project={project}
          title={`De-face ${open.length} ${open.length === 1 ? "session" : "sessions"}`}
          levels={[{ name: "Whole sessions", types: open.map((one) => one.xsiType), targets: open.map(targetOf) }]}
          onClose={() => change({ launch: undefined })}
        />
      )}
    </>
  );
}

const targetOf = (one: Session) => ({ uri: `/archive/experiments/${one.id}`, label: one.label });

/** Sessions that nothing de-faced so far. */
function toDeface(lists: Lists): Session[] {
  if (!lists.worked) return [];
  const done = new Set([...lists.verdicts.map((one) => one.session), ...lists.worked.defaced]);
  return lists.sessions.filter((one) => !done.has(one.id));
}

function Pictures({ project, lists, types }: { project: string; lists: Lists; types: Awaited<ReturnType<typeof scans>> | undefined }) {
  const rows = (query: Record<string, string>) => href(["c", project, "subjects"], query);
  const sites = bySite(lists.sessions);
  const months = byMonth(lists.sessions);
  const ages = lists.records.map((one) => one.age);
  const nihss = lists.records.map((one) => one.nihss);
  const mrs = lists.records.map((one) => one.mrs_3m);
  const sexes = counted(lists.records.map((one) => one.sex).filter(Boolean));
  return (
    <div class="pictures">
      <Panel title="Subjects by site">
        <Bars bars={sites.map(([site, total]) => ({ label: site, count: total, href: rows({ site: site === NO_SITE ? "none" : site }) }))} />
      </Panel>
      <Panel title="Arrivals by month" aside={`${count(lists.sessions.length)} sessions`}>
        {months.length ? <Columns bars={months} height={96} label="Sessions by month" /> : <p class="soft">No sessions yet.</p>}
      </Panel>
      <Panel title="Scans by type" aside="share of sessions">
        {types === undefined ? (
          <Skeleton lines={4} />
        ) : types?.length ? (
          <Bars of={lists.sessions.length} most={7} bars={coverage(types).map(([type, total]) => ({ label: type, count: total, href: rows({ scan: type }) }))} />
        ) : (
          <p class="soft">{types === null ? "This server does not search scans; a session's page lists them." : "No scans yet."}</p>
        )}
      </Panel>
      {lists.records.length > 0 && (
        <>
          <Panel title="NIHSS at admission" aside={median(nihss) && `median ${median(nihss)}`}>
            <Columns bars={histogram(nihss, 3, [0, 29])} label="NIHSS at admission" />
          </Panel>
          <Panel title="mRS at 3 months" aside={median(mrs) && `median ${median(mrs)}`}>
            <Columns bars={histogram(mrs, 1, [0, 6])} label="mRS at 3 months" />
          </Panel>
          <Panel title="Age" aside={[median(ages) && `median ${median(ages)}`, sexes.map(([sex, total]) => `${sex} ${count(total)}`).join(", ")].filter(Boolean).join(" · ")}>
            <Columns bars={histogram(ages, 10, [20, 99])} label="Age in years" />
          </Panel>
        </>
      )}
    </div>
  );
}
