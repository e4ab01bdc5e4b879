import type { Run } from "../../lib/runs";

export interface Line {
  command: string;
  complete: number;
  failed: number;
  alive: number;
  /** Milliseconds; NaN without a complete run. */
  middle: number;
  longest: number;
}

/** Counts and times of each command. */
export function byCommand(runs: readonly Run[]): Line[] {
  const groups = new Map<string, Run[]>();
  for (const run of runs) groups.set(run.command, [...(groups.get(run.command) ?? []), run]);
  return [...groups]
    .map(([command, own]) => {
      const times = own.filter((run) => run.state === "complete").map((run) => run.ended - run.began).filter((time) => time >= 0).sort((a, b) => a - b);
      const of = (state: Run["state"]) => own.filter((run) => run.state === state).length;
      return { command, complete: of("complete"), failed: of("failed"), alive: of("running") + of("queued"), middle: times[times.length >> 1] ?? NaN, longest: times.at(-1) ?? NaN };
    })
    .sort((a, b) => (a.command < b.command ? -1 : 1));
}

export interface Group {
  reason: string;
  runs: Run[];
}

/** Failed runs by reason, the most frequent first; numbers and ids in a reason do not tell reasons apart. */
export function byReason(failed: readonly { run: Run; reason: string }[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { run, reason } of failed) {
    const key = /\[[a-z0-9-]+\]$/.exec(reason)?.[0] ?? reason.replace(/\d+/g, "#");
    const known = groups.get(key);
    if (known) known.runs.push(run);
    else groups.set(key, { reason, runs: [run] });
  }
  return [...groups.values()].sort((a, b) => b.runs.length - a.runs.length);
}
