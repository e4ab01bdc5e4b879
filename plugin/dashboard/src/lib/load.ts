// Loading for a component: a skeleton first, then the value or the refusal.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

export interface Loaded<T> {
  value: T | undefined;
  error: unknown;
  loading: boolean;
  reload: () => void;
}

/** Run `work` when `keys` change. A value stays shown while it is loaded again. */
export function useLoad<T>(work: (signal: AbortSignal) => Promise<T>, keys: readonly unknown[]): Loaded<T> {
  const [state, setState] = useState<{ value: T | undefined; error: unknown; loading: boolean }>({
    value: undefined,
    error: undefined,
    loading: true,
  });
  const [turn, setTurn] = useState(0);
  const shown = useRef<readonly unknown[]>([]);
  useEffect(() => {
    const stop = new AbortController();
    const same = shown.current.length === keys.length && shown.current.every((key, at) => Object.is(key, keys[at]));
    shown.current = keys;
    setState((old) => ({ value: same ? old.value : undefined, error: undefined, loading: true }));
    work(stop.signal).then(
      (value) => stop.signal.aborted || setState({ value, error: undefined, loading: false }),
      (error: unknown) => stop.signal.aborted || setState((old) => ({ value: old.value, error, loading: false })),
    );
    return () => stop.abort();
  }, [...keys, turn]);
  const reload = useCallback(() => setTurn((old) => old + 1), []);
  return { ...state, reload };
}

const remembered = new Map<string, { at: number; value: Promise<unknown> }>();

/** Ask once for what several screens need; forgotten after `seconds` or by `forget`. */
export function once<T>(key: string, work: () => Promise<T>, seconds = 30): Promise<T> {
  const found = remembered.get(key);
  if (found && Date.now() - found.at < seconds * 1000) return found.value as Promise<T>;
  const value = work();
  remembered.set(key, { at: Date.now(), value });
  value.catch(() => remembered.delete(key));
  return value;
}

/** Forget what `once` remembers under keys that begin so. */
export function forget(prefix = ""): void {
  for (const key of [...remembered.keys()]) if (key.startsWith(prefix)) remembered.delete(key);
}
