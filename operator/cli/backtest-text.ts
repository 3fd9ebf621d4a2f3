/** A backtest for the terminal: what was scored, every run in a line, and each policy over all traces. */
import type {
  BacktestAggregate,
  BacktestReport,
  BacktestResult,
  SkippedTrace,
} from '../simulate/report-types.ts';
import { table } from './text-table.ts';

export function backtestText(report: BacktestReport): string {
  const { settings, traces } = report;
  const blocks = [
    [
      `metric delay ${settings.metricDelaySeconds} s, target ${settings.target}, capacity ${settings.capacity}, coverage ${settings.coverage}, model ${settings.model ?? 'none'}`,
      ...traces.map(
        ({ trace, stepSeconds, from, to, days, capacity }) =>
          `${trace}: scored ${from} to ${to} (${days.toFixed(1)} days of ${stepSeconds} s steps), one replica carries ${Number(capacity.toPrecision(4))}`,
      ),
    ].join('\n'),
    table(RESULT_HEAD, report.results.map(resultRow)),
    table(AGGREGATE_HEAD, report.aggregate.filter(({ policy }) => policy !== 'hpa').map(aggregateRow)),
  ];
  blocks.push(skippedLines(report.skipped).join('\n'));
  blocks.push((report.failed ?? []).map(({ trace, reason }) => `${trace}: no results, ${reason}`).join('\n'));
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

/** One line per trace and reason. */
export function skippedLines(skipped: readonly SkippedTrace[]): string[] {
  const groups = Map.groupBy(skipped, ({ trace, reason }) => `${trace} ${reason}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const at = group.flatMap(({ startUpSeconds }) =>
      startUpSeconds === undefined ? [] : [`${startUpSeconds} s`],
    );
    return [`${first.trace}${at.length === 0 ? '' : ` at ${at.join(', ')}`}: skipped, ${first.reason}`];
  });
}

const RESULT_HEAD = [
  'trace',
  'start-up',
  'objective',
  'policy',
  'theta_U %',
  'theta_O %',
  'tau_U %',
  'tau_O %',
  'short min',
  'short repl·min',
  'repl·h',
  'actions/d',
  'eps',
  'coverage',
];

function resultRow(result: BacktestResult): string[] {
  return [
    result.trace,
    `${result.startUpSeconds} s`,
    result.objective,
    result.policy,
    result.thetaU.toFixed(3),
    result.thetaO.toFixed(1),
    result.tauU.toFixed(3),
    result.tauO.toFixed(1),
    result.underProvisionedMinutes.toFixed(0),
    result.replicaMinutesShort.toFixed(0),
    result.replicaHours.toFixed(0),
    result.actionsPerDay.toFixed(0),
    result.eps.toFixed(2),
    result.coverageRealised === null ? '' : `${(100 * result.coverageRealised).toFixed(2)} %`,
  ];
}

const AGGREGATE_HEAD = [
  'all traces',
  'objective',
  'policy',
  'short min vs hpa',
  'worst trace',
  'repl·h vs hpa',
  'worst trace',
  'coverage error',
];

function aggregateRow(line: BacktestAggregate): string[] {
  return [
    `${line.startUpSeconds} s (${line.traces})`,
    line.objective,
    line.policy,
    percent(line.underProvisionedMinutesVsHpa),
    named(line.worstUnderProvisionedMinutesVsHpa, line.worstTrace),
    percent(line.replicaHoursVsHpa),
    named(line.worstReplicaHoursVsHpa, line.worstReplicaHoursTrace),
    line.coverageError === null ? '' : `${(100 * line.coverageError).toFixed(2)} points`,
  ];
}

function named(ratio: number | null, trace: string | null): string {
  return trace === null ? '-' : `${percent(ratio)} ${trace}`;
}

function percent(ratio: number | null): string {
  return ratio === null ? '-' : `${ratio > 0 ? '+' : ''}${(100 * ratio).toFixed(1)} %`;
}
