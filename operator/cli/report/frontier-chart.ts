/**
 * Replica-hours over tau_U for HPA's targets and for our coverages, one panel per start-up time: whoever's curve is
 * lower is cheaper at the same time short. The change at each mark is written where the eye looks for it.
 */
import { costAt, type Envelope, lowerEnvelope, type SweepPoint } from '../../simulate/envelope.ts';
import { FRONTIER_MARKS, frontierCells } from '../../simulate/frontier.ts';
import type { FrontierCell, FrontierSweep } from '../../simulate/report-types.ts';
import {
  dot,
  drawing,
  heading,
  line,
  type Panel,
  type Point,
  ring,
  rule,
  text,
  widthOf,
  xAxis,
  yAxis,
} from './draw/marks.ts';
import { shortened } from './draw/markup.ts';
import type { Role } from './draw/palette.ts';
import { decades, linear, logarithmic, quarters, roundTop, roundUp } from './draw/scale.ts';
import { saving, startUp } from './numbers.ts';

const WIDTH = 1200;
const COLUMNS = 3;
const GAP = 76;
const HEIGHT = 250;

/** @param sweeps of one trace. */
export function frontierSvg(sweeps: readonly FrontierSweep[]): string {
  const [first] = sweeps;
  if (first === undefined) return '';
  const columns = Math.min(sweeps.length, COLUMNS);
  const width = (WIDTH - GAP - 24 - (columns - 1) * GAP) / columns;
  const rows = Math.ceil(sweeps.length / columns);
  const title = `${shortened(first.trace, 50)}: what the same time short costs`;
  const head = heading({ left: GAP, right: WIDTH - 24, top: 42 }, title, [
    ['HPA, target 0.2 to 0.95', 'hpa'],
    ['Foresail, coverage 0.7 to 0.999', 'ours'],
  ]);
  const panels = sweeps.map((swept, i) => {
    const left = GAP + (i % columns) * (width + GAP);
    const top = 114 + Math.floor(i / columns) * (HEIGHT + 120);
    return drawPanel(swept, { left, right: left + width, top, bottom: top + HEIGHT });
  });
  return drawing(WIDTH, 114 + rows * (HEIGHT + 120) - 62, title, [head, ...panels].join('\n'));
}

type Box = Omit<Panel, 'x' | 'y'>;

function drawPanel(swept: FrontierSweep, box: Box): string {
  const { left, right, top, bottom } = box;
  const [hpa, ours] = [lowerEnvelope(swept.hpa, swept.steps), lowerEnvelope(swept.ours, swept.steps)];
  const [from, to] = extent(swept, hpa, ours);
  const highest = Math.max(...[hpa, ours].flatMap((envelope) => visibleCosts(envelope, from)));
  const panel: Panel = {
    ...box,
    x: logarithmic(from, to, [left, right]),
    y: linear(0, roundTop(highest), [bottom, top]),
  };
  const cells = frontierCells(swept);
  const isHpaAbove = cells.filter(({ ratio }) => ratio !== null && ratio > 1).length < 2;
  return [
    text(left, top - 42, `Replica-hours, pods take ${startUp(swept.startUpSeconds)} to start`, {
      size: 13,
      weight: 600,
    }),
    yAxis(panel, quarters(panel.y.to)),
    xAxis(panel, decades(from, to)),
    text((left + right) / 2, bottom + 36, 'time short (tau_U), % of the time', {
      size: 11,
      role: 'muted',
      anchor: 'middle',
    }),
    ...cells.map((cell) => mark(cell, panel)),
    curve(hpa, swept.hpa, panel, 'hpa'),
    curve(ours, swept.ours, panel, 'ours'),
    labelled(
      swept.hpa.find(({ parameter }) => parameter === 0.7),
      panel,
      'hpa',
      'target 0.7',
      isHpaAbove,
    ),
    labelled(swept.untouched, panel, 'ours', `default ${swept.untouched.parameter}`, !isHpaAbove),
  ].join('\n');
}

/** Whole decades around the marks and around what both curves show; runs that are short for less stand at the left. */
function extent({ untouched }: FrontierSweep, hpa: Envelope, ours: Envelope): [number, number] {
  const ends = [hpa, ours].map(({ points }) => points.at(-1)?.tauU ?? 0);
  const low = Math.max(
    Math.min(FRONTIER_MARKS[0] / 2, untouched.tauU / 1.5, ...ends.map((end) => end / 2)),
    0.005,
  );
  const high = Math.max(FRONTIER_MARKS[2] * 2, ...ends);
  return [10 ** Math.floor(Math.log10(low)), Math.min(roundUp(high), 100)];
}

function visibleCosts(envelope: Envelope, from: number): number[] {
  const inside = envelope.points.filter(({ tauU }) => tauU > from).map(({ replicaHours }) => replicaHours);
  const atEdge = costAt(envelope, from);
  return atEdge === null ? inside : [...inside, atEdge];
}

function mark(
  { tauU, comparedAtTauU, ratio, replicaHours }: FrontierCell,
  { x, top, bottom }: Panel,
): string {
  const at = x.at(tauU);
  const role: Role = ratio === null ? 'muted' : ratio < 1 ? 'better' : 'worse';
  const who = replicaHours === null ? 'not reached' : 'HPA never';
  const raised = tauU === FRONTIER_MARKS[1] ? 15 : 0; // its neighbour at 1 % is close
  const label = ratio === null ? who : `${saving(ratio)}${comparedAtTauU < tauU ? '*' : ''}`;
  return (
    rule([at, top], [at, bottom], 'muted', '3 4') +
    text(at, top - 8 - raised, label, { size: 12, weight: 600, role, anchor: 'middle' })
  );
}

/** The envelope as a line that stays inside the panel, every run as a dot. */
function curve(envelope: Envelope, runs: readonly SweepPoint[], panel: Panel, role: Role): string {
  const inside = envelope.points.filter(({ tauU }) => tauU >= panel.x.from);
  const edge = costAt(envelope, panel.x.from);
  const start = edge === null ? [] : [[panel.x.from, edge] as const];
  const points = [...start, ...inside.map(({ tauU, replicaHours }) => [tauU, replicaHours] as const)];
  return [
    line(
      points.map(([tauU, hours]): Point => [panel.x.at(tauU), panel.y.at(hours)]),
      role,
      2,
    ),
    ...runs.flatMap((run) => {
      const point = place(run, panel);
      return point === undefined ? [] : [dot(point, 2, role)];
    }),
  ].join('');
}

function labelled(
  run: SweepPoint | undefined,
  panel: Panel,
  role: Role,
  name: string,
  isAbove: boolean,
): string {
  const point = run === undefined ? undefined : place(run, panel);
  if (point === undefined) return '';
  const [x, y] = point;
  const width = widthOf(name, 11);
  const style = { size: 11, role } as const;
  // The curves fall: the upper one has room above on the right, the lower one below on the left.
  if (isAbove) {
    const fits = x + 7 + width < panel.right;
    const label = text(fits ? x + 7 : panel.right, y - (fits ? 8 : 20), name, {
      ...style,
      anchor: fits ? 'start' : 'end',
    });
    return ring(point, 4, role) + label;
  }
  const fits = x - 7 - width > panel.left;
  const label = text(fits ? x - 7 : panel.left + 4, y + (fits ? 16 : 34), name, {
    ...style,
    anchor: fits ? 'end' : 'start',
  });
  return ring(point, 4, role) + label;
}

/** Nothing for a run outside the panel. */
function place({ tauU, replicaHours }: SweepPoint, { x, y }: Panel): Point | undefined {
  return replicaHours > y.to || tauU > x.to || tauU < x.from ? undefined : [x.at(tauU), y.at(replicaHours)];
}
