import { count } from "../../components/charts";
import { isIntake } from "../../lib/collection";
import { STAGES, type Funnel, type Stage } from "../../lib/funnel";
import { href } from "../../lib/url";
import type { Lists } from "./facts";

export const STAGE_WORDS: Record<Stage, string> = {
  received: "received",
  converted: "converted",
  defaced: "de-faced",
  reviewed: "reviewed",
  clinical: "clinical complete",
  published: "released",
};

/** Which stages say something here: a released collection has been through the first ones elsewhere. */
function shown(project: string, lists: Lists): Stage[] {
  const tracked = isIntake(project) || lists.verdicts.length > 0 || (lists.worked?.defaced.length ?? 0) > 0;
  return STAGES.filter((stage) => (tracked || !["converted", "defaced", "reviewed"].includes(stage)) && (isIntake(project) || stage !== "published"));
}

/** `done`: the workflows are known; `released`: the released collection, null when the user has none, undefined until known. */
export function FunnelStrip({ project, funnel, lists, done, released }: { project: string; funnel: Funnel; lists: Lists; done: boolean; released: string | null | undefined }) {
  const stages = shown(project, lists);
  // Without the middle stages "complete" is told by the records alone.
  const direct = !stages.includes("reviewed");
  const complete = direct ? lists.records.filter((one) => one.mrs_3m !== "" || one.lost_followup === "yes") : [];
  const sizes: Record<Stage, number> = { ...sizesOf(funnel), ...(direct ? { clinical: new Set(complete.map((one) => one.subject)).size } : {}) };
  const all = Math.max(1, sizes.received);
  return (
    <ol class="funnel" aria-label="How far the subjects are">
      {stages.map((stage, at) => {
        const before = stages[at - 1];
        const open = before && stage !== "published" ? sizes[before] - sizes[stage] : 0;
        // A later stage needs the one before: until the workflows are known, its number would be too small.
        const waits = !direct && stage !== "received" && stage !== "published" && !done;
        const unknown = waits || (stage === "published" && released === undefined);
        return (
          <li key={stage}>
            <a href={href(["c", project, "subjects"], stage === "received" ? {} : direct ? { record: "complete" } : { stage })}>
              <span class="funnel-word">{stage === "received" && !isIntake(project) ? "subjects" : STAGE_WORDS[stage]}</span>
              <span class="funnel-number">{unknown ? "…" : stage === "published" && released === null ? "–" : count(sizes[stage])}</span>
              <span class="funnel-share" aria-hidden="true">
                <span style={{ width: `${unknown ? 0 : (100 * sizes[stage]) / all}%` }} />
              </span>
            </a>
            {open > 0 && !unknown ? (
              <a class="funnel-open" href={href(["c", project, "subjects"], direct ? { record: "open" } : { at: before! })}>
                {count(open)} to go
              </a>
            ) : (
              <span class="funnel-open soft">{at === 0 ? `${count(lists.sessions.length)} sessions` : unknown || stage === "published" || sizes[stage] === 0 ? "" : "all"}</span>
            )}
          </li>
        );
      })}
    </ol>
  );
}

function sizesOf(funnel: Funnel): Record<Stage, number> {
  return Object.fromEntries(STAGES.map((stage) => [stage, funnel[stage].length])) as Record<Stage, number>;
}
