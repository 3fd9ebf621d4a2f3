/**
 * Two judges that are in use elsewhere, for comparison. Both see the same pooled losses as ours, per time step, and say
 * at which step they would roll back.
 */

export interface Losses {
  /** [steps] pooled losses in units of the series' usual ones. */
  readonly stable: Float64Array;
  readonly canary: Float64Array;
}

export const WINDOW = 60;

/**
 * What Kayenta does with one metric: the Mann-Whitney test over a window of points of canary and of baseline, not
 * paired; canary fails when the 98 % interval of the shift (Hodges & Lehmann 1963) lies above a quarter of its own
 * estimate. A rollout asks at the end of each window, and one failure ends it.
 *
 * @returns the step after which canary is rolled back, undefined when it never is
 */
export function mannWhitney({ stable, canary }: Losses): number | undefined {
  for (let end = WINDOW; end <= stable.length; end += WINDOW) {
    const before = stable.subarray(end - WINDOW, end).filter((value) => !Number.isNaN(value));
    const after = canary.subarray(end - WINDOW, end).filter((value) => !Number.isNaN(value));
    if (Math.min(before.length, after.length) < WINDOW / 2) continue;
    const { low, estimate } = shift(before, after);
    if (low > 0.25 * Math.abs(estimate)) return end;
  }
  return undefined;
}

/** Canary's mean loss over the last hours is a tenth above stable's: what an alert rule would say. */
export function threshold({ stable, canary }: Losses, share = 0.1): number | undefined {
  let before = 0;
  let after = 0;
  for (let t = 0; t < stable.length; t++) {
    before += known(stable[t]) - (t >= WINDOW ? known(stable[t - WINDOW]) : 0);
    after += known(canary[t]) - (t >= WINDOW ? known(canary[t - WINDOW]) : 0);
    if (t + 1 >= WINDOW && after > (1 + share) * before) return t + 1;
  }
  return undefined;
}

/** Normal quantile of 0.99: a two-sided interval of 98 %. */
const Z = 2.326;

function shift(before: Float64Array, after: Float64Array): { low: number; estimate: number } {
  const differences = new Float64Array(before.length * after.length);
  after.forEach((a, i) => {
    before.forEach((b, j) => {
      differences[i * before.length + j] = a - b;
    });
  });
  differences.sort();
  const pairs = differences.length;
  const spread = Z * Math.sqrt((pairs * (before.length + after.length + 1)) / 12);
  const rank = Math.max(Math.floor(pairs / 2 - spread), 0);
  return { low: differences[rank] ?? Number.NaN, estimate: differences[Math.floor(pairs / 2)] ?? Number.NaN };
}

function known(value: number | undefined): number {
  return value === undefined || Number.isNaN(value) ? 0 : value;
}
