/**
 * Loads whose nature does not change, to count alarms that should not have been, and loads whose nature changes at a
 * known time, to see how soon it is noticed. Minutes, seeded, never negative.
 */
import { gaussian, seeded } from '../../testing/series.ts';

const DAY = 1440;

/** What changes at `at`: how far the noise swings and where in the day we are. */
export interface Change {
  readonly at: number;
  /** Standard deviation of the noise becomes this many times as large. */
  readonly noise?: number;
  /** The daily rhythm moves by this many minutes. */
  readonly phase?: number;
  /** The whole load becomes this many times as large. */
  readonly level?: number;
}

export type LoadKind = keyof typeof KINDS;

/** Load of one minute; `t` is the minute of the daily rhythm, `noise` and `level` what a change makes of them. */
type Minute = (t: number, noise: number, level: number) => number;

const day = (t: number): number => 1 + 0.5 * Math.sin((2 * Math.PI * t) / DAY);
const weekend = (t: number): boolean => Math.floor(t / DAY) % 7 >= 5;

/** Each takes its random numbers from `random` alone. */
const KINDS = {
  'white noise': (random) => {
    const normal = gaussian(random);
    return (_t, noise, level) => level * (100 + 10 * noise * normal());
  },
  'AR(1), 0.9': (random) => {
    const normal = gaussian(random);
    let state = 0;
    return (_t, noise, level) => {
      state = 0.9 * state + normal();
      return level * (100 + 5 * noise * state);
    };
  },
  'day, noise of one size': (random) => {
    const normal = gaussian(random);
    let state = 0;
    return (t, noise, level) => {
      state = 0.9 * state + normal();
      return level * (100 * day(t) + 4 * noise * state);
    };
  },
  'day, noise by night only': (random) => {
    const normal = gaussian(random);
    return (t, noise, level) => level * (100 * day(t) + (t % DAY < DAY / 4 ? 15 : 2) * noise * normal());
  },
  'week, noise grows with load': (random) => {
    const normal = gaussian(random);
    return (t, noise, level) => {
      const rhythm = (weekend(t) ? 40 : 100) * day(t);
      return level * rhythm * (1 + 0.1 * noise * normal());
    };
  },
  'Poisson, 3 a minute': (random) => {
    return (t, noise, level) => noise * poisson(random, (level * 3 * day(t)) / noise);
  },
  'Poisson, 300 a minute': (random) => {
    return (t, noise, level) => noise ** 2 * poisson(random, (level * 300 * day(t)) / noise ** 2);
  },
  'heavy tails (Student t, 2.5)': (random) => {
    const normal = gaussian(random);
    return (t, noise, level) => level * (100 * day(t) + 5 * noise * studentT(normal, random));
  },
  'bursts (two states)': (random) => {
    const normal = gaussian(random);
    let burst = false;
    return (t, noise, level) => {
      burst = burst ? random() > 1 / 20 : random() < 1 / 300;
      return level * (100 * day(t) * (burst ? 2 : 1) + 5 * noise * normal());
    };
  },
  'random walk': (random) => {
    const normal = gaussian(random);
    let state = 1000;
    return (_t, noise, level) => {
      state = Math.abs(state + 3 * noise * normal());
      return level * state;
    };
  },
  'hourly job': (random) => {
    const normal = gaussian(random);
    return (t, noise, level) => level * (50 + (t % 60 < 5 ? 150 : 0) + 5 * noise * normal());
  },
  'constant zero': () => () => 0,
} satisfies Readonly<Record<string, (random: () => number) => Minute>>;

export const LOAD_KINDS = Object.keys(KINDS) as readonly LoadKind[];

export function load(kind: LoadKind, minutes: number, seed: number, change?: Change): Float64Array {
  const minute: Minute = KINDS[kind](seeded(seed));
  return Float64Array.from({ length: minutes }, (_, i) => {
    const { noise = 1, phase = 0, level = 1 } = change !== undefined && i >= change.at ? change : {};
    return Math.max(minute(i + phase, noise, level), 0);
  });
}

/** Knuth's product for small means, a rounded normal beyond. */
function poisson(random: () => number, mean: number): number {
  if (mean > 50) return Math.max(Math.round(mean + Math.sqrt(mean) * gaussian(random)()), 0);
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count++;
  return count;
}

/** Student's t with 2.5 degrees of freedom: a normal over the root of a chi-square (a gamma of shape 1.25) over 2.5. */
function studentT(normal: () => number, random: () => number): number {
  return normal() / Math.sqrt(gamma(1.25, normal, random) / 1.25);
}

/** Marsaglia & Tsang 2000, for a shape of one or more; scale 1. */
function gamma(shape: number, normal: () => number, random: () => number): number {
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}
