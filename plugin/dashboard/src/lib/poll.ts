// Asking again and again, politely: every 2 seconds at first, slowly less often, not while the tab is hidden.

export interface Clock {
  later: (work: () => void, milliseconds: number) => number;
  cancel: (timer: number) => void;
  hidden: () => boolean;
  onVisible: (work: () => void) => () => void;
}

export const FIRST = 2_000;
export const MOST = 15_000;
const FACTOR = 1.35;

const browser: Clock = {
  later: (work, milliseconds) => window.setTimeout(work, milliseconds),
  cancel: (timer) => clearTimeout(timer),
  hidden: () => document.hidden,
  onVisible: (work) => {
    const follow = () => document.hidden || work();
    document.addEventListener("visibilitychange", follow);
    return () => document.removeEventListener("visibilitychange", follow);
  },
};

/** What a turn tells: it is over, something is new (ask soon again), or nothing is. */
export type Turn = "over" | "new" | "same";

/** Run `step` until it says "over"; returns what stops it. A step that throws counts as "same". */
export function poll(step: () => Promise<Turn>, clock: Clock = browser): () => void {
  let stopped = false;
  let pause = FIRST;
  let timer = 0;
  let asleep = false;
  const turn = async () => {
    timer = 0;
    if (stopped) return;
    if (clock.hidden()) {
      asleep = true;
      return;
    }
    const told = await step().catch((): Turn => "same");
    if (stopped || told === "over") return;
    pause = told === "new" ? FIRST : Math.min(MOST, pause * FACTOR);
    timer = clock.later(() => void turn(), pause);
  };
  const wake = clock.onVisible(() => {
    if (!asleep) return;
    asleep = false;
    pause = FIRST;
    void turn();
  });
  void turn();
  return () => {
    stopped = true;
    wake();
    if (timer) clock.cancel(timer);
  };
}
