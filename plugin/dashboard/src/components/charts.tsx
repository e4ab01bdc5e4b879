// Hand-made pictures of counts. Every bar is a link to its rows.

export interface Bar {
  label: string;
  count: number;
  href?: string | undefined;
}

const number = new Intl.NumberFormat("en");
export const count = (value: number): string => number.format(value);

/** Bars lying on their side: label, bar, number. */
export function Bars({ bars, of, most = 8 }: { bars: readonly Bar[]; of?: number; most?: number }) {
  const highest = Math.max(1, of ?? 0, ...bars.map((bar) => bar.count));
  const shown = bars.slice(0, most);
  const rest = bars.slice(most).reduce((sum, bar) => sum + bar.count, 0);
  return (
    <ul class="bars">
      {shown.map((bar) => (
        <li key={bar.label}>
          <BarLine bar={bar} share={bar.count / highest} text={of ? `${Math.round((100 * bar.count) / Math.max(1, of))} %` : count(bar.count)} />
        </li>
      ))}
      {rest > 0 && !of && (
        <li>
          <BarLine bar={{ label: `${bars.length - most} others`, count: rest }} share={rest / highest} text={count(rest)} />
        </li>
      )}
    </ul>
  );
}

function BarLine({ bar, share, text }: { bar: Bar; share: number; text: string }) {
  const inner = (
    <>
      <span class="bar-label">{bar.label}</span>
      <span class="bar-track">
        <span class="bar-fill" style={{ width: `${Math.max(1, 100 * Math.min(1, share))}%` }} />
      </span>
      <span class="bar-count">{text}</span>
    </>
  );
  return bar.href ? <a href={bar.href}>{inner}</a> : <div>{inner}</div>;
}

/** Upright bars, such as arrivals by month. */
export function Columns({ bars, height = 72, label }: { bars: readonly Bar[]; height?: number; label: string }) {
  const highest = Math.max(1, ...bars.map((bar) => bar.count));
  const step = 100 / Math.max(1, bars.length);
  return (
    <figure class="columns">
      <svg viewBox={`0 0 100 ${height}`} preserveAspectRatio="none" style={{ height: `${height}px` }} role="img" aria-label={`${label}: ${bars.map((bar) => `${bar.label} ${bar.count}`).join(", ")}`}>
        {bars.map((bar, at) => {
          const tall = bar.count ? Math.max(2, (bar.count / highest) * (height - 4)) : 0;
          return (
            <rect key={bar.label} x={at * step + step * 0.12} width={step * 0.76} y={height - tall} height={tall}>
              <title>{`${bar.label}: ${count(bar.count)}`}</title>
            </rect>
          );
        })}
      </svg>
      {bars.length > 0 && (
        <figcaption class={bars.length <= 8 ? "each" : ""}>
          {(bars.length <= 8 ? bars : [bars[0]!, bars[bars.length >> 1]!, bars.at(-1)!]).map((bar) => (
            <span key={bar.label}>{bar.label}</span>
          ))}
        </figcaption>
      )}
    </figure>
  );
}

/** Counts of numbers in bins of a width; `range` is shown in any case. */
export function bins(values: readonly number[], width: number, range?: readonly [number, number]): Bar[] {
  if (!values.length) return [];
  let [low, high] = range ?? [Infinity, -Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const start = Math.floor(low / width) * width;
  const counts = new Array<number>(Math.floor((high - start) / width) + 1).fill(0);
  for (const value of values) counts[Math.floor((value - start) / width)]! += 1;
  return counts.map((total, at) => ({ label: width === 1 ? `${start + at}` : `${start + at * width}–${start + (at + 1) * width - 1}`, count: total }));
}
