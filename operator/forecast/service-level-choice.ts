/**
 * Which of the replayed rules to follow under objective Efficiency. Their records are short: a spike a day makes a
 * dozen of the minutes that decide. So the promise is a price, not a wall, and the one that is followed stays until
 * another is clearly cheaper; without these the choice chases the last spikes and pays for each of them.
 *
 *   price_j = replicas_j * handicap_j + EXCESS_PRICE * reactive replicas * max(0, ln((short_j + unseen) / alpha))
 *
 * The logarithm bounds it: where HPA is short for ten times what was asked, nobody wants to pay ten times as much again.
 */

/** Being short for a hundredth longer than asked is worth so many hundredths of the replicas of the reactive rule. */
const EXCESS_PRICE = 4;
/** Steps short that are assumed beyond those that were seen, as Laplace's rule of succession does: none is no proof. */
const UNSEEN_STEPS = 8;
/** A change must make this share of the price good. */
const MARGIN = 0.02;

/** What a rule would have done lately: share of the steps short, mean replicas. */
export interface Record {
  readonly short: number;
  readonly replicas: number;
}

export interface Candidate extends Record {
  /** Its replicas count so many times: above 1 for a rule that must be clearly cheaper. */
  readonly handicap: number;
}

/**
 * @param alpha share of the time that may be short, above 0
 * @param weight of the newest step in the records
 * @param followed index of the one that is followed now; undefined in the beginning
 * @returns the index of the one to follow
 */
export function choose(
  candidates: readonly Candidate[],
  reactive: Record,
  { alpha, weight }: { readonly alpha: number; readonly weight: number },
  followed: number | undefined,
): number {
  const prices = candidates.map(({ short, replicas, handicap }) => {
    const excess = Math.max(Math.log((short + UNSEEN_STEPS * weight) / alpha), 0);
    return replicas * handicap + EXCESS_PRICE * reactive.replicas * excess;
  });
  const least = prices.indexOf(Math.min(...prices));
  const present = followed === undefined ? undefined : prices[followed];
  if (followed === undefined || present === undefined) return least;
  return (prices[least] as number) < present * (1 - MARGIN) ? least : followed;
}
