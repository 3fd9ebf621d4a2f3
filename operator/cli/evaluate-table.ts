/** The report of an evaluation as tables for a terminal. */
import { formatDuration } from '../duration.ts';
import {
  CALIBRATED,
  type EvaluationAggregate,
  type EvaluationReport,
} from '../simulate/accuracy/report-types.ts';

const LEVELS = ['0.9', '0.95', '0.99'] as const;

export function evaluationText(report: EvaluationReport): string {
  const { aggregate, scenarios, speed, results, skipped, failed } = report;
  const parts: string[] = [report.settings.protocol];
  for (const horizon of new Set(aggregate.map(({ horizonSeconds }) => horizonSeconds))) {
    const rows = aggregate.filter(({ horizonSeconds }) => horizonSeconds === horizon);
    // Calibration moves the upper band, not the forecast.
    const own = rows.filter(({ model }) => !model.endsWith(CALIBRATED));
    parts.push(accuracyTable(horizon, own), coverageTable(horizon, rows));
  }
  if (aggregate.length === 0) parts.push('No series enters the aggregate; see --json for each of them.');
  if (scenarios !== undefined) parts.push(scenarioTable(scenarios));
  if (speed.length > 0) parts.push(speedTable(speed));
  const notes = [
    ...notesOf(results, skipped),
    ...(failed ?? []).map(({ series, reason }) => `no results: ${reason}: ${series}`),
  ];
  if (notes.length > 0) parts.push(notes.join('\n'));
  return parts.join('\n\n');
}

/** One line per reason and per series, forecasters and horizons that share it. */
function notesOf(results: EvaluationReport['results'], skipped: EvaluationReport['skipped']): string[] {
  const leftOut = results.flatMap(({ series, leftOut: reason }) =>
    reason === null ? [] : [{ series, reason }],
  );
  const byReason = Map.groupBy(leftOut, ({ reason }) => reason);
  const bySeries = Map.groupBy(skipped, ({ reason, series }) => `${reason}\n${series}`);
  const merged = Map.groupBy([...bySeries.values()], (notes) => {
    const who = unique(notes.map(({ model }) => model));
    const when = unique(notes.map(({ horizonSeconds }) => horizonSeconds)).map(name);
    const what = [who.join(', '), when.length === 0 ? '' : `at ${when.join(', ')}`].filter(
      (part) => part !== '',
    );
    return `not scored: ${notes[0]?.reason ?? ''}${what.length === 0 ? '' : ` (${what.join(' ')})`}`;
  });
  return [
    ...[...byReason].map(([reason, rows]) => {
      const series = unique(rows.map((row) => row.series));
      return `scored, left out of the aggregate: ${reason}: ${series.join(', ')}`;
    }),
    ...[...merged].map(
      ([what, notes]) => `${what}: ${unique(notes.map(([note]) => note?.series)).join(', ')}`,
    ),
  ];
}

function unique<T>(values: readonly (T | undefined)[]): T[] {
  return [...new Set(values)].filter((value) => value !== undefined);
}

function accuracyTable(horizon: number, rows: readonly EvaluationAggregate[]): string {
  return table(
    [`${name(horizon)} ahead`, 'series', 'rel. MASE', 'rel. WQL', 'WAPE', 'beats naive', 'worst rel. WQL'],
    rows.map((row) => [
      row.model,
      String(row.series),
      digits(row.relMase, 3),
      digits(row.relWql, 3),
      row.wape === null ? '-' : `${digits(100 * row.wape, 1)} %`,
      `${row.betterThanNaive}/${row.series}`,
      `${digits(row.worstRelWql, 2)} ${row.worstSeries ?? ''}`,
    ]),
  );
}

function coverageTable(horizon: number, rows: readonly EvaluationAggregate[]): string {
  return table(
    [
      `${name(horizon)} ahead`,
      'coverage 0.9/0.95/0.99',
      'in the top decile',
      'mean |realised-asked|, points',
      'rel. pinball',
      'worst',
    ],
    rows.map((row) => [
      row.model,
      LEVELS.map((level) => digits(row.coverage[level] ?? null, 3)).join(' '),
      LEVELS.map((level) => digits(row.coverageTopDecile[level] ?? null, 3)).join(' '),
      LEVELS.map((level) => digits(100 * (row.coverageError[level] ?? Number.NaN), 2)).join(' '),
      LEVELS.map((level) => digits(row.relPinball?.[level] ?? null, 3)).join(' '),
      worstOf(row),
    ]),
  );
}

function worstOf({ worstCoverage }: EvaluationAggregate): string {
  const missBy = (level: string): number =>
    Math.abs((worstCoverage[level]?.realised ?? Number.NaN) - Number(level));
  const [level] = LEVELS.toSorted((a, b) => missBy(b) - missBy(a));
  const worst = worstCoverage[level ?? ''];
  return worst === undefined ? '-' : `${digits(worst.realised, 3)} for ${level} on ${worst.series}`;
}

function scenarioTable(rows: NonNullable<EvaluationReport['scenarios']>): string {
  return table(
    ['scenario', 'model', 'horizon', 'series', 'WQL to undisturbed', 'rel. WQL', 'coverage 0.9/0.95/0.99'],
    rows.map((row) => [
      row.scenario,
      row.model,
      name(row.horizonSeconds),
      String(row.series),
      digits(row.wqlVsClean, 2),
      digits(row.relWql, 3),
      LEVELS.map((level) => digits(row.coverage[level] ?? null, 3)).join(' '),
    ]),
  );
}

function speedTable(rows: EvaluationReport['speed']): string {
  return table(
    ['speed here', 'one p50 ms', 'one p99 ms', 'batch', 'series/s', 'file MB', 'memory MiB'],
    rows.map((row) => [
      row.model,
      digits(row.p50Ms, 3),
      digits(row.p99Ms, 3),
      String(row.batch),
      String(row.seriesPerSecond),
      row.fileBytes === null ? '-' : digits(row.fileBytes / 1e6, 1),
      digits(row.memoryMiB, 0),
    ]),
  );
}

/** The first column to the left, the others too: they hold several numbers or names. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, c) => Math.max(...all.map((row) => (row[c] ?? '').length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, c) => cell.padEnd(widths[c] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(header), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

function name(seconds: number): string {
  return formatDuration(seconds * 1000);
}

function digits(value: number | null, count: number): string {
  return value === null || !Number.isFinite(value) ? '-' : value.toFixed(count);
}
