/** Draws a run as one SVG: what the load demanded, what each of the two had ready, and where each fell short. */

import { createRequire } from 'node:module';
import { Resvg } from '@resvg/resvg-js';
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

const WIDTH = 1200;
const LEFT = 64;
const RIGHT = 24;
const INK = '#1f2933';
const MUTED = '#7b8794';
const OURS = '#0b7285';
const HPA = '#e8590c';
const LOAD = '#495057';
const BAND = '#a5d8ff';

interface Panel {
  readonly top: number;
  readonly height: number;
  readonly max: number;
}

const FONT = 'DejaVu Sans, Verdana, sans-serif';

export function drawSvg(run: Run): string {
  const from = run.ours[0]?.atMs ?? 0;
  const to = run.ours.at(-1)?.atMs ?? 1;
  const x = (ms: number) => LEFT + ((ms - from) / (to - from)) * (WIDTH - LEFT - RIGHT);
  const loads = run.ours.map(({ load }) => load);
  const load: Panel = {
    top: 110,
    height: 190,
    max: nice(Math.max(...loads, ...run.forecast.map((f) => f.upper))),
  };
  const replicas = [...run.ours, ...run.hpa].flatMap(({ ready, load: l }) => [
    ready,
    demanded(l, run.capacity),
  ]);
  const ready: Panel = { top: 360, height: 230, max: nice(Math.max(...replicas)) };
  const short: Panel = { top: 646, height: 90, max: 1 };
  const inside = run.forecast.filter(({ atMs }) => atMs >= from && atMs <= to);

  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} 790" width="${WIDTH}" height="790" font-family="${FONT}">
<rect width="100%" height="100%" fill="#ffffff"/>
${text(LEFT, 36, run.title, { size: 21, weight: 600 })}
${text(LEFT, 60, run.subtitle, { size: 13, fill: MUTED })}
${heading(load, 'Load and forecast, requests per minute', [
  ['load', LOAD],
  ['forecast, made one lead time before', '#1971c2'],
  ['up to the asked coverage', BAND],
])}
${axis(load, from, to, x)}
${area(inside, x, load)}
${line(
  inside.map((f) => [x(f.atMs), y(load, f.median)]),
  '#1971c2',
  1.5,
)}
${steps(
  run.ours.map((t) => [x(t.atMs), y(load, t.load)]),
  LOAD,
  1.5,
)}
${heading(ready, 'Replicas ready', [
  ['demanded by the load', '#ced4da'],
  ['PredictiveScaler', OURS],
  ['HorizontalPodAutoscaler', HPA],
])}
${axis(ready, from, to, x)}
${filled(
  run.ours.map((t) => [x(t.atMs), y(ready, demanded(t.load, run.capacity))]),
  y(ready, 0),
  '#dee2e6',
)}
${steps(
  run.hpa.map((t) => [x(t.atMs), y(ready, t.ready)]),
  HPA,
  2,
)}
${steps(
  run.ours.map((t) => [x(t.atMs), y(ready, t.ready)]),
  OURS,
  2,
)}
${heading(short, 'Time with fewer replicas ready than demanded', [])}
${shortage(run.ours, run.capacity, x, short.top + 16, OURS, 'PredictiveScaler')}
${shortage(run.hpa, run.capacity, x, short.top + 56, HPA, 'HorizontalPodAutoscaler')}
</svg>`;
}

/** The font travels with the project: a machine without fonts would draw no letter. */
export function renderPng(svg: string): Buffer {
  const fonts = createRequire(import.meta.url)
    .resolve('dejavu-fonts-ttf/package.json')
    .replace('package.json', 'ttf/');
  const resvg = new Resvg(svg, {
    fitTo: { mode: 'width', value: WIDTH * 2 },
    font: {
      fontFiles: [`${fonts}DejaVuSans.ttf`, `${fonts}DejaVuSans-Bold.ttf`],
      loadSystemFonts: false,
      defaultFontFamily: 'DejaVu Sans',
    },
  });
  return resvg.render().asPng();
}

export function wrapHtml(svg: string, table: string, command: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Foresail demo</title>
<style>body{font-family:system-ui,sans-serif;color:${INK};max-width:1240px;margin:2rem auto;padding:0 1rem}
svg{width:100%;height:auto}pre{background:#f1f3f5;padding:1rem;overflow:auto}</style>
${svg}<pre>${escape(table)}</pre><p>Made by <code>${escape(command)}</code>.</p></html>
`;
}

type Point = readonly [number, number];

function y(panel: Panel, value: number): number {
  return panel.top + panel.height * (1 - value / panel.max);
}

/** The top of an axis that four equal steps divide into round numbers. */
function nice(max: number): number {
  const decade = 10 ** Math.floor(Math.log10(Math.max(max, 1)));
  return ([1, 2, 4, 6, 8, 10].find((times) => times * decade >= max) ?? 10) * decade;
}

interface TextStyle {
  readonly size?: number;
  readonly fill?: string;
  readonly weight?: number;
  readonly anchor?: 'start' | 'end';
}

function text(px: number, py: number, content: string, style: TextStyle = {}): string {
  const { size = 12, fill = INK, weight = 400, anchor = 'start' } = style;
  return `<text x="${px}" y="${py}" font-size="${size}" font-weight="${weight}" fill="${fill}" text-anchor="${anchor}">${escape(content)}</text>`;
}

function escape(content: string): string {
  return content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

function heading(panel: Panel, title: string, legend: readonly (readonly [string, string])[]): string {
  let px = WIDTH - RIGHT;
  const entries = [...legend].reverse().map(([name, colour]) => {
    const entry = text(px, panel.top - 14, name, { fill: MUTED, anchor: 'end' });
    px -= name.length * 6.7 + 8;
    const mark = `<rect x="${px - 16}" y="${panel.top - 24}" width="16" height="10" rx="2" fill="${colour}"/>`;
    px -= 34;
    return entry + mark;
  });
  return text(LEFT, panel.top - 14, title, { size: 14, weight: 600 }) + entries.join('');
}

function axis(panel: Panel, from: number, to: number, x: (ms: number) => number): string {
  const lines = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const py = y(panel, panel.max * share);
    return `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${py}" y2="${py}" stroke="#e9ecef"/>${text(LEFT - 8, py + 4, String(Math.round(panel.max * share)), { fill: MUTED, anchor: 'end' })}`;
  });
  const half = 30 * 60_000;
  for (let at = Math.ceil(from / half) * half; at <= to; at += half)
    lines.push(
      text(x(at) - 14, panel.top + panel.height + 18, new Date(at).toISOString().slice(11, 16), {
        fill: MUTED,
      }),
    );
  return lines.join('');
}

function path(points: readonly Point[]): string {
  return points.map(([px, py], i) => `${i === 0 ? 'M' : 'L'}${px.toFixed(1)} ${py.toFixed(1)}`).join('');
}

/** A value holds until the next one. */
function stepped(points: readonly Point[]): Point[] {
  return points.flatMap((point, i): Point[] => {
    const before = points[i - 1];
    return before === undefined ? [point] : [[point[0], before[1]], point];
  });
}

function line(points: readonly Point[], colour: string, width: number): string {
  return `<path d="${path(points)}" fill="none" stroke="${colour}" stroke-width="${width}" stroke-linejoin="round"/>`;
}

function steps(points: readonly Point[], colour: string, width: number): string {
  return line(stepped(points), colour, width);
}

function filled(points: readonly Point[], base: number, colour: string): string {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return '';
  return `<path d="${path([[first[0], base], ...stepped(points), [last[0], base]])}Z" fill="${colour}"/>`;
}

function area(points: readonly ForecastPoint[], x: (ms: number) => number, panel: Panel): string {
  if (points.length === 0) return '';
  const upper = points.map((f): Point => [x(f.atMs), y(panel, f.upper)]);
  const lower = points.map((f): Point => [x(f.atMs), y(panel, f.median)]).reverse();
  return `<path d="${path([...upper, ...lower])}Z" fill="${BAND}" fill-opacity="0.55"/>`;
}

function shortage(
  ticks: readonly Tick[],
  capacity: number,
  x: (ms: number) => number,
  top: number,
  colour: string,
  name: string,
): string {
  const marks = ticks.flatMap((tick, i) => {
    const next = ticks[i + 1];
    const missing = demanded(tick.load, capacity) - tick.ready;
    if (next === undefined || missing <= 0) return [];
    const height = Math.min(4 + missing * 2, 24);
    return [
      `<rect x="${x(tick.atMs).toFixed(1)}" y="${top + 24 - height}" width="${Math.max(x(next.atMs) - x(tick.atMs), 0.5).toFixed(1)}" height="${height}" fill="${colour}"/>`,
    ];
  });
  const base = `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${top + 24}" y2="${top + 24}" stroke="#ced4da"/>`;
  return base + marks.join('') + text(LEFT, top + 38, name, { size: 11, fill: MUTED });
}
