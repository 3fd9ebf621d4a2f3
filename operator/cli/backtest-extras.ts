/** What a backtest makes beyond its numbers when it is asked to: the frontier, the page and the pictures. */
import { join } from 'node:path';
import {
  defaultCoverageAggregate,
  defaultCoverageCell,
  frontierAggregate,
  frontierCells,
} from '../simulate/frontier.ts';
import type { BacktestReport, BacktestSeries, FrontierSweep } from '../simulate/report-types.ts';
import { commandLine, writeInFolder } from './output.ts';
import { backtestHtml } from './report/backtest-html.ts';
import { chartsOf } from './report/charts.ts';
import { renderPng } from './report/draw/png.ts';

export interface ExtraFlags {
  readonly frontier?: true;
  readonly html?: string;
  readonly png?: string;
}

/** The sweep of ours needs forecasts whatever policies were asked for. */
export function extrasNeedForecasts(flags: ExtraFlags): boolean {
  return flags.frontier === true || drawsCharts(flags);
}

export function drawsCharts({ html, png }: ExtraFlags): boolean {
  return html !== undefined || png !== undefined;
}

export function withFrontier(report: BacktestReport, sweeps: readonly FrontierSweep[]): BacktestReport {
  if (sweeps.length === 0) return report;
  const frontier = sweeps.flatMap(frontierCells);
  return {
    ...report,
    frontier,
    frontierAggregate: frontierAggregate(frontier),
    frontierDefault: sweeps.map(defaultCoverageCell),
    frontierDefaultAggregate: defaultCoverageAggregate(sweeps),
    frontierSweeps: sweeps,
  };
}

/** @throws PNG_UNAVAILABLE where pictures are asked for and cannot be made */
export async function writeExtras(
  { html, png }: ExtraFlags,
  report: BacktestReport,
  series: readonly BacktestSeries[],
): Promise<void> {
  if (html !== undefined) await writeInFolder(html, backtestHtml(report, series, commandLine(process.argv)));
  if (png === undefined) return;
  for (const { name, svg } of chartsOf(report, series)) {
    // oxlint-disable-next-line no-await-in-loop -- a picture is work for the processor
    await writeInFolder(join(png, `${name}.png`), await renderPng(svg, 2000));
  }
}
