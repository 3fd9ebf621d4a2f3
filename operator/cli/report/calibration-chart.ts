/** How far realised coverage lies from the asked one: a dot per level, a row per forecaster, a panel per horizon. */
import type { EvaluationAggregate } from '../../simulate/accuracy/report-types.ts';
import { dot, drawing, heading, rect, rule, text } from './draw/marks.ts';
import { shortened } from './draw/markup.ts';
import type { Role } from './draw/palette.ts';
import { linear } from './draw/scale.ts';
import { startUp } from './numbers.ts';

const WIDTH = 1200;
const NAMES = 190;
const ROW = 24;
const GAP = 36;
/** Points beyond which a dot stands at the edge. */
const MOST = 10;
/** What the project asks of itself, points. */
const ALLOWED = 0.4;
const LEVELS: readonly (readonly [level: string, role: Role])[] = [
  ['0.9', 'median'],
  ['0.95', 'ours'],
  ['0.99', 'hpa'],
];

/** @param rows of all forecasters and horizons; nothing is drawn without any. */
export function calibrationSvg(rows: readonly EvaluationAggregate[]): string {
  const horizons = [...new Set(rows.map(({ horizonSeconds }) => horizonSeconds))];
  const models = [...new Set(rows.map(({ model }) => model))];
  if (rows.length === 0) return '';
  const width = (WIDTH - NAMES - 24 - (horizons.length - 1) * GAP) / horizons.length;
  const top = 84;
  const bottom = top + models.length * ROW;
  const title = 'Realised minus asked coverage, points';
  const panels = horizons.map((horizon, i) => {
    const left = NAMES + i * (width + GAP);
    const x = linear(-MOST, MOST, [left, left + width]);
    const ticks = [-10, -5, 0, 5, 10].map(
      (value) =>
        rule([x.at(value), top], [x.at(value), bottom], value === 0 ? 'muted' : 'grid') +
        text(x.at(value), bottom + 18, value > 0 ? `+${value}` : String(value).replace('-', '−'), {
          role: 'muted',
          anchor: 'middle',
        }),
    );
    const dots = models.map((model, row) => {
      const found = rows.find((each) => each.model === model && each.horizonSeconds === horizon);
      return LEVELS.map(([level, role]) => {
        const realised = found?.coverage[level];
        if (realised === undefined || !Number.isFinite(realised)) return '';
        const points = (realised - Number(level)) * 100;
        const at = x.at(Math.min(Math.max(points, -MOST), MOST));
        const y = top + (row + 0.5) * ROW;
        return Math.abs(points) > MOST ? beyond(at, y, points, role) : dot([at, y], 5, role);
      }).join('');
    });
    return [
      text(left, top - 12, `${startUp(horizon)} ahead`, { size: 13, weight: 600 }),
      rect(x.at(-ALLOWED), top, x.at(ALLOWED) - x.at(-ALLOWED), bottom - top, 'demanded'),
      ...ticks,
      ...dots,
    ].join('');
  });
  const names = models.map((model, row) =>
    text(NAMES - 12, top + (row + 0.5) * ROW + 4, shortened(model, 24), { anchor: 'end' }),
  );
  const legend = LEVELS.map(([level, role]) => [`asked ${level}`, role] as const);
  return drawing(
    WIDTH,
    bottom + 34,
    title,
    [heading({ left: 12, right: WIDTH - 24, top: 42 }, title, legend), ...names, ...panels].join('\n'),
  );
}

/** An arrow head: further out than the chart goes. */
function beyond(x: number, y: number, points: number, role: Role): string {
  return text(x, y + 5, points < 0 ? '◀' : '▶', { role, anchor: points < 0 ? 'start' : 'end', size: 14 });
}
