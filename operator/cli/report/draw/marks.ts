/** The marks that charts are made of: text, lines, areas, bars, axes and a legend, each a piece of SVG. */
import { escaped } from './markup.ts';
import { fill, type Role, stroke } from './palette.ts';
import type { Scale, Tick } from './scale.ts';

export type Point = readonly [x: number, y: number];

/** The rectangle that an x and a y scale span. */
export interface Panel {
  readonly x: Scale;
  readonly y: Scale;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export const FONT = 'DejaVu Sans, Verdana, sans-serif';

export interface TextStyle {
  readonly size?: number;
  readonly role?: Role;
  readonly weight?: number;
  readonly anchor?: 'start' | 'middle' | 'end';
}

export function text(x: number, y: number, content: string, style: TextStyle = {}): string {
  const { size = 12, role = 'ink', weight = 400, anchor = 'start' } = style;
  return `<text x="${px(x)}" y="${px(y)}" font-size="${size}" font-weight="${weight}" ${fill(role)} text-anchor="${anchor}">${escaped(content)}</text>`;
}

/** Width of a text in pixels, about: enough to keep labels apart. */
export function widthOf(content: string, size = 12): number {
  let ems = 0;
  for (const character of content)
    ems += /[fijlrt.,:;'|!() ]/.test(character) ? 0.36 : /[A-Zmw%@]/.test(character) ? 0.78 : 0.61;
  return ems * size;
}

/** One line per run of known points: a gap stays a gap. */
export function line(points: readonly Point[], role: Role, width = 1.5): string {
  const d = runsOf(points).map(path).join('');
  return d === '' ? '' : `<path d="${d}" ${stroke(role, width)} stroke-linejoin="round"/>`;
}

/** A value holds until the next one. */
export function steps(points: readonly Point[], role: Role, width = 1.5): string {
  const d = runsOf(points).map(stepPath).join('');
  return d === '' ? '' : `<path d="${d}" ${stroke(role, width)} stroke-linejoin="round"/>`;
}

/** Stepped, filled down to `base`. */
export function filled(points: readonly Point[], base: number, role: Role): string {
  const d = runsOf(points)
    .map((run) => `${stepPath(run)}V${px(base)}H${px(run[0]?.[0] ?? 0)}Z`)
    .join('');
  return d === '' ? '' : `<path d="${d}" ${fill(role)}/>`;
}

/** Between two lines that share their x; where either is unknown there is nothing. */
export function band(
  points: readonly (readonly [x: number, upper: number, lower: number])[],
  role: Role,
): string {
  const known = points.map(([x, upper, lower]): Point => [x, upper + lower]);
  let from = 0;
  const d = runsOf(known).map((run) => {
    while (Number.isNaN(known[from]?.[1] ?? 0)) from += 1;
    const part = points.slice(from, from + run.length);
    from += run.length;
    const upper = part.map(([x, y]): Point => [x, y]);
    const lower = part.map(([x, , y]): Point => [x, y]).reverse();
    return `${path([...upper, ...lower])}Z`;
  });
  return d.length === 0 ? '' : `<path d="${d.join('')}" ${fill(role)} fill-opacity="0.6"/>`;
}

export function rect(x: number, y: number, width: number, height: number, role: Role): string {
  return `<rect x="${px(x)}" y="${px(y)}" width="${px(width)}" height="${px(height)}" ${fill(role)}/>`;
}

export function rule(from: Point, to: Point, role: Role, dash = ''): string {
  const dashes = dash === '' ? '' : ` stroke-dasharray="${dash}"`;
  return `<line x1="${px(from[0])}" y1="${px(from[1])}" x2="${px(to[0])}" y2="${px(to[1])}" ${stroke(role)}${dashes}/>`;
}

export function dot([x, y]: Point, radius: number, role: Role): string {
  return `<circle cx="${px(x)}" cy="${px(y)}" r="${radius}" ${fill(role)}/>`;
}

export function ring([x, y]: Point, radius: number, role: Role): string {
  return `<circle cx="${px(x)}" cy="${px(y)}" r="${radius}" ${stroke(role, 2)}/>`;
}

/** Horizontal lines with their values on the left. */
export function yAxis({ y, left, right }: Panel, ticks: readonly Tick[]): string {
  return ticks
    .map(({ value, label }) => {
      const at = y.at(value);
      return (
        rule([left, at], [right, at], 'grid') +
        text(left - 8, at + 4, label, { role: 'muted', anchor: 'end' })
      );
    })
    .join('');
}

/** Labels below the panel; one that would stick out at an end is left away. */
export function xAxis({ x, left, right, bottom }: Panel, ticks: readonly Tick[]): string {
  return ticks
    .flatMap(({ value, label }) => {
      const at = x.at(value);
      const half = widthOf(label) / 2;
      if (at + half > right + 24 || at - half < left - 24) return [];
      return [
        rule([at, bottom], [at, bottom + 4], 'muted') +
          text(at, bottom + 17, label, { role: 'muted', anchor: 'middle' }),
      ];
    })
    .join('');
}

/** A title on the left and what the colours mean on the right, above the panel. */
export function heading(
  { left, right, top }: Pick<Panel, 'left' | 'right' | 'top'>,
  title: string,
  legend: readonly (readonly [name: string, role: Role])[] = [],
): string {
  let x = right;
  const entries = legend.toReversed().map(([name, role]) => {
    const label = text(x, top - 12, name, { role: 'muted', anchor: 'end' });
    x -= widthOf(name) + 24;
    const mark = `<rect x="${px(x)}" y="${px(top - 22)}" width="16" height="10" rx="2" ${fill(role)}/>`;
    x -= 16;
    return label + mark;
  });
  return text(left, top - 12, title, { size: 14, weight: 600 }) + entries.join('');
}

export function drawing(width: number, height: number, label: string, content: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="${FONT}" role="img" aria-label="${escaped(label)}">
<rect width="100%" height="100%" ${fill('paper')}/>
${content}
</svg>`;
}

function runsOf(points: readonly Point[]): Point[][] {
  const runs: Point[][] = [];
  let run: Point[] = [];
  for (const point of points) {
    if (Number.isNaN(point[1])) {
      run = [];
      continue;
    }
    if (run.length === 0) runs.push(run);
    run.push(point);
  }
  return runs;
}

/** Without the points inside a level stretch: they draw nothing. */
function path(points: readonly Point[]): string {
  const kept = points.filter(([, y], i) => y !== points[i - 1]?.[1] || y !== points[i + 1]?.[1]);
  return kept.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${px(x)} ${px(y)}`).join('');
}

/** Only where the value changes: most points of a replica count repeat the one before. */
function stepPath(points: readonly Point[]): string {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return '';
  let level = first[1];
  let d = `M${px(first[0])} ${px(level)}`;
  for (const [x, y] of points) {
    if (y === level) continue;
    d += `H${px(x)}V${px(y)}`;
    level = y;
  }
  return `${d}H${px(last[0])}`;
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}
