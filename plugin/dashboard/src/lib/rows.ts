// XNAT's lists: {"ResultSet": {"Result": [{...}]}}, everything a text, columns spelled in several ways.
import { readJson, type Params } from "./api";

export interface ResultSet {
  ResultSet: { Result: Record<string, string>[] };
}

/** Find how a server spells a column: as asked, in other letters, or with the path before it. */
export function spelling(keys: readonly string[], name: string): string | undefined {
  const small = name.toLowerCase();
  return (
    keys.find((key) => key === name) ??
    keys.find((key) => key.toLowerCase() === small) ??
    keys.find((key) => key.toLowerCase().endsWith(`/${small}`))
  );
}

/** Rows with exactly the columns in `names`; a column that the server does not have is the empty text. */
export function pick<T extends string>(found: readonly Record<string, string>[], names: readonly T[]): Record<T, string>[] {
  const keys = found[0] ? Object.keys(found[0]) : [];
  const spelled = names.map((name) => [name, spelling(keys, name)] as const);
  return found.map((row) => {
    const made = {} as Record<T, string>;
    for (const [name, key] of spelled) made[name] = key === undefined ? "" : (row[key] ?? "");
    return made;
  });
}

/** Fetch a list; `columns` in the parameters is for the server, `names` are the columns wanted of its answer. */
export async function rows<T extends string>(path: string, params: Params, names: readonly T[], signal?: AbortSignal): Promise<Record<T, string>[]> {
  const answer = await readJson<ResultSet>(path, { format: "json", ...params }, signal);
  return pick(answer.ResultSet.Result, names);
}
