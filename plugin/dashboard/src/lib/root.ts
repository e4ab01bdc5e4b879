// The archive may live below a context path: its root is everything before our own folder.
const OURS = "/lethe/";

export type Params = Record<string, string | number | boolean | undefined>;

export function rootOf(pathname: string): string {
  const at = pathname.lastIndexOf(OURS);
  return at < 0 ? "" : pathname.slice(0, at);
}

/** Full address of a REST path such as `/data/projects`; undefined parameters are left out. */
export function address(path: string, params: Params = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== undefined) query.set(name, String(value));
  const tail = query.toString();
  return `${rootOf(location.pathname)}${path}${tail ? `?${tail}` : ""}`;
}

/** A path from words, each of them encoded: `path("data", "projects", id)`. */
export function path(...words: string[]): string {
  return words.map((word) => `/${encodeURIComponent(word)}`).join("");
}
