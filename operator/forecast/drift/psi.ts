/**
 * Has the distribution of the errors changed? Population stability index between a reference and a recent histogram:
 *
 *   PSI = sum over bins of (a - e) * ln(a / e),   e, a = share of the reference and of the recent values in the bin
 *
 * (the symmetrised Kullback-Leibler divergence; Lin 2017, "Examining Distributional Shifts by Using Population
 * Stability Index"). By custom below 0.1 nothing has changed and above 0.25 much has. Bins are quantiles of the
 * reference. For n0 and n1 independent values of the same distribution PSI is about (bins - 1) * (1/n0 + 1/n1), so few
 * values get few bins: noise alone must not reach 0.25. Values that cling to each other count for less.
 */

const MOST_BINS = 10;
/** Recent values that each bin should have. */
const PER_BIN = 20;
const FEWEST_BINS = 3;
/** Added to each bin so that an empty one is rare and not impossible (Jeffreys). */
const SMOOTHING = 0.5;

/**
 * @param reference, recent counts over the same fine grid
 * @param share of the values that count as independent, in (0, 1]
 * @returns undefined when there are too few recent values for three bins
 */
export function populationStabilityIndex(
  reference: ArrayLike<number>,
  recent: ArrayLike<number>,
  share = 1,
): number | undefined {
  const [n0, n1] = [total(reference), total(recent)];
  const bins = Math.min(MOST_BINS, Math.floor((share * Math.min(n0, n1)) / PER_BIN));
  if (bins < FEWEST_BINS) return undefined;
  const { expected, actual } = binned(reference, recent, n0, bins);
  const used = expected.length;
  let psi = 0;
  for (let bin = 0; bin < used; bin++) {
    const e = ((expected[bin] ?? 0) + SMOOTHING) / (n0 + SMOOTHING * used);
    const a = ((actual[bin] ?? 0) + SMOOTHING) / (n1 + SMOOTHING * used);
    psi += (a - e) * Math.log(a / e);
  }
  return psi;
}

/**
 * Cells of the grid gathered by the middle of their place in the reference's cumulative distribution. A cell that
 * holds much of the reference is a bin of its own, with what lies beside it apart; bins without any value are left out.
 */
function binned(reference: ArrayLike<number>, recent: ArrayLike<number>, n0: number, bins: number) {
  const expected = new Map<number, number>();
  const actual = new Map<number, number>();
  let below = 0;
  for (let cell = 0; cell < reference.length; cell++) {
    const [e, a] = [reference[cell] ?? 0, recent[cell] ?? 0];
    const bin = Math.min(Math.floor(((below + e / 2) / n0) * bins), bins - 1);
    below += e;
    if (e === 0 && a === 0) continue;
    expected.set(bin, (expected.get(bin) ?? 0) + e);
    actual.set(bin, (actual.get(bin) ?? 0) + a);
  }
  return { expected: [...expected.values()], actual: [...actual.values()] };
}

function total(counts: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < counts.length; i++) sum += counts[i] ?? 0;
  return sum;
}
