/** Rules to compare with: a fixed number, yesterday's shape, and what a perfect forecast would do. */
import { demanded } from '../elasticity.ts';
import { DECISION_MS, type Policy } from '../simulate.ts';
import { knownSorted, quantileOf } from '../statistics.ts';

const DAY_MS = 86_400_000;
const LEVEL_MS = 30 * 60_000;

/** As many replicas as carry the load in 99 % of the trace, chosen in hindsight. */
export function staticPolicy(): Policy {
  return {
    name: 'static',
    begin({ values }, { capacity }) {
      const replicas = demanded(quantileOf(knownSorted(values), 0.99), capacity);
      return () => replicas;
    },
  };
}

/**
 * Yesterday's shape times the ratio of today's level to yesterday's over half an hour, at the target: the highest of
 * the time up to the start-up's end, because what is dropped now is gone now. Holds while it knows no yesterday.
 */
export function profilePolicy(target: number): Policy {
  return {
    name: 'profile',
    begin({ values, stepMs, startMs }, { capacity, startUpMs }) {
      const day = Math.round(DAY_MS / stepMs);
      const level = Math.max(Math.round(LEVEL_MS / stepMs), 1);
      return ({ nowMs, newest, ordered }) => {
        const ratio =
          mean(values, newest - level + 1, newest) / mean(values, newest - day - level + 1, newest - day);
        const from = Math.floor((nowMs - startMs) / stepMs);
        const to = Math.floor((nowMs + startUpMs + DECISION_MS - startMs) / stepMs);
        let peak = Number.NaN;
        for (let step = from; step <= to; step++) {
          const then = values[step - day] ?? Number.NaN;
          // Of a step that yesterday has not shown yet (coarse steps, long starts) nothing is known.
          if (step - day <= newest && !(then <= peak)) peak = then;
        }
        const load = peak * ratio;
        return Number.isFinite(load) ? demanded(load, target * capacity) : ordered;
      };
    },
  };
}

/** Knows the future: the most that will be demanded until what is ordered now is ready, and not one replica more. */
export function oraclePolicy(): Policy {
  return {
    name: 'oracle',
    begin(trace, { capacity, startUpMs }) {
      const { values, stepMs, startMs } = trace;
      return ({ nowMs }) => {
        const from = Math.floor((nowMs - startMs) / stepMs);
        const to = Math.floor(
          (nowMs + Math.ceil(startUpMs / DECISION_MS) * DECISION_MS + DECISION_MS - 1 - startMs) / stepMs,
        );
        let most = 1;
        for (let step = from; step <= to; step++) {
          const load = values[step] ?? Number.NaN;
          if (!Number.isNaN(load)) most = Math.max(most, demanded(load, capacity));
        }
        return most;
      };
    },
  };
}

/** Of steps [from, to]; NaN when none of them is known. */
function mean(values: Float64Array, from: number, to: number): number {
  let sum = 0;
  let count = 0;
  for (let i = Math.max(from, 0); i <= to; i++) {
    const value = values[i] ?? Number.NaN;
    if (Number.isNaN(value)) continue;
    sum += value;
    count += 1;
  }
  return sum / count;
}
