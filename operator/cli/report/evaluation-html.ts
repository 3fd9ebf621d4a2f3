/** The page of an evaluation: which forecaster is best and how far its coverage can be trusted, then all numbers. */
import {
  CALIBRATED,
  type EvaluatedModel,
  type EvaluationAggregate,
  type EvaluationNote,
  type EvaluationReport,
  type EvaluationResult,
  type FailedSeries,
  type ScenarioResult,
  type SpeedResult,
} from '../../simulate/accuracy/report-types.ts';
import { accuracySvg } from './accuracy-chart.ts';
import { calibrationSvg } from './calibration-chart.ts';
import { percent, plain, startUp } from './numbers.ts';
import { figure, folded, page, paragraph, section } from './page.ts';
import { type Column, table } from './table.ts';

/** @param command what made the report. */
export function evaluationHtml(report: EvaluationReport, command: string): string {
  const aggregate = report.aggregate.toSorted(byLoss);
  // Calibration moves the upper band of a forecast; that is no rival of the forecast itself.
  const own = aggregate.filter(({ model }) => !model.endsWith(CALIBRATED));
  const [headline = 'Nothing to compare: no series entered the aggregate', ...lead] = best(own);
  return page({
    title: 'Foresail forecast evaluation',
    headline,
    lead: [...incomplete(report), ...lead],
    command,
    sections: [
      section(
        'Accuracy',
        figure(
          accuracySvg(own),
          'Geometric mean over series of the ratio to seasonal naive; MASE of the point forecast, WQL of the quantiles 0.1 to 0.9.',
        ) + table(own, aggregateColumns),
      ),
      section(
        'Calibration',
        figure(
          calibrationSvg(aggregate),
          'Mean over series; the tables say what was realised at each level, by how many points single series are off, and what was realised at the peaks (top decile of the load). The grey strip is ±0.4 points; an arrow lies further out than ten points.',
        ) + table(aggregate, calibrationColumns),
      ),
      section('Disturbed loads', table(report.scenarios ?? [], scenarioColumns)),
      section('Speed', table(report.speed, speedColumns)),
      section(
        'All numbers',
        [
          folded('Every series', table(report.results, resultColumns)),
          folded('Not scored', table(report.skipped, noteColumns)),
          folded('Without results', table(report.failed ?? [], failedColumns)),
        ].join('\n'),
      ),
      section('How it was made', paragraph(report.settings.protocol) + table(report.models, modelColumns)),
    ],
  });
}

/** Before all numbers: they are not those that were asked for. */
function incomplete({ failed = [] }: EvaluationReport): string[] {
  const names = failed.map(({ series }) => series).join(', ');
  return failed.length === 0
    ? []
    : [`Not the whole of it: ${failed.length} series without results, ${names}`];
}

function byLoss(a: EvaluationAggregate, b: EvaluationAggregate): number {
  const loss = ({ relWql, relMase }: EvaluationAggregate) => relWql ?? relMase ?? Number.POSITIVE_INFINITY;
  return a.horizonSeconds - b.horizonSeconds || loss(a) - loss(b) || 0;
}

/** Who is best most often; then, per horizon, by how much, who comes next and where the best is worst. */
function best(aggregate: readonly EvaluationAggregate[]): string[] {
  const ranked = [...Map.groupBy(aggregate, ({ horizonSeconds }) => horizonSeconds).values()].flatMap(
    (rows) => {
      const rated = rows.flatMap((row) => (row.relWql === null ? [] : [{ ...row, relWql: row.relWql }]));
      const [first, next] = rated;
      return first === undefined ? [] : [{ first, next }];
    },
  );
  const wins = [...Map.groupBy(ranked, ({ first }) => first.model)].toSorted(
    (a, b) => b[1].length - a[1].length,
  );
  const [most] = wins;
  if (most === undefined) return [];
  const losses = most[1].map(({ first }) => first.relWql);
  const range = [...new Set([Math.min(...losses), Math.max(...losses)].map((loss) => plain(loss, 2)))];
  const where = ranked.length === 1 ? '' : ` at ${most[1].length} of ${ranked.length} horizons`;
  return [
    `${most[0]} forecasts best${where}: ${range.join(' to ')} of seasonal naive's quantile loss`,
    ...ranked.map(({ first, next }) =>
      [
        `${startUp(first.horizonSeconds)} ahead, ${first.series} series: ${first.model} ${plain(first.relWql, 3)} (point forecast ${plain(first.relMase, 3)})`,
        ...(next === undefined ? [] : [`next ${next.model} ${plain(next.relWql, 3)}`]),
        ...(first.worstSeries === null
          ? []
          : [`worst on ${first.worstSeries}, ${plain(first.worstRelWql, 2)}`]),
      ].join('; '),
    ),
  ];
}

const horizon = {
  name: 'ahead',
  of: ({ horizonSeconds }: { readonly horizonSeconds: number }) => startUp(horizonSeconds),
};
const model = { name: 'forecaster', isText: true, of: (row: { readonly model: string }) => row.model };

const aggregateColumns: Column<EvaluationAggregate>[] = [
  model,
  horizon,
  {
    name: 'relMASE',
    meaning: 'error relative to seasonal naive',
    of: (row) => plain(row.relMase, 3),
    tone: (row) => toneOf(row.relMase),
  },
  {
    name: 'relWQL',
    meaning: 'quantile loss relative to seasonal naive',
    of: (row) => plain(row.relWql, 3),
    tone: (row) => toneOf(row.relWql),
  },
  { name: 'WAPE', of: (row) => share(row.wape) },
  { name: 'series', of: ({ series }) => String(series) },
  { name: 'better than naive', of: (row) => String(row.betterThanNaive) },
  {
    name: 'worst series',
    isText: true,
    of: (row) => (row.worstSeries === null ? '–' : `${row.worstSeries} ${plain(row.worstRelWql, 2)}`),
  },
];

const calibrationColumns: Column<EvaluationAggregate>[] = [
  model,
  horizon,
  ...perLevel('at', ({ coverage }: EvaluationAggregate, level) => share(coverage[level])),
  ...perLevel('off at', ({ coverageError }: EvaluationAggregate, level) => points(coverageError[level])),
  ...perLevel('peak at', ({ coverageTopDecile }: EvaluationAggregate, level) =>
    share(coverageTopDecile[level]),
  ),
  {
    name: 'worst at 0.99',
    isText: true,
    of: ({ worstCoverage }) => {
      const worst = worstCoverage['0.99'];
      return worst === undefined ? '–' : `${worst.series} ${share(worst.realised)}`;
    },
  },
];

const scenarioColumns: Column<ScenarioResult>[] = [
  { name: 'load', isText: true, of: ({ scenario }) => scenario },
  model,
  horizon,
  { name: 'loss against undisturbed', of: (row) => plain(row.wqlVsClean, 2) },
  { name: 'relWQL', of: (row) => plain(row.relWql, 3), tone: (row) => toneOf(row.relWql) },
  { name: 'realised at 0.9', of: ({ coverage }) => share(coverage['0.9']) },
  { name: 'series', of: ({ series }) => String(series) },
];

const speedColumns: Column<SpeedResult>[] = [
  model,
  { name: 'p50, ms', of: ({ p50Ms }) => plain(p50Ms, 2) },
  { name: 'p99, ms', of: ({ p99Ms }) => plain(p99Ms, 2) },
  { name: 'series/s', of: ({ seriesPerSecond }) => plain(seriesPerSecond, 0) },
  { name: 'in batches of', of: ({ batch }) => String(batch) },
  { name: 'file, MB', of: ({ fileBytes }) => plain(fileBytes === null ? null : fileBytes / 1e6, 2) },
  { name: 'memory, MiB', of: ({ memoryMiB }) => plain(memoryMiB, 0) },
];

const resultColumns: Column<EvaluationResult>[] = [
  { name: 'series', isText: true, of: ({ series }) => series },
  model,
  horizon,
  { name: 'relMASE', of: (row) => plain(row.relMase, 3), tone: (row) => toneOf(row.relMase) },
  { name: 'relWQL', of: (row) => plain(row.relWql, 3), tone: (row) => toneOf(row.relWql) },
  { name: 'WAPE', of: (row) => share(row.wape) },
  { name: 'bias', of: (row) => share(row.bias) },
  { name: 'MAE', of: (row) => plain(row.mae, 2) },
  { name: 'RMSE', of: (row) => plain(row.rmse, 2) },
  { name: 'R²', of: (row) => plain(row.r2, 3) },
  ...perLevel('at', ({ coverage }: EvaluationResult, level) => share(coverage[level])),
  { name: 'forecasts', of: ({ n }) => plain(n, 0) },
  { name: 'left out', isText: true, of: ({ leftOut }) => leftOut ?? '' },
];

const noteColumns: Column<EvaluationNote>[] = [
  { name: 'series', isText: true, of: ({ series }) => series },
  { name: 'forecaster', isText: true, of: (row) => row.model ?? 'all' },
  {
    name: 'ahead',
    of: ({ horizonSeconds }) => (horizonSeconds === undefined ? 'any' : startUp(horizonSeconds)),
  },
  { name: 'reason', isText: true, of: ({ reason }) => reason },
];

const failedColumns: Column<FailedSeries>[] = [
  { name: 'series', isText: true, of: ({ series }) => series },
  { name: 'reason', isText: true, of: ({ reason }) => reason },
];

const modelColumns: Column<EvaluatedModel>[] = [
  model,
  { name: 'what', isText: true, of: ({ summary }) => summary },
  { name: 'digest', isText: true, of: ({ digest }) => digest },
  { name: 'trained on', isText: true, of: ({ trainingSources }) => trainingSources.join(', ') || '–' },
];

function perLevel<T>(name: string, of: (row: T, level: string) => string): Column<T>[] {
  return ['0.9', '0.95', '0.99'].map((level) => ({ name: `${name} ${level}`, of: (row) => of(row, level) }));
}

function share(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : percent(value * 100);
}

function points(value: number | undefined): string {
  return value === undefined ? '–' : plain(value * 100, 2);
}

function toneOf(ratio: number | null): 'better' | 'worse' | undefined {
  if (ratio === null || Math.abs(ratio - 1) < 0.0005) return undefined;
  return ratio < 1 ? 'better' : 'worse';
}
