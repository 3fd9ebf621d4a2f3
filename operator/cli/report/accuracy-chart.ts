/** Loss of each forecaster relative to seasonal naive, shortest bar best, a panel per horizon. */
import type { EvaluationAggregate } from '../../simulate/accuracy/report-types.ts';
import { drawing, heading, rect, rule, text } from './draw/marks.ts';
import { shortened } from './draw/markup.ts';
import { linear } from './draw/scale.ts';
import { plain, startUp } from './numbers.ts';

const WIDTH = 1200;
const NAMES = 190;
const ROW = 30;
const GAP = 60;
const MOST = 1.5;

/** @param rows of all forecasters and horizons; best first at the first horizon. */
export function accuracySvg(rows: readonly EvaluationAggregate[]): string {
  if (rows.length === 0) return '';
  const horizons = [...new Set(rows.map(({ horizonSeconds }) => horizonSeconds))];
  const models = [...new Set(rows.map(({ model }) => model))];
  const width = (WIDTH - NAMES - 60 - (horizons.length - 1) * GAP) / horizons.length;
  const top = 84;
  const bottom = top + models.length * ROW;
  const title = 'Loss relative to seasonal naive (shorter is better)';
  const panels = horizons.map((horizon, i) => {
    const left = NAMES + i * (width + GAP);
    const x = linear(0, MOST, [left, left + width]);
    const bars = models.map((model, row) => {
      const found = rows.find((each) => each.model === model && each.horizonSeconds === horizon);
      const bar = (value: number | null | undefined, offset: number, role: 'ours' | 'median') => {
        if (value === null || value === undefined) return '';
        const end = x.at(Math.min(value, MOST));
        const y = top + row * ROW + offset;
        return (
          rect(left, y, end - left, 10, role) +
          text(end + 4, y + 9, plain(value, 3), { size: 10, role: 'muted' })
        );
      };
      return bar(found?.relMase, 3, 'median') + bar(found?.relWql, 15, 'ours');
    });
    return [
      text(left, top - 12, `${startUp(horizon)} ahead`, { size: 13, weight: 600 }),
      ...bars,
      rule([x.at(1), top], [x.at(1), bottom], 'ink', '3 4'),
      text(x.at(1), bottom + 16, 'naive = 1', { role: 'muted', anchor: 'middle' }),
    ].join('');
  });
  const names = models.map((model, row) =>
    text(NAMES - 12, top + row * ROW + 19, shortened(model, 24), { anchor: 'end' }),
  );
  const legend = [
    ['point forecast (MASE)', 'median'],
    ['quantiles (WQL)', 'ours'],
  ] as const;
  return drawing(
    WIDTH,
    bottom + 34,
    title,
    [heading({ left: 12, right: WIDTH - 24, top: 42 }, title, legend), ...names, ...panels].join('\n'),
  );
}
