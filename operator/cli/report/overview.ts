/**
 * What was gained where, at a glance: a row per trace, a column per start-up time, and colour on what was promised:
 * cheaper at the same time short, and for Availability less time short for at most a few more replica-hours.
 */
import type {
  BacktestReport,
  DefaultCoverageCell,
  FrontierCell,
  ObjectiveName,
} from '../../simulate/report-types.ts';
import { escaped, shortened } from './draw/markup.ts';
import { changes, type Pair, pairs } from './headline.ts';
import { change, duration, percent, saving, startUp } from './numbers.ts';

/** @param names of traces; the i-th one's section is `#t<i>`. */
export function overviews(report: BacktestReport, names: readonly string[]): string {
  const compared = pairs(report);
  const isTuned = (report.frontier ?? []).length > 0;
  return [
    frontierOverview(report, names),
    ...report.settings.objectives.map((objective) =>
      grid(
        CAPTIONS[objective],
        names,
        compared.filter(({ ours }) => ours.objective === objective).map((pair) => ({ ...pair.ours, pair })),
        ([found]) =>
          found === undefined ? [] : pairLines(found.pair, objective === 'efficiency' && isTuned),
      ),
    ),
  ].join('\n');
}

const CAPTIONS = {
  availability: 'Availability, against HPA at the same target: never fewer replicas than HPA would run.',
  efficiency: 'Efficiency, against HPA at the same target: the asked coverage with the fewest replicas.',
} as const satisfies Record<ObjectiveName, string>;

function frontierOverview(
  { frontier = [], frontierDefault = [] }: BacktestReport,
  names: readonly string[],
): string {
  const tuned = frontier.map((cell) => ({ ...cell, lines: [tunedLine(cell)] }));
  const untouched = frontierDefault.map((cell) => ({ ...cell, lines: [untouchedLine(cell)] }));
  return grid(
    'Replica-hours against HPA tuned in hindsight to be short for the same share of the time (tau_U)',
    names,
    [...tuned, ...untouched],
    (found) => found.flatMap(({ lines }) => lines),
  );
}

function tunedLine({ tauU, ratio, replicaHours }: FrontierCell): string {
  if (ratio === null && replicaHours !== null) return `HPA never <small>at ${percent(tauU)}</small>`;
  return `${toned(ratio)} <small>at ${percent(tauU)}</small>`;
}

function untouchedLine({ coverage, tauU, ratio }: DefaultCoverageCell): string {
  return `${ratio === null ? 'HPA never' : toned(ratio)} <small>default ${coverage}, at ${percent(tauU)}</small>`;
}

/** Replica-hours that Availability may cost more than HPA. */
const ALLOWED_COST = 0.08;

/** @param isPlain where the comparison at equal time short says more than these do. */
function pairLines(pair: Pair, isPlain: boolean): string[] {
  const { short, hours } = changes(pair);
  const { ours, hpa } = pair;
  const minutes = `${duration(ours.underProvisionedMinutes)}, HPA ${duration(hpa.underProvisionedMinutes)}`;
  const isAllowed = ours.objective === 'availability' && hours !== null && hours > 0 && hours <= ALLOWED_COST;
  const shown = (relative: number | null, plain: boolean) =>
    plain ? escaped(change(relative)) : toned(relative === null ? null : relative + 1, change(relative));
  return [
    `${short === null ? '' : `${shown(short, isPlain)} `}time short <small>(${minutes})</small>`,
    `${shown(hours, isPlain || isAllowed)} replica-hours`,
  ];
}

/** Less is better in all that is compared here; a change too small to print has no colour. */
function toned(ratio: number | null, words = saving(ratio)): string {
  if (ratio === null || Math.abs(ratio - 1) < 0.0005) return escaped(words);
  return `<span class="${ratio < 1 ? 'better' : 'worse'}">${escaped(words)}</span>`;
}

interface Placed {
  readonly trace: string;
  readonly startUpSeconds: number;
}

/** Nothing at all without cells. */
function grid<T extends Placed>(
  caption: string,
  names: readonly string[],
  cells: readonly T[],
  lines: (found: readonly T[]) => readonly string[],
): string {
  if (cells.length === 0) return '';
  const startUps = [...new Set(cells.map(({ startUpSeconds }) => startUpSeconds))];
  const heads = startUps.map((seconds) => `<th scope="col">pods take ${escaped(startUp(seconds))}</th>`);
  const rows = names.map((name, i) => {
    const entries = startUps.map((seconds) => {
      const found = cells.filter(({ trace, startUpSeconds }) => trace === name && startUpSeconds === seconds);
      return `<td>${lines(found).join('<br>') || '–'}</td>`;
    });
    return `<tr><td title="${escaped(name)}"><a href="#t${i}">${escaped(shortened(name, 40))}</a></td>${entries.join('')}</tr>`;
  });
  return `<div class="scroll"><table class="overview"><caption>${escaped(caption)}</caption><thead><tr><th scope="col">trace</th>${heads.join('')}</tr></thead><tbody>
${rows.join('\n')}
</tbody></table></div>`;
}
