/** The 95 % quantile of Student's t: how much wider a bound from few observations must be. */

const NORMAL_95 = 1.6448536269514722;
/** Of 1 to 4 degrees of freedom, where the expansion is not good enough. */
const FEW = [6.313752, 2.919986, 2.353363, 2.131847] as const;

/**
 * Cornish-Fisher expansion (Abramowitz & Stegun 26.7.5), within 0.002 from 4 degrees of freedom on.
 *
 * @param df degrees of freedom, above 0; between 1 and 4 linear, below 1 as 1
 */
export function tQuantile95(df: number): number {
  if (df < FEW.length) {
    const low = Math.floor(Math.max(df, 1));
    const [a, b] = [FEW[low - 1] ?? FEW[0], FEW[low] ?? FEW[3]];
    return a + (Math.max(df, 1) - low) * (b - a);
  }
  const z = NORMAL_95;
  return (
    z +
    (z ** 3 + z) / (4 * df) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * df ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * df ** 3)
  );
}
