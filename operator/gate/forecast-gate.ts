/**
 * Gate `ForecastScore`: the candidate must lose less than the incumbent on the test part, by what was asked as measured
 * and beyond doubt at all; and less than seasonal naive, or a day's table would do. Without an incumbent the same is
 * asked against seasonal naive.
 */
import { geometricMean } from '../simulate/accuracy/metrics.ts';
import { LEAST_BLOCKS, type PairedRatio, pairedRatio } from './paired-ratio.ts';
import type { GateResult, GateScores } from './types.ts';
import { pairsOf, type Who, type WindowScores } from './window-scores.ts';

export interface ForecastGateInput {
  readonly scores: readonly WindowScores[];
  readonly hasIncumbent: boolean;
  /** Share by which the candidate's loss must be lower; a negative one allows it to be so much higher. */
  readonly minImprovement: number;
}

/** Windows that the candidate may leave unanswered where the others answered. */
const MOST_UNANSWERED = 0;

export interface ForecastVerdict {
  readonly result: GateResult;
  readonly vsIncumbent: PairedRatio | undefined;
  readonly vsNaive: PairedRatio;
  /** To the better of seasonal naive and the last value. */
  readonly vsSimple: number | undefined;
}

export function forecastGate({ scores, hasIncumbent, minImprovement }: ForecastGateInput): ForecastVerdict {
  const vsIncumbent = hasIncumbent ? pairedRatio(pairsOf(scores, 'candidate', 'incumbent')) : undefined;
  const vsNaive = pairedRatio(pairsOf(scores, 'candidate', 'naive'));
  const unanswered = scores.reduce((sum, one) => sum + one.unanswered, 0);
  const silent = scores.find((one) => one.unanswered > 0);
  const decisive = vsIncumbent ?? vsNaive;
  const opponent = vsIncumbent === undefined ? 'seasonal naive' : 'the incumbent';
  const most = 1 - minImprovement;
  const mostUpper = Math.max(1, most);
  const complaints = [
    scores.length === 0 ? 'no window of the test part could be scored' : undefined,
    scores.length > 0 && Number.isNaN(decisive.upper95)
      ? `the test part is too short to tell: ${decisive.blocks} blocks of time, ${LEAST_BLOCKS} are needed`
      : undefined,
    unanswered > MOST_UNANSWERED
      ? `${unanswered} windows were left unanswered (${silent?.series ?? ''}: ${silent?.complaint ?? 'no answer'})`
      : undefined,
    decisive.ratio > most
      ? `its loss is ${ratio(decisive.ratio)} of that of ${opponent}, asked is at most ${ratio(most)}`
      : undefined,
    decisive.ratio <= most && decisive.upper95 > mostUpper
      ? `its loss is ${ratio(decisive.ratio)} of that of ${opponent}, but up to ${ratio(decisive.upper95)} cannot be ruled out at 95 %`
      : undefined,
    vsIncumbent !== undefined && !(vsNaive.ratio < 1)
      ? `its loss is ${ratio(vsNaive.ratio)} of that of seasonal naive`
      : undefined,
  ].filter((one) => one !== undefined);
  const worst = [...decisive.bySeries].sort(([, a], [, b]) => b - a)[0];
  return {
    vsIncumbent,
    vsNaive,
    vsSimple: vsBetterSimple(scores),
    result: {
      name: 'ForecastScore',
      verdict: complaints.length === 0 ? 'Pass' : 'Fail',
      measured: {
        lossVsIncumbent: finite(vsIncumbent?.ratio),
        lossVsIncumbentUpper95: finite(vsIncumbent?.upper95),
        lossVsNaive: finite(vsNaive.ratio),
        lossVsNaiveUpper95: finite(vsNaive.upper95),
        unanswered,
      },
      required:
        vsIncumbent === undefined
          ? { lossVsNaive: most, lossVsNaiveUpper95: mostUpper, unanswered: MOST_UNANSWERED }
          : {
              lossVsIncumbent: most,
              lossVsIncumbentUpper95: mostUpper,
              lossVsNaive: 1,
              unanswered: MOST_UNANSWERED,
            },
      message:
        complaints.length === 0
          ? `its loss is ${ratio(decisive.ratio)} of that of ${opponent} (at most ${ratio(decisive.upper95)} at 95 %), worst ${ratio(worst?.[1] ?? Number.NaN)} on ${worst?.[0] ?? ''}`
          : complaints.join('; '),
    },
  };
}

/** Headline scores of all windows. */
export function headline(
  scores: readonly WindowScores[],
  { vsIncumbent, vsNaive }: Pick<ForecastVerdict, 'vsIncumbent' | 'vsNaive'>,
): GateScores {
  const ratioOf = (measure: 'mae' | 'wql'): number | null =>
    finite(geometricMean(scores.map((one) => one[measure].candidate / one[measure].naive)));
  return {
    series: new Set(scores.filter((one) => one.windows > 0).map(({ series }) => series)).size,
    windows: scores.reduce((sum, { windows }) => sum + windows, 0),
    lossVsIncumbent: finite(vsIncumbent?.ratio),
    lossVsIncumbentUpper95: finite(vsIncumbent?.upper95),
    lossVsNaive: finite(vsNaive.ratio),
    lossVsNaiveUpper95: finite(vsNaive.upper95),
    relMase: ratioOf('mae'),
    relWql: ratioOf('wql'),
    coverage90: meanCoverage(scores, 'candidate', '0.9'),
    coverage95: meanCoverage(scores, 'candidate', '0.95'),
    coverage99: meanCoverage(scores, 'candidate', '0.99'),
  };
}

/** Mean over series and lead times; null of none. */
export function meanCoverage(
  scores: readonly WindowScores[],
  who: 'candidate' | 'incumbent',
  level: string,
): number | null {
  const shares = scores
    .map(({ coverage }) => coverage[who][level] ?? Number.NaN)
    .filter((one) => !Number.isNaN(one));
  return shares.length === 0 ? null : shares.reduce((sum, one) => sum + one, 0) / shares.length;
}

function vsBetterSimple(scores: readonly WindowScores[]): number | undefined {
  const total = (one: WindowScores, who: Who): number =>
    one.losses[who]?.reduce((sum, loss) => sum + loss, 0) ?? Number.NaN;
  const ratios = scores.map(
    (one) => total(one, 'candidate') / Math.min(total(one, 'naive'), total(one, 'last')),
  );
  const mean = geometricMean(ratios);
  return Number.isNaN(mean) ? undefined : mean;
}

export function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

function ratio(value: number): string {
  return value.toFixed(3);
}
