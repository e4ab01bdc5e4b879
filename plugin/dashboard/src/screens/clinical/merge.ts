// Two people, one record: what changed on the server since the form was opened, against what is about to be saved.
import { sameValue, valueOf, type Values } from "./record";

export interface Conflict {
  name: string;
  base: string;
  theirs: string;
  mine: string;
}

/** Elements in which `mine` differs from `base`. */
export function edited(base: Values, mine: Values): string[] {
  return [...new Set([...Object.keys(base), ...Object.keys(mine)])].filter((name) => !sameValue(valueOf(base, name), valueOf(mine, name)));
}

/** What somebody else stored meanwhile, whether or not it was edited here, too. */
export function conflicts(base: Values, theirs: Values, mine: Values): Conflict[] {
  return edited(base, theirs)
    .map((name) => ({ name, base: valueOf(base, name), theirs: valueOf(theirs, name), mine: valueOf(mine, name) }))
    .filter((one) => !sameValue(one.theirs, one.mine));
}

/** The form after theirs were looked at: fields edited here keep mine, unless told to take theirs. */
export function merged(base: Values, theirs: Values, mine: Values, takeTheirs: ReadonlySet<string>): Record<string, string> {
  const result: Record<string, string> = { ...theirs };
  for (const name of edited(base, mine)) if (!takeTheirs.has(name)) result[name] = valueOf(mine, name);
  return result;
}
