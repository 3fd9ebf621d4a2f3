/** The page of a backtest: what was gained where, first in a sentence, then by trace and start-up time, then all numbers. */
import { frontierCells } from '../../simulate/frontier.ts';
import type { BacktestReport, BacktestSeries, FrontierSweep } from '../../simulate/report-types.ts';
import { aggregateTables, frontierTables, resultTable, settingsTables } from './backtest-tables.ts';
import { groupedViews } from './charts.ts';
import { escaped } from './draw/markup.ts';
import { frontierSvg } from './frontier-chart.ts';
import { changes, headline, type Pair, pairs } from './headline.ts';
import { change, counted, duration, percent, startUp } from './numbers.ts';
import { overviews } from './overview.ts';
import { figure, folded, page, section } from './page.ts';
import { seriesSvg } from './series-chart.ts';

/** @param series drawn for charts; may be empty. @param command what made the report. */
export function backtestHtml(
  report: BacktestReport,
  series: readonly BacktestSeries[],
  command: string,
): string {
  const { first, rest } = headline(report);
  const names = [...new Set(report.results.map(({ trace }) => trace))];
  return page({
    title: 'Foresail backtest',
    headline: first,
    lead: [...incomplete(report), ...rest],
    command,
    sections: [
      section('What was gained where', overviews(report, names)),
      ...names.map((name, i) => traceSection(report, series, name, `t${i}`)),
      section(
        'All numbers',
        [aggregateTables(report), frontierTables(report), folded('Every result', resultTable(report))].join(
          '\n',
        ),
      ),
      section('How it was made', settingsTables(report)),
    ],
  });
}

/** Before all numbers: they are not those that were asked for. */
function incomplete({ failed = [] }: BacktestReport): string[] {
  const names = failed.map(({ trace }) => trace).join(', ');
  return failed.length === 0
    ? []
    : [`Not the whole of it: ${counted(failed.length, 'trace')} without results, ${names}`];
}

function traceSection(
  report: BacktestReport,
  series: readonly BacktestSeries[],
  name: string,
  id: string,
): string {
  const sweeps = (report.frontierSweeps ?? []).filter(({ trace }) => trace === name);
  const compared = pairs(report).filter(({ ours }) => ours.trace === name);
  const charts = groupedViews(series.filter(({ trace }) => trace === name)).map((views, i) =>
    chartOf(views, compared, i === 0),
  );
  return section(name, [figure(frontierSvg(sweeps), frontierCaption(sweeps)), ...charts].join('\n'), id);
}

function chartOf(views: readonly BacktestSeries[], compared: readonly Pair[], isOpen: boolean): string {
  const [view] = views;
  if (view === undefined) return '';
  const pair = compared.find(
    ({ ours }) => ours.startUpSeconds === view.startUpSeconds && ours.objective === view.objective,
  );
  const title = `Pods take ${startUp(view.startUpSeconds)} to start, ${view.objective}${pair === undefined ? '' : `: ${summary(pair)}`}`;
  const content = figure(seriesSvg(views));
  return isOpen ? `<h3>${escaped(title)}</h3>${content}` : folded(title, content);
}

function summary(pair: Pair): string {
  const { short, hours } = changes(pair);
  const { ours, hpa } = pair;
  const minutes = `${duration(ours.underProvisionedMinutes)} short, HPA ${duration(hpa.underProvisionedMinutes)}`;
  const relative = short === null ? '' : ` (${change(short)})`;
  return `${minutes}${relative}; ${change(hours)} replica-hours; tau_U ${percent(ours.tauU)}, HPA ${percent(hpa.tauU)}`;
}

function frontierCaption(sweeps: readonly FrontierSweep[]): string {
  if (sweeps.length === 0) return '';
  const ended = sweeps.flatMap(frontierCells).some((cell) => cell.comparedAtTauU < cell.tauU);
  return [
    'Lower is cheaper. Each dot is a run, each line the cheapest that keeps that time short. Above the dashed lines: ours against HPA at that time short.',
    ...(ended
      ? ["* compared where HPA's cheapest target stands, since it is short for less than the mark."]
      : []),
    '“HPA never”: no target reaches that mark; “not reached”: no coverage of ours does.',
  ].join(' ');
}
