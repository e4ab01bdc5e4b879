import { count } from "../../components/charts";
import type { Waiting } from "../../lib/collection";
import type { Run } from "../../lib/runs";
import { href } from "../../lib/url";
import type { Needs } from "./facts";

interface Need {
  key: string;
  count: number;
  words: string;
  href: string;
  tone: "bad" | "warn" | "busy";
}

const many = (total: number, one: string, more: string) => (total === 1 ? one : more);

/** The numbers that need work come first; each leads to its rows. */
export function NeedsYou({ project, needs, runs, waiting, intake }: { project: string; needs: Needs; runs: Run[] | undefined; waiting: Waiting[] | undefined; intake: boolean }) {
  const failed = runs?.filter((one) => one.state === "failed").length ?? 0;
  const alive = runs?.filter((one) => one.state === "running" || one.state === "queued").length ?? 0;
  const stuck = waiting?.filter((one) => /ERROR|CONFLICT/i.test(one.status)).length ?? 0;
  const all: Need[] = [
    { key: "fail", count: needs.failed, words: many(needs.failed, "scan is not safe", "scans are not safe"), href: href(["c", project, "subjects"], { verdict: "fail" }), tone: "bad" },
    { key: "runs", count: failed, words: many(failed, "run failed", "runs failed"), href: href(["c", project, "runs"], { state: "failed" }), tone: "bad" },
    { key: "stuck", count: stuck, words: many(stuck, "session in quarantine", "sessions in quarantine"), href: href(["c", project], { show: "waiting" }), tone: "bad" },
    { key: "review", count: needs.review, words: many(needs.review, "scan to look at", "scans to look at"), href: href(["c", project, "review"]), tone: "warn" },
    { key: "unjudged", count: needs.unjudged, words: many(needs.unjudged, "session without a verdict", "sessions without a verdict"), href: href(["c", project, "subjects"], { verdict: "none" }), tone: "warn" },
    { key: "mrs", count: needs.missing, words: "without mRS at 3 months", href: href(["c", project, "subjects"], { mrs_3m: "missing" }), tone: "warn" },
    { key: "alive", count: alive, words: many(alive, "run under way", "runs under way"), href: href(["c", project, "runs"], { state: "running" }), tone: "busy" },
  ];
  const open = all.filter((one) => one.count > 0 && !(intake && one.key === "unjudged" && needs.unjudged === 0));
  return (
    <nav class="needs" aria-label="What needs you">
      <h2>Needs you</h2>
      {open.map((one) => (
        <a key={one.key} class={`need ${one.tone}`} href={one.href}>
          <strong>{count(one.count)}</strong> {one.words}
        </a>
      ))}
      {open.every((one) => one.tone === "busy") && <span class="need good">✓ Nothing is open</span>}
    </nav>
  );
}
