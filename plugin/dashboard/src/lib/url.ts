// Where we are is in the address, behind the #: `#/c/DEMO/subjects?mrs_3m=missing`. Every view is a link.
import { useEffect, useState } from "preact/hooks";

export interface Route {
  /** Decoded words of the path, e.g. ["c", "DEMO", "subjects"]. */
  path: string[];
  query: URLSearchParams;
}

export type QueryValues = Record<string, string | readonly string[] | undefined>;

function decode(word: string): string {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split(/\?(.*)/s);
  return { path: path.split("/").filter(Boolean).map(decode), query: new URLSearchParams(query) };
}

/** Address of a view; an undefined or empty value is left out, a list repeats its name. */
export function href(path: readonly string[], query: QueryValues | URLSearchParams = {}): string {
  const words = new URLSearchParams(query instanceof URLSearchParams ? query : undefined);
  if (!(query instanceof URLSearchParams)) {
    for (const [name, value] of Object.entries(query)) {
      for (const one of typeof value === "string" ? [value] : (value ?? [])) if (one) words.append(name, one);
    }
  }
  const tail = words.toString();
  return `#/${path.map(encodeURIComponent).join("/")}${tail ? `?${tail}` : ""}`;
}

export function go(path: readonly string[], query: QueryValues | URLSearchParams = {}): void {
  location.hash = href(path, query);
}

/** Change some values of the present query; `replace` keeps the history short (typing, sorting). */
export function change(values: QueryValues, replace = true): void {
  const here = parse(location.hash);
  for (const [name, value] of Object.entries(values)) {
    here.query.delete(name);
    for (const one of typeof value === "string" ? [value] : (value ?? [])) if (one) here.query.append(name, one);
  }
  const target = href(here.path, here.query);
  if (target === location.hash) return;
  if (replace) {
    history.replaceState(null, "", target);
    dispatchEvent(new HashChangeEvent("hashchange"));
  } else location.hash = target;
}

/** The present route; the component is drawn anew when it changes. */
export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => setHash(location.hash);
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return parse(hash);
}
