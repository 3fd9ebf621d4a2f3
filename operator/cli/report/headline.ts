/** What a backtest found, in words: what was gained, what it cost, and where it was worst. */
import { geometricMean } from '../../simulate/frontier.ts';
import type {
  BacktestReport,
  BacktestResult,
  FrontierCell,
  ObjectiveName,
} from '../../simulate/report-types.ts';
import { change, counted, duration, plain, startUp } from './numbers.ts';

export interface Headline {
  readonly first: string;
  readonly rest: readonly string[];
}

/** One of ours and HPA's on the same trace, start-up time and objective. */
export interface Pair {
  readonly ours: BacktestResult;
  readonly hpa: BacktestResult;
}

export function headline(report: BacktestReport): Headline {
  const sentences = [
    ...frontierSentences(report.frontier ?? []),
    ...report.settings.objectives.flatMap((objective) => objectiveSentences(report, objective)),
  ];
  const [first = 'Nothing to compare: the report holds no trace with both HPA and Foresail', ...rest] =
    sentences;
  return { first, rest };
}

export function pairs({ results }: Pick<BacktestReport, 'results'>): Pair[] {
  const hpa = new Map(results.filter(({ policy }) => policy === 'hpa').map((each) => [keyOf(each), each]));
  return results.flatMap((ours) => {
    const beside = ours.policy === 'foresail' ? hpa.get(keyOf(ours)) : undefined;
    return beside === undefined ? [] : [{ ours, hpa: beside }];
  });
}

/** Relative changes of one pair; null where HPA's own number is 0. */
export function changes({ ours, hpa }: Pair): { short: number | null; hours: number | null } {
  const relative = (a: number, b: number) => (b === 0 ? null : a / b - 1);
  return {
    short: relative(ours.underProvisionedMinutes, hpa.underProvisionedMinutes),
    hours: relative(ours.replicaHours, hpa.replicaHours),
  };
}

function keyOf({ trace, startUpSeconds, objective }: BacktestResult): string {
  return `${startUpSeconds} ${objective} ${trace}`;
}

function objectiveSentences(report: BacktestReport, objective: ObjectiveName): string[] {
  const compared = pairs(report).filter(({ ours }) => ours.objective === objective);
  if (compared.length === 0) return [];
  const sum = (of: (pair: Pair) => number) => compared.reduce((total, pair) => total + of(pair), 0);
  const [ours, hpa] = [
    sum((pair) => pair.ours.underProvisionedMinutes),
    sum((pair) => pair.hpa.underProvisionedMinutes),
  ];
  const hours = geometricMean(
    compared.flatMap((pair) => {
      const { hours: relative } = changes(pair);
      return relative === null ? [] : [1 + relative];
    }),
  );
  const short =
    hpa === 0 ? `short for ${duration(ours)}, HPA never` : `${moreOrLess(ours / hpa - 1)} time short`;
  const name = objective === 'availability' ? 'Availability' : 'Efficiency';
  const minutes = hpa === 0 ? '' : ` (${duration(ours)} against ${duration(hpa)})`;
  const cost = hours === null ? '' : ` at ${change(hours - 1)} replica-hours`;
  const worst = worstPair(compared, objective);
  return [`${name} against HPA at the same target: ${short}${minutes}${cost}${worst}`];
}

/** Where the promise of the objective was kept least. */
function worstPair(compared: readonly Pair[], objective: ObjectiveName): string {
  const promised = (pair: Pair) => changes(pair)[objective === 'availability' ? 'short' : 'hours'];
  const rated = compared.flatMap((pair) => {
    const value = promised(pair);
    return value === null ? [] : [{ pair, value }];
  });
  const worst = rated.toSorted((a, b) => b.value - a.value)[0];
  if (worst === undefined) return '';
  const { trace, startUpSeconds } = worst.pair.ours;
  const what = objective === 'availability' ? 'time short' : 'replica-hours';
  return `; worst: ${trace} at a start-up of ${startUp(startUpSeconds)}, ${change(worst.value)} ${what}`;
}

function frontierSentences(cells: readonly FrontierCell[]): string[] {
  if (cells.length === 0) return [];
  const rated = cells.flatMap((cell) => (cell.ratio === null ? [] : [{ cell, ratio: cell.ratio }]));
  const hpaMissing = cells.filter((cell) => cell.hpaReplicaHoursAtSameTauU === null).length;
  const oursMissing = cells.length - rated.length - hpaMissing;
  const missing = [
    ...(hpaMissing > 0 ? [`left out, since HPA reaches it at no target: ${hpaMissing}`] : []),
    ...(oursMissing > 0 ? [`lost, since no coverage of ours reaches it: ${oursMissing}`] : []),
  ];
  const mean = geometricMean(rated.map(({ ratio }) => ratio));
  if (mean === null) return [`No comparison at equal time short was possible: ${missing.join('; ')}`];
  const worst = rated.toSorted((a, b) => b.ratio - a.ratio)[0];
  const dearer = rated.filter(({ ratio }) => ratio > 1.02).length;
  const mostDear =
    worst === undefined ? '' : ` (worst: ${worst.cell.trace}, ${cheaperOrDearer(worst.ratio)})`;
  const where =
    worst === undefined
      ? []
      : [`worst at a start-up of ${startUp(worst.cell.startUpSeconds)} and tau_U ${worst.cell.tauU} %`];
  return [
    `At the same time short, Foresail is ${cheaperOrDearer(mean)} than HPA tuned in hindsight${mostDear}`,
    [
      `Mean of ${counted(rated.length, 'comparison')} at tau_U 0.1, 0.5 and 1 %`,
      ...where,
      `more than 2 % dearer: ${dearer}`,
      ...missing,
    ].join('; '),
  ];
}

function cheaperOrDearer(ratio: number): string {
  const percent = Math.abs(ratio - 1) * 100;
  if (percent < 0.05) return 'neither cheaper nor dearer';
  return `${plain(percent, percent < 9.95 ? 1 : 0)} % ${ratio < 1 ? 'cheaper' : 'dearer'}`;
}

function moreOrLess(relative: number): string {
  const percent = Math.abs(relative) * 100;
  return `${plain(percent, percent < 9.95 ? 1 : 0)} % ${relative <= 0 ? 'less' : 'more'}`;
}
