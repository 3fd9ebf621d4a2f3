/**
 * Loads that nobody recorded, for what recorded ones do not show: noise without any pattern, spikes that never come
 * back, levels that change at once, and growth. On the first two nothing can be foreseen, and a predictive scaler must
 * then be no worse than a reactive one. Steps of a minute; the same seed gives the same load on every machine.
 */
import type { Trace } from './trace.ts';

const MINUTE_MS = 60_000;
const DAY = 1440;
/** A Monday. */
const START_MS = Date.UTC(2025, 0, 6);

export const GENERATED_DAYS = 28;
export const GENERATED_SEED = 20_250_106;

export type Random = () => number;

/** Uniform in [0, 1): a 32-bit xorshift with a multiplied output (Marsaglia; Vigna), enough for test loads. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return (Math.imul(state, 0x9e3779b1) >>> 0) / 2 ** 32;
  };
}

export function generatedTraces(days = GENERATED_DAYS, seed = GENERATED_SEED): Trace[] {
  return [whiteNoise, spikes, steps, growth].map((make, i) => make(days, seededRandom(seed + i)));
}

/** Independent counts around one level. */
export function whiteNoise(days: number, random: Random): Trace {
  return made('generated_white_noise', days, () => 200 + 40 * normal(random));
}

/** A quiet day's rhythm with a few spikes of 3 to 6 times the load, each at its own time, none ever repeated. */
export function spikes(days: number, random: Random): Trace {
  const extra = new Float64Array(days * DAY);
  for (let n = 0; n < days * 2; n++) {
    const at = Math.floor(random() * extra.length);
    const height = 400 + 600 * random();
    const minutes = 5 + Math.floor(40 * random());
    for (let i = at; i < Math.min(at + minutes, extra.length); i++)
      extra[i] = Math.max(extra[i] ?? 0, height);
  }
  return made('generated_spikes', days, (i) => (200 + 40 * wave(i)) * noisy(random, 0.05) + (extra[i] ?? 0));
}

/** Levels that hold for hours and change within a minute, at times that no clock tells. */
export function steps(days: number, random: Random): Trace {
  let level = 200;
  let left = 0;
  return made('generated_steps', days, () => {
    if (left-- <= 0) {
      level = 80 + 420 * random();
      left = 120 + Math.floor(600 * random());
    }
    return level * noisy(random, 0.03);
  });
}

/** Days and weekends as people make them, growing by 4 % a day. */
export function growth(days: number, random: Random): Trace {
  return made('generated_growth', days, (i) => {
    const day = Math.floor(i / DAY);
    const weekend = day % 7 >= 5 ? 0.6 : 1;
    return 100 * 1.04 ** (i / DAY) * weekend * (1 + 0.6 * wave(i)) * noisy(random, 0.06);
  });
}

function made(name: string, days: number, load: (i: number) => number): Trace {
  const values = Float64Array.from({ length: days * DAY }, (_, i) => Math.max(Math.round(load(i)), 0));
  return { name, startMs: START_MS, stepMs: MINUTE_MS, values };
}

/** One turn a day, lowest at 3 in the morning. */
function wave(minute: number): number {
  return -Math.cos((2 * Math.PI * (minute - 180)) / DAY);
}

function noisy(random: Random, share: number): number {
  return Math.max(1 + share * normal(random), 0);
}

/** Standard normal (Box & Muller 1958). */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
