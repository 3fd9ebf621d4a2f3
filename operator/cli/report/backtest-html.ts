/** The page of a backtest: what was gained where, first in a sentence, then by trace and start-up time, then all numbers. */
import { frontierCells } from '../../simulate/frontier.ts';
import type {
  BacktestReport,
  BacktestSeries,
  FrontierCell,
  FrontierSweep,
  ObjectiveName,
} from '../../simulate/report-types.ts';
import { aggregateTables, frontierTables, resultTable, settingsTables } from './backtest-tables.ts';
import { groupedViews } from './charts.ts';
import { escaped, shortened } from './draw/markup.ts';
import { frontierSvg } from './frontier-chart.ts';
import { changes, headline, type Pair, pairs } from './headline.ts';
import { change, duration, percent, saving, startUp } from './numbers.ts';
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
    lead: rest,
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

function overviews(report: BacktestReport, names: readonly string[]): string {
  const compared = pairs(report);
  return report.settings.objectives
    .map((objective) =>
      overview(
        report,
        compared.filter(({ ours }) => ours.objective === objective),
        objective,
        names,
      ),
    )
    .join('\n');
}

/** One cell per trace and start-up time: time short, cost, and cost at equal time short. */
function overview(
  report: BacktestReport,
  compared: readonly Pair[],
  objective: ObjectiveName,
  names: readonly string[],
): string {
  if (compared.length === 0) return '';
  const startUps = [...new Set(compared.map(({ ours }) => ours.startUpSeconds))];
  const heads = startUps.map((seconds) => `<th scope="col">pods take ${escaped(startUp(seconds))}</th>`);
  const rows = names.map((name, i) => {
    const cells = startUps.map((seconds) => {
      const pair = compared.find(({ ours }) => ours.trace === name && ours.startUpSeconds === seconds);
      const frontier = objective === 'efficiency' ? (report.frontier ?? []) : [];
      const here = frontier.filter((cell) => cell.trace === name && cell.startUpSeconds === seconds);
      return `<td>${pair === undefined ? '–' : overviewCell(pair, here)}</td>`;
    });
    return `<tr><td title="${escaped(name)}"><a href="#t${i}">${escaped(shortened(name, 40))}</a></td>${cells.join('')}</tr>`;
  });
  const caption =
    objective === 'availability'
      ? 'Availability: never below HPA at the same target. Change against HPA.'
      : 'Efficiency: the coverage with the fewest replicas. Change against HPA at the same target, and against HPA tuned to the same time short.';
  return `<div class="scroll"><table class="overview"><caption>${caption}</caption><thead><tr><th>trace</th>${heads.join('')}</tr></thead><tbody>
${rows.join('\n')}
</tbody></table></div>`;
}

function overviewCell(pair: Pair, frontier: readonly FrontierCell[]): string {
  const { short, hours } = changes(pair);
  const minutes = `${duration(pair.ours.underProvisionedMinutes)}, HPA ${duration(pair.hpa.underProvisionedMinutes)}`;
  // Availability may cost something: only above what it promises is that a loss.
  const promised = pair.ours.objective === 'availability' ? ALLOWED_COST : 0;
  const lines = [
    `${toned(short, short === null ? '' : `${change(short)} `)}time short <small>(${minutes})</small>`,
    `${toned(hours, change(hours), promised)} replica-hours`,
    ...frontier.map(
      ({ tauU, ratio }) =>
        `${toned(ratio === null ? null : ratio - 1, saving(ratio))} <small>at ${tauU} % short, tuned HPA</small>`,
    ),
  ];
  return lines.join('<br>');
}

/** Replica-hours that Availability may cost more than HPA. */
const ALLOWED_COST = 0.08;

/** Less is better in all that is compared here; a change too small to print, or one that was allowed, has no colour. */
function toned(relative: number | null, words: string, allowed = 0): string {
  const isPlain = relative === null || Math.abs(relative) < 0.0005 || (relative > 0 && relative <= allowed);
  const tone = isPlain ? '' : relative < 0 ? 'better' : 'worse';
  return tone === '' ? escaped(words) : `<span class="${tone}">${escaped(words)}</span>`;
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
