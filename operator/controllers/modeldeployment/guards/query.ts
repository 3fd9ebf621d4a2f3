/**
 * The guard that asks a Prometheus server, in the words of Argo Rollouts' analysis. A measurement is one of four: a
 * number inside the limits, a number outside, no number (empty, NaN), or no answer. A rollout lasts days and not
 * minutes, so the last two are counted in a row: a gap that has closed is forgotten, a failure is not.
 */
import type { Finding } from './finding.ts';
import { holding } from './finding.ts';

export interface QueryLimits {
  readonly max: number | undefined;
  readonly min: number | undefined;
  /** Numbers inside the limits before the guard is passed. */
  readonly count: number;
  /** Numbers outside that are put up with. */
  readonly failureLimit: number;
  /** Answers without a number, in a row, that are put up with. */
  readonly inconclusiveLimit: number;
  /** Failed requests, in a row, that are put up with. */
  readonly consecutiveErrorLimit: number;
}

/** What came of asking once. */
export type Measurement =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'none'; readonly why: string }
  | { readonly kind: 'error'; readonly why: string };

export class QueryGuard {
  readonly #name: string;
  readonly #limits: QueryLimits;
  #held = 0;
  #failed = 0;
  #none = 0;
  #errors = 0;
  #why = '';

  constructor(name: string, limits: QueryLimits) {
    this.#name = name;
    this.#limits = limits;
  }

  take(measurement: Measurement): void {
    if (measurement.kind !== 'number') {
      if (measurement.kind === 'none') this.#none += 1;
      else this.#errors += 1;
      this.#why = measurement.why;
      return;
    }
    if (Number.isNaN(measurement.value)) {
      this.take({ kind: 'none', why: 'the value is NaN' });
      return;
    }
    this.#none = 0;
    this.#errors = 0;
    const { max, min } = this.#limits;
    if ((max !== undefined && measurement.value > max) || (min !== undefined && measurement.value < min))
      this.#failed += 1;
    else this.#held += 1;
  }

  get finding(): Finding {
    const { max, min, count, failureLimit, inconclusiveLimit, consecutiveErrorLimit } = this.#limits;
    const [name, compared] = [this.#name, this.#held];
    if (this.#failed > failureLimit) {
      const limits = [max === undefined ? [] : [`above ${max}`], min === undefined ? [] : [`below ${min}`]];
      const times = this.#limits.failureLimit === 0 ? '' : ` more than ${failureLimit} times`;
      return {
        name,
        outcome: 'Breached',
        message: `its value was ${limits.flat().join(' or ')}${times}`,
        compared,
      };
    }
    if (this.#none > inconclusiveLimit || this.#errors > consecutiveErrorLimit)
      return { name, outcome: 'Blind', message: this.#why, compared };
    if (this.#held >= count) return { name, outcome: 'Passed', message: 'holds', compared };
    return holding(name, `fewer than ${count} answers were inside the limits`, compared);
  }
}
