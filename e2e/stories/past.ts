/** A past for Prometheus that makes a forecast differ from the load of now. */

/**
 * Ten hours of minutes that jump about `mean` by as much as two thirds of it: no trend, but a wide band. The last
 * minute is `now`, where the live samples go on.
 */
export function noisyPast(mean: number, now: number): number[] {
  let state = 7;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const past = Array.from({ length: 600 }, () => Math.round(mean * (1 / 3 + (4 / 3) * random())));
  return [...past, now];
}
