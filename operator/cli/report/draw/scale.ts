/** From values to pixels: linear, logarithmic and time scales with the ticks that people expect on them. */

export interface Tick {
  readonly value: number;
  readonly label: string;
}

export interface Scale {
  readonly from: number;
  readonly to: number;
  /** Pixel of a value; values beyond the ends lie beyond the ends. */
  readonly at: (value: number) => number;
}

/** @param range pixels of `from` and `to`; a domain without extent is drawn at its start. */
export function linear(from: number, to: number, range: readonly [number, number]): Scale {
  const extent = to - from || 1;
  return { from, to, at: (value) => range[0] + ((value - from) / extent) * (range[1] - range[0]) };
}

/** @param from above 0; what lies below it is drawn at it. */
export function logarithmic(from: number, to: number, range: readonly [number, number]): Scale {
  const inner = linear(Math.log(from), Math.log(to), range);
  return { from, to, at: (value) => inner.at(Math.log(Math.max(value, from))) };
}

/** Four equal steps from 0 to a round number that is at least `max`. */
export function roundTop(max: number): number {
  const high = Number.isFinite(max) && max > 0 ? max : 1;
  const decade = 10 ** Math.floor(Math.log10(high));
  return (
    ([1, 1.2, 1.6, 2, 2.4, 3.2, 4, 5, 6, 8, 10].find((times) => times * decade >= high * (1 - 1e-9)) ?? 10) *
    decade
  );
}

export function quarters(top: number): Tick[] {
  return [0, 0.25, 0.5, 0.75, 1].map((share) => ({ value: share * top, label: brief(share * top) }));
}

/** The next of 1, 2, 5, 10 … that is not below. */
export function roundUp(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((times) => times * decade >= value * (1 - 1e-9)) ?? 10) * decade;
}

/** Powers of ten from `from` to `to`. */
export function decades(from: number, to: number): Tick[] {
  const ticks: Tick[] = [];
  for (let power = Math.ceil(Math.log10(from) - 1e-9); 10 ** power <= to * (1 + 1e-9); power += 1) {
    const value = 10 ** power;
    ticks.push({ value, label: power < 0 ? value.toFixed(-power) : String(value) });
  }
  return ticks;
}

const HOUR_MS = 3_600_000;
const TIME_STEPS = [
  1 / 60,
  1 / 12,
  1 / 6,
  0.25,
  0.5,
  1,
  2,
  3,
  6,
  12,
  24,
  48,
  96,
  168,
  336,
  672,
  1344,
  2688,
].map((h) => h * HOUR_MS);

/** Round hours or days (UTC), at most `most` of them. */
export function timeTicks(fromMs: number, toMs: number, most: number): Tick[] {
  const step = TIME_STEPS.find((each) => (toMs - fromMs) / each <= most) ?? Math.max(toMs - fromMs, 1);
  const ticks: Tick[] = [];
  for (let at = Math.ceil(fromMs / step) * step; at <= toMs; at += step) {
    const iso = new Date(at).toISOString();
    const isDay = step >= 24 * HOUR_MS || at % (24 * HOUR_MS) === 0;
    ticks.push({ value: at, label: isDay ? dayOf(at) : iso.slice(11, 16) });
  }
  return ticks;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `14 Aug` in UTC. */
export function dayOf(ms: number): string {
  const at = new Date(ms);
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}`;
}

/** Three digits and a unit of thousands: 0.25, 7.5, 120, 3.4k, 12M. */
export function brief(value: number): string {
  const size = Math.abs(value);
  for (const [unit, name] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const)
    if (size >= unit) return `${trimmed(value / unit)}${name}`;
  return trimmed(value);
}

function trimmed(value: number): string {
  return String(Number(value.toPrecision(3)));
}
