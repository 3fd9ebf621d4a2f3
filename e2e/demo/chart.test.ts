import { expect, test } from '@jest/globals';
import { drawSvg, wrapHtml } from './chart.ts';

const MINUTE = 60_000;
const tick = (minute: number, load: number, ready: number) => ({
  atMs: minute * MINUTE,
  load,
  ready,
  ordered: ready,
});

test('the chart of a run marks where each of the two was short, and says what it shows', () => {
  const svg = drawSvg({
    title: 'A <run>',
    subtitle: 'two hours',
    capacity: 10,
    ours: [tick(0, 20, 2), tick(60, 40, 4), tick(120, 40, 4)],
    hpa: [tick(0, 20, 2), tick(60, 40, 3), tick(120, 40, 4)],
    forecast: [
      { atMs: 60 * MINUTE, median: 38, upper: 50 },
      { atMs: 120 * MINUTE, median: 41, upper: 52 },
    ],
  });
  expect(svg).toContain('A &lt;run&gt;');
  for (const name of ['PredictiveScaler', 'HorizontalPodAutoscaler', 'up to the asked coverage'])
    expect(svg).toContain(name);
  // HPA's hour with three of four: half of the width, six pixels high.
  const bars = [...svg.matchAll(/<rect x="(\d+)" y="\d+" width="(\d+)" height="6" class="fill-hpa"/g)];
  expect(bars.map(([, x, width]) => [x, width])).toEqual([['620', '556']]);
  expect(svg).not.toMatch(/NaN|undefined/);
  expect(wrapHtml(svg, 'a < b', 'make demo')).toContain('a &lt; b');
});
