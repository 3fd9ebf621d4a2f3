/** Generated loads for tests: seeded, so a failure can be run again. */

/** mulberry32: small and good enough for test data. Uniform in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Standard normal numbers from uniform ones (Box & Muller). */
export function gaussian(random: () => number): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** A load of minutes with a daily rhythm and noise that clings (AR(1)); `shape` changes the level per minute. */
export function dailyLoad(
  minutes: number,
  seed: number,
  shape: (minute: number) => number = () => 1,
): Float64Array {
  const noise = gaussian(seeded(seed));
  let cling = 0;
  return Float64Array.from({ length: minutes }, (_, i) => {
    cling = 0.9 * cling + noise();
    const day = 1 + 0.5 * Math.sin((2 * Math.PI * i) / 1440);
    return Math.max(100 * shape(i) * day + 4 * cling, 0);
  });
}

export const MINUTE = 60_000;

/** Reads minutes of an array as history does: index 0 is the minute at time 0. */
export function readerOf(values: ArrayLike<number>) {
  return (endMs: number, stepMs: number, count: number): Float64Array => {
    const last = Math.floor(endMs / stepMs);
    return Float64Array.from({ length: count }, (_, i) => values[last - count + 1 + i] ?? Number.NaN);
  };
}
