/** Draws a run as one SVG: what the load demanded, what each of the two had ready, and where each fell short. */

import {
  band,
  drawing,
  filled,
  heading,
  line,
  type Panel,
  type Point,
  rect,
  rule,
  steps,
  text,
  xAxis,
  yAxis,
} from '../../operator/cli/report/draw/marks.ts';
import { escaped } from '../../operator/cli/report/draw/markup.ts';
import { colourRules, type Role } from '../../operator/cli/report/draw/palette.ts';
import { linear, quarters, roundTop, timeTicks } from '../../operator/cli/report/draw/scale.ts';
import { demanded, type Tick } from '../../operator/simulate/elasticity.ts';

export interface ForecastPoint {
  /** Load time that the forecast speaks of. */
  readonly atMs: number;
  readonly median: number;
  readonly upper: number;
}

export interface Run {
  readonly title: string;
  readonly subtitle: string;
  readonly capacity: number;
  readonly ours: readonly Tick[];
  readonly hpa: readonly Tick[];
  readonly forecast: readonly ForecastPoint[];
}

export const WIDTH = 1200;
const LEFT = 64;
const RIGHT = WIDTH - 24;

export function drawSvg(run: Run): string {
  const { ours, hpa, capacity } = run;
  const from = ours[0]?.atMs ?? 0;
  const to = ours.at(-1)?.atMs ?? 1;
  const x = linear(from, to, [LEFT, RIGHT]);
  const panel = (top: number, height: number, max: number): Panel => ({
    x,
    y: linear(0, roundTop(max), [top + height, top]),
    left: LEFT,
    right: RIGHT,
    top,
    bottom: top + height,
  });
  const need = ours.map((tick) => demanded(tick.load, capacity));
  const load = panel(110, 190, Math.max(...ours.map((t) => t.load), ...run.forecast.map((f) => f.upper)));
  const ready = panel(360, 230, Math.max(...need, ...[...ours, ...hpa].map((t) => t.ready)));
  const inside = run.forecast.filter(({ atMs }) => atMs >= from && atMs <= to);
  const at = (ticks: readonly Tick[], of: Panel, value: (tick: Tick) => number): Point[] =>
    ticks.map((tick) => [x.at(tick.atMs), of.y.at(value(tick))]);
  const hours = timeTicks(from, to, 12);
  const content = [
    text(LEFT, 36, run.title, { size: 21, weight: 600 }),
    text(LEFT, 60, run.subtitle, { size: 13, role: 'muted' }),
    heading(load, 'Load and forecast, requests per minute', [
      ['load', 'load'],
      ['forecast, made one lead time before', 'median'],
      ['up to the asked coverage', 'band'],
    ]),
    yAxis(load, quarters(load.y.to)),
    xAxis(load, hours),
    band(
      inside.map((f) => [x.at(f.atMs), load.y.at(f.upper), load.y.at(f.median)] as const),
      'band',
    ),
    line(
      inside.map((f) => [x.at(f.atMs), load.y.at(f.median)]),
      'median',
    ),
    steps(
      at(ours, load, (t) => t.load),
      'load',
    ),
    heading(ready, 'Replicas ready', [
      ['demanded by the load', 'demanded'],
      ['PredictiveScaler', 'ours'],
      ['HorizontalPodAutoscaler', 'hpa'],
    ]),
    yAxis(ready, quarters(ready.y.to)),
    xAxis(ready, hours),
    filled(
      at(ours, ready, (t) => demanded(t.load, capacity)),
      ready.bottom,
      'demanded',
    ),
    steps(
      at(hpa, ready, (t) => t.ready),
      'hpa',
      2,
    ),
    steps(
      at(ours, ready, (t) => t.ready),
      'ours',
      2,
    ),
    heading({ left: LEFT, right: RIGHT, top: 646 }, 'Time with fewer replicas ready than demanded'),
    shortage(ours, capacity, ready, 662, 'ours', 'PredictiveScaler'),
    shortage(hpa, capacity, ready, 702, 'hpa', 'HorizontalPodAutoscaler'),
  ];
  return drawing(WIDTH, 790, run.title, content.join('\n'));
}

export function wrapHtml(svg: string, table: string, command: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Foresail demo</title>
<style>${colourRules()}
body{font-family:system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1240px;margin:2rem auto;padding:0 1rem}
svg{width:100%;height:auto}pre{background:var(--grid);padding:1rem;overflow:auto}</style>
${svg}<pre>${escaped(table)}</pre><p>Made by <code>${escaped(command)}</code>.</p></html>
`;
}

/** A bar for each stretch that was short, higher where more replicas were missing. */
function shortage(
  ticks: readonly Tick[],
  capacity: number,
  { x }: Panel,
  top: number,
  role: Role,
  name: string,
): string {
  const marks = ticks.flatMap((tick, i) => {
    const next = ticks[i + 1];
    const missing = demanded(tick.load, capacity) - tick.ready;
    if (next === undefined || missing <= 0) return [];
    const height = Math.min(4 + missing * 2, 24);
    const width = Math.max(x.at(next.atMs) - x.at(tick.atMs), 0.5);
    return [rect(x.at(tick.atMs), top + 24 - height, width, height, role)];
  });
  return [
    rule([LEFT, top + 24], [RIGHT, top + 24], 'muted'),
    ...marks,
    text(LEFT, top + 38, name, { size: 11, role: 'muted' }),
  ].join('');
}
