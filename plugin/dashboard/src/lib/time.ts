// Times are shown relative to now, with the exact time on hover.

/** Milliseconds of a list's stamp (`2024-05-01 10:15:00.0`, UTC), an ISO time, or a number; NaN for none. */
export function moment(stamp: string | number | null | undefined): number {
  if (stamp === null || stamp === undefined || stamp === "") return NaN;
  if (typeof stamp === "number") return stamp;
  if (/^\d{10,}$/.test(stamp)) return Number(stamp);
  const found = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d)?(?:\.\d+)?)$/.exec(stamp);
  return Date.parse(found ? `${found[1]}T${found[2]}Z` : stamp);
}

const STEPS: [number, string][] = [
  [60, "s"],
  [60, "min"],
  [24, "h"],
  [30, "d"],
  [12, "mo"],
  [Infinity, "y"],
];

/** `12 min ago`; empty for no time. */
export function ago(at: number, now: number): string {
  if (Number.isNaN(at)) return "";
  let count = Math.max(0, (now - at) / 1000);
  if (count < 10) return "just now";
  for (const [size, unit] of STEPS) {
    if (count < size) return `${Math.floor(count)} ${unit} ago`;
    count /= size;
  }
  return "";
}

/** `1:02:03`, `00:38`. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${two(m)}:${two(s)}`;
}

export function exact(at: number): string {
  return Number.isNaN(at) ? "" : `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
