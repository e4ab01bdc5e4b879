// What stands between a collection and its release, as a list that can be ticked off. Pure.

export type GateState = "met" | "open" | "unknown";

export interface Gate {
  key: string;
  title: string;
  state: GateState;
  /** What is there, who signed it, what is missing. */
  lines: string[];
  link?: string | undefined;
}

interface Document {
  reference?: string;
  since?: string;
  until?: string;
}

/** The governance records of a collection, as `lethe collection apply` keeps them. */
export interface Governance {
  centres?: Record<string, { name?: string; agreement?: Document; ethics?: Document }>;
  profile?: { name?: string; approved_by?: string; approved?: string };
}

export interface Evidence {
  /** Newest verdicts of the intake project; undefined when it may not be read. */
  verdicts: readonly { verdict: string }[] | undefined;
  /** Labels of released subjects. */
  subjects: readonly string[];
  records: readonly { subject: string; mrs_3m: string; lost_followup: string }[];
  /** Null: none are kept; undefined: they may not be read. */
  governance: Governance | null | undefined;
  /** ISO date. */
  today: string;
  links: { review: string; clinical: string };
}

export function gates(found: Evidence): Gate[] {
  return [reviewGate(found), recordGate(found), ...documentGates(found)];
}

function reviewGate({ verdicts, links }: Evidence): Gate {
  const title = "Every de-faced image has passed";
  if (!verdicts) return { key: "review", title, state: "unknown", lines: ["Seen by people with a role in the intake project."] };
  const open = verdicts.filter((one) => one.verdict !== "pass").length;
  const lines = [`${verdicts.length - open} of ${verdicts.length} passed${open ? `; ${open} are held back` : ""}.`];
  return { key: "review", title, state: open || !verdicts.length ? "open" : "met", lines, link: links.review };
}

function recordGate({ subjects, records, links }: Evidence): Gate {
  const complete = new Set(records.filter((one) => one.mrs_3m !== "" || one.lost_followup === "yes").map((one) => one.subject));
  const without = subjects.filter((one) => !complete.has(one)).length;
  return {
    key: "records",
    title: "Every released patient has the outcome at 3 months",
    state: without || !subjects.length ? "open" : "met",
    lines: [subjects.length ? `${subjects.length - without} of ${subjects.length} have it.` : "Nothing has been released yet."],
    link: links.clinical,
  };
}

function documentGates({ governance, today }: Evidence): Gate[] {
  const titles = { agreement: "Agreement of every centre holds today", ethics: "Ethics approval of every centre holds today", profile: "The header profile is approved" };
  if (!governance) {
    const lines = [governance === null ? "No governance records are kept for this collection." : "Seen by people with a role in the intake project."];
    return Object.entries(titles).map(([key, title]) => ({ key, title, state: governance === null ? ("open" as const) : ("unknown" as const), lines }));
  }
  const centres = Object.entries(governance.centres ?? {});
  const kinds = (["agreement", "ethics"] as const).map((kind): Gate => {
    const lines = centres.map(([code, centre]) => `${centre.name ?? code}: ${validity(centre[kind], today).text}`);
    const met = centres.length > 0 && centres.every(([, centre]) => validity(centre[kind], today).holds);
    return { key: kind, title: titles[kind], state: met ? "met" : "open", lines: lines.length ? lines : ["No centre is on record."] };
  });
  const { profile } = governance;
  const signed = profile?.approved_by && profile.approved;
  const line = signed ? `${profile.name ?? "profile"}, by ${profile.approved_by} on ${profile.approved}` : "Nobody has signed it.";
  return [...kinds, { key: "profile", title: titles.profile, state: signed ? "met" : "open", lines: [line] }];
}

function validity(document: Document | undefined, today: string): { holds: boolean; text: string } {
  if (!document?.since) return { holds: false, text: "not on record" };
  const span = `${document.reference ?? ""} ${document.since} to ${document.until ?? "no end"}`.trim();
  if (document.since > today) return { holds: false, text: `${span}: not yet` };
  if (document.until && document.until < today) return { holds: false, text: `${span}: has ended` };
  return { holds: true, text: span };
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];

export function bytes(size: number): string {
  let value = size;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}
