/** The charts of a backtest one by one, each with a name that can be a file's. */
import type { BacktestReport, BacktestSeries } from '../../simulate/report-types.ts';
import { frontierSvg } from './frontier-chart.ts';
import { seriesSvg } from './series-chart.ts';

export interface Chart {
  readonly name: string;
  readonly svg: string;
}

export function chartsOf(report: BacktestReport, series: readonly BacktestSeries[]): Chart[] {
  const frontiers = Map.groupBy(report.frontierSweeps ?? [], ({ trace }) => trace);
  return [
    ...[...frontiers].map(([trace, sweeps]) => ({
      name: `${fileName(trace)}-frontier`,
      svg: frontierSvg(sweeps),
    })),
    ...groupedViews(series).map((views) => {
      const { trace = '', startUpSeconds = 0, objective = '' } = views[0] ?? {};
      return { name: `${fileName(trace)}-${startUpSeconds}s-${objective}`, svg: seriesSvg(views) };
    }),
  ];
}

/** Whole and close-up of the same run belong together. */
export function groupedViews(series: readonly BacktestSeries[]): BacktestSeries[][] {
  const key = ({ trace, startUpSeconds, objective }: BacktestSeries) =>
    `${startUpSeconds} ${objective} ${trace}`;
  return [...Map.groupBy(series, key).values()];
}

/** A name that stays in its folder and that every file system takes. */
function fileName(trace: string): string {
  return trace
    .replace(/[^\w.-]+/g, '_')
    .replace(/^\.+/, '_')
    .slice(0, 100);
}
