// Half a form is never lost: drafts stay in memory while one moves about, and leaving the page asks first.
import { useEffect, useState } from "preact/hooks";

const drafts = new Map<string, unknown>();

addEventListener("beforeunload", (event) => {
  if (drafts.size) event.preventDefault();
});

/** State of a form that outlives its component; `clear` when it was stored or given up. */
export function useDraft<T>(key: string, initial: T): [T, (value: T) => void, () => void] {
  const [value, setValue] = useState<T>(() => (drafts.has(key) ? (drafts.get(key) as T) : initial));
  useEffect(() => setValue(drafts.has(key) ? (drafts.get(key) as T) : initial), [key]);
  const set = (next: T) => {
    drafts.set(key, next);
    setValue(next);
  };
  const clear = () => {
    drafts.delete(key);
    setValue(initial);
  };
  return [value, set, clear];
}
