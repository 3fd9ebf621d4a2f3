/**
 * Gate `Decisions`: a better forecast that makes worse decisions is no improvement. Money and shortage are exchanged
 * for each other, so a candidate fails when it is clearly worse in one and not clearly better in the other. Clear means
 * by so much on average, and not by chance of a few series. Without an incumbent HPA stands in its place.
 */
import type { SeriesDecisions } from './decisions.ts';
import { tQuantile95 } from './t-quantile.ts';
import type { GateResult, SeriesNote } from './types.ts';

/** Replica-hours above the other's that are clearly dearer, and below that are clearly cheaper. */
export const CLEAR_COST = 0.05;
/** Change of the share of time short, in per cent points of time, that is clear: about 3 minutes a day. */
export const CLEAR_SHORT_POINTS = 0.2;
/** And relative to the other's. */
export const CLEAR_SHORT_SHARE = 0.1;
/** One or two series have no spread to speak of, and replica-hours of a single one are erratic. */
const FEW = 3;
const FEW_FACTOR = 3;

export interface DecisionsGateInput {
  readonly decisions: readonly SeriesDecisions[];
  readonly skipped: readonly SeriesNote[];
  readonly against: 'incumbent' | 'HPA';
}

export function decisionsGate({ decisions, skipped, against }: DecisionsGateInput): GateResult {
  if (decisions.length === 0)
    return {
      name: 'Decisions',
      verdict: 'Skip',
      measured: { replicaHours: null, shortPercent: null, otherShortPercent: null },
      required: {},
      message: `no series could be simulated: ${skipped[0]?.reason ?? 'there is none'}`,
    };
  const own = mean(decisions.map(({ candidate }) => candidate.tauU));
  const their = mean(decisions.map(({ other }) => other.tauU));
  const factor = decisions.length < FEW ? FEW_FACTOR : 1;
  const most = {
    cost: factor * CLEAR_COST,
    short: factor * Math.max(CLEAR_SHORT_POINTS, CLEAR_SHORT_SHARE * their),
  };
  const cost = boundsOf(
    decisions.map(({ candidate, other }) => Math.log(candidate.replicaHours / other.replicaHours)),
  );
  const short = boundsOf(decisions.map(({ candidate, other }) => candidate.tauU - other.tauU));
  const dearer = cost.middle > Math.log(1 + most.cost) && cost.lower > 0;
  const longer = short.middle > most.short && short.lower > 0;
  const [cheaper, shorter] = [cost.middle < Math.log(1 - most.cost), short.middle < -most.short];
  const fails = (dearer && !shorter) || (longer && !cheaper);
  const hours = Math.exp(cost.middle);
  const text =
    `replica-hours are ${hours.toFixed(3)} of ${against === 'HPA' ? "HPA's" : "the incumbent's"}, ` +
    `short for ${own.toFixed(2)} % of the time instead of ${their.toFixed(2)} %, on ${decisions.length} series`;
  return {
    name: 'Decisions',
    verdict: fails ? 'Fail' : 'Pass',
    measured: {
      replicaHours: hours,
      replicaHoursLower95: Math.exp(cost.lower),
      shortPercent: own,
      shortPercentMoreLower95: short.lower,
    },
    required: {
      replicaHours: 1 + most.cost,
      replicaHoursLower95: 1,
      shortPercent: their + most.short,
      shortPercentMoreLower95: 0,
    },
    message: fails ? `${dearer ? 'clearly dearer' : 'clearly longer short of replicas'}: ${text}` : text,
  };
}

/** One-sided 95 % bound of the mean over series; of fewer than three the mean itself. */
function boundsOf(values: readonly number[]): { readonly middle: number; readonly lower: number } {
  const middle = mean(values);
  if (values.length < FEW) return { middle, lower: middle };
  const variance = values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1);
  return { middle, lower: middle - tQuantile95(values.length - 1) * Math.sqrt(variance / values.length) };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
