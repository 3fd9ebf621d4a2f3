/** All numbers of a backtest as tables. */
import type {
  BacktestAggregate,
  BacktestReport,
  BacktestResult,
  DefaultCoverageAggregate,
  DefaultCoverageCell,
  FailedTrace,
  FrontierAggregate,
  FrontierCell,
  ScoredTrace,
  SkippedTrace,
} from '../../simulate/report-types.ts';
import { change, percent, plain, reachable, saving, startUp } from './numbers.ts';
import { folded, paragraph } from './page.ts';
import { type Column, table } from './table.ts';

const startUpColumn = {
  name: 'start-up',
  of: ({ startUpSeconds }: { startUpSeconds: number }) => startUp(startUpSeconds),
};

export function resultTable({ results }: BacktestReport): string {
  const columns: Column<BacktestResult>[] = [
    { name: 'trace', isText: true, of: ({ trace }) => trace },
    startUpColumn,
    { name: 'objective', isText: true, of: ({ objective }) => objective },
    { name: 'policy', isText: true, of: ({ policy }) => policy },
    {
      name: 'min short',
      meaning: 'under-provisioned minutes',
      of: (row) => plain(row.underProvisionedMinutes),
    },
    { name: 'replica-min short', of: (row) => plain(row.replicaMinutesShort, 0) },
    { name: 'replica-hours', of: (row) => plain(row.replicaHours, 0) },
    { name: 'tau_U', meaning: 'share of the time short', of: (row) => percent(row.tauU) },
    { name: 'theta_U', meaning: 'mean relative shortage', of: (row) => percent(row.thetaU) },
    { name: 'tau_O', meaning: 'share of the time with a surplus', of: (row) => percent(row.tauO) },
    { name: 'theta_O', meaning: 'mean relative surplus', of: (row) => percent(row.thetaO) },
    { name: 'actions/day', of: (row) => plain(row.actionsPerDay, 0) },
    {
      name: 'eps',
      meaning: 'elastic speed-up against HPA; above 1 is better',
      of: (row) => plain(row.eps, 2),
    },
    { name: 'asked', meaning: 'coverage asked', of: (row) => share(row.coverageAsked) },
    { name: 'realised', meaning: 'coverage realised at lead time', of: (row) => share(row.coverageRealised) },
    {
      name: 'in top decile',
      meaning: 'coverage realised in the top decile of load',
      of: (row) => share(row.coverageRealisedTopDecile),
    },
  ];
  return table(results, columns);
}

export function aggregateTables({ aggregate }: BacktestReport): string {
  const columns: Column<BacktestAggregate>[] = [
    { name: 'policy', isText: true, of: ({ policy, objective }) => `${policy}, ${objective}` },
    startUpColumn,
    { name: 'traces', of: ({ traces }) => String(traces) },
    {
      name: 'time short',
      of: (row) => change(row.underProvisionedMinutesVsHpa),
      tone: (row) => tone(row.underProvisionedMinutesVsHpa),
    },
    {
      name: 'replica-hours',
      of: (row) => change(row.replicaHoursVsHpa),
      tone: (row) => tone(row.replicaHoursVsHpa),
    },
    {
      name: 'worst time short',
      isText: true,
      of: (row) => worst(row.worstTrace, row.worstUnderProvisionedMinutesVsHpa),
    },
    {
      name: 'worst replica-hours',
      isText: true,
      of: (row) => worst(row.worstReplicaHoursTrace, row.worstReplicaHoursVsHpa),
    },
    { name: 'coverage off by', of: (row) => points(row.coverageError) },
    {
      name: 'worst coverage',
      isText: true,
      of: (row) =>
        row.worstCoverageTrace === null ? '–' : `${row.worstCoverageTrace} ${points(row.worstCoverageError)}`,
    },
  ];
  return table(aggregate, columns, 'Against HPA at the same target, over all traces');
}

export function frontierTables(report: BacktestReport): string {
  const {
    frontier = [],
    frontierAggregate = [],
    frontierDefault = [],
    frontierDefaultAggregate = [],
  } = report;
  const byMark: Column<FrontierAggregate>[] = [
    { name: 'time short', of: ({ tauU }) => percent(tauU) },
    startUpColumn,
    { name: 'ours against tuned HPA', of: ({ ratio }) => saving(ratio), tone: toneOfRatio },
    { name: 'traces', of: ({ traces }) => String(traces) },
    { name: 'worst', isText: true, of: (row) => worst(row.worstTrace, less(row.worstRatio)) },
    { name: 'HPA not reachable', of: ({ hpaUnreachable }) => String(hpaUnreachable) },
    { name: 'ours not reachable', of: ({ oursUnreachable }) => String(oursUnreachable) },
  ];
  const cells: Column<FrontierCell>[] = [
    { name: 'trace', isText: true, of: ({ trace }) => trace },
    startUpColumn,
    { name: 'time short', of: ({ tauU }) => percent(tauU) },
    { name: 'compared at', of: ({ comparedAtTauU }) => percent(comparedAtTauU) },
    { name: 'replica-hours', of: ({ replicaHours }) => reachable(replicaHours, 0) },
    { name: 'tuned HPA', of: (row) => reachable(row.hpaReplicaHoursAtSameTauU, 0) },
    { name: 'change', of: ({ ratio }) => saving(ratio), tone: toneOfRatio },
  ];
  const defaultCells: Column<DefaultCoverageCell>[] = [
    { name: 'trace', isText: true, of: ({ trace }) => trace },
    startUpColumn,
    { name: 'coverage', of: ({ coverage }) => String(coverage) },
    { name: 'time short', of: ({ tauU }) => percent(tauU) },
    { name: 'replica-hours', of: ({ replicaHours }) => plain(replicaHours, 0) },
    { name: 'tuned HPA', of: (row) => reachable(row.hpaReplicaHoursAtSameTauU, 0) },
    { name: 'change', of: ({ ratio }) => saving(ratio), tone: toneOfRatio },
  ];
  const defaults: Column<DefaultCoverageAggregate>[] = [
    { name: 'coverage', of: ({ coverage }) => String(coverage) },
    startUpColumn,
    { name: 'ours against tuned HPA', of: ({ ratio }) => saving(ratio), tone: toneOfRatio },
    { name: 'traces', of: ({ traces }) => String(traces) },
    { name: 'worst', isText: true, of: (row) => worst(row.worstTrace, less(row.worstRatio)) },
    { name: 'HPA not reachable', of: ({ hpaUnreachable }) => String(hpaUnreachable) },
    { name: 'HPA never as short', of: ({ hpaNeverAsShort }) => String(hpaNeverAsShort) },
  ];
  return [
    table(frontierAggregate, byMark, 'Replica-hours against HPA tuned in hindsight to the same time short'),
    table(
      frontierDefaultAggregate,
      defaults,
      'The default coverage, untouched, against HPA tuned to the time short it realised',
    ),
    folded('Each comparison at equal time short', table(frontier, cells)),
    folded('Each comparison of the default coverage', table(frontierDefault, defaultCells)),
  ].join('\n');
}

export function settingsTables({ settings, traces, skipped, failed = [] }: BacktestReport): string {
  const scored: Column<ScoredTrace>[] = [
    { name: 'trace', isText: true, of: ({ trace }) => trace },
    { name: 'step', of: ({ stepSeconds }) => startUp(stepSeconds) },
    { name: 'one replica carries', of: ({ capacity }) => plain(capacity, 1) },
    { name: 'scored from', of: ({ from }) => from },
    { name: 'to', of: ({ to }) => to },
    { name: 'days', of: ({ days }) => plain(days, 1) },
  ];
  const left: Column<SkippedTrace>[] = [
    { name: 'trace', isText: true, of: ({ trace }) => trace },
    {
      name: 'start-up',
      of: ({ startUpSeconds }) => (startUpSeconds === undefined ? 'all' : startUp(startUpSeconds)),
    },
    { name: 'reason', isText: true, of: ({ reason }) => reason },
  ];
  const lost: Column<FailedTrace>[] = [
    { name: 'trace', isText: true, of: ({ trace }) => trace },
    { name: 'reason', isText: true, of: ({ reason }) => reason },
  ];
  return [
    paragraph(
      `Target ${settings.target} of the capacity (${settings.capacity}), metrics ${startUp(settings.metricDelaySeconds)} late, ` +
        `coverage ${settings.coverage}, model ${settings.model ?? 'none'}. A virtual clock with steps of 15 s, one decision each; at least 1 replica, no most.`,
    ),
    table(traces, scored, 'Scored'),
    table(skipped, left, 'Skipped'),
    table(failed, lost, 'Without results'),
  ].join('\n');
}

function share(value: number | null): string {
  return value === null ? '–' : percent(value * 100);
}

/** 0.004 as 0.4 points. */
function points(value: number | null): string {
  return value === null ? '–' : `${plain(value * 100, 2)} points`;
}

function worst(trace: string | null, relative: number | null): string {
  return trace === null ? '–' : `${trace} ${change(relative)}`;
}

function less(ratio: number | null): number | null {
  return ratio === null ? null : ratio - 1;
}

function tone(relative: number | null): 'better' | 'worse' | undefined {
  if (relative === null || Math.abs(relative) < 0.0005) return undefined;
  return relative < 0 ? 'better' : 'worse';
}

function toneOfRatio({ ratio }: { readonly ratio: number | null }): 'better' | 'worse' | undefined {
  return tone(less(ratio));
}
