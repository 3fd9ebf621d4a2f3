/**
 * One trace at one start-up time: above, the whole scored time with the minutes short of each side counted per day;
 * below, the hours in which the two differ most, close enough to see who ordered when.
 */
import type { BacktestSeries } from '../../simulate/report-types.ts';
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
} from './draw/marks.ts';
import { shortened } from './draw/markup.ts';
import type { Role } from './draw/palette.ts';
import { dayOf, linear, quarters, roundTop, timeTicks } from './draw/scale.ts';
import { duration, startUp } from './numbers.ts';

const WIDTH = 1200;
const LEFT = 64;
const RIGHT = WIDTH - 24;
const HOUR_MS = 3_600_000;

const REPLICA_LEGEND = [
  ['demanded by the load', 'demanded'],
  ['HPA', 'hpa'],
  ['Foresail', 'ours'],
] as const;

/** @param views of the same trace, start-up time and objective. */
export function seriesSvg(views: readonly BacktestSeries[]): string {
  const [first] = views;
  if (first === undefined) return '';
  const title = `${shortened(first.trace, 60)}, pods take ${startUp(first.startUpSeconds)} to start`;
  const parts = [text(LEFT, 30, title, { size: 18, weight: 600 })];
  let top = 84;
  for (const view of views) {
    if (view.view === 'closeUp') {
      const name = `Close-up: the hours in which the two differ most, ${spanOf(view)}`;
      parts.push(
        rule([LEFT, top - 34], [RIGHT, top - 34], 'muted'),
        text(LEFT, top - 8, name, { size: 14, weight: 600 }),
      );
      top += 38;
    }
    const drawn = view.view === 'whole' && views.length > 1 ? drawWhole(view, top) : drawCloseUp(view, top);
    parts.push(drawn.svg);
    top = drawn.bottom + 66;
  }
  return drawing(WIDTH, top - 36, title, parts.join('\n'));
}

interface Drawn {
  readonly svg: string;
  readonly bottom: number;
}

function drawWhole(series: BacktestSeries, top: number): Drawn {
  const replicas = replicaPanel(series, top, 150);
  const bucketMs = bucketOf(series);
  const counts = bucketed(series, bucketMs);
  const highest = Math.max(...counts.flatMap(({ hpa, ours }) => [hpa, ours]), 0);
  const short = panel(series, replicas.bottom + 62, 80, roundTop(highest));
  const bars = counts.map(({ fromMs, hpa, ours }) => {
    const [left, right] = [short.x.at(fromMs), short.x.at(fromMs + bucketMs)].map((x) =>
      Math.min(Math.max(x, LEFT), RIGHT),
    ) as [number, number];
    const width = Math.max((right - left) * 0.36, 0.8);
    const bar = (x: number, minutes: number, role: Role) =>
      minutes === 0 ? '' : rect(x, short.y.at(minutes), width, short.bottom - short.y.at(minutes), role);
    const middle = (left + right) / 2;
    return bar(middle - width, hpa, 'hpa') + bar(middle, ours, 'ours');
  });
  const svg = [
    heading(replicas, `Replicas ready, ${spanOf(series)}`, REPLICA_LEGEND),
    drawReplicas(series, replicas),
    heading(short, `Minutes short per ${BUCKETS.get(bucketMs)}`, [
      [`HPA ${shortTime(series, 'hpa')}`, 'hpa'],
      [`Foresail ${shortTime(series, 'foresail')}`, 'ours'],
    ]),
    yAxis(short, quarters(short.y.to)),
    bars.join(''),
    xAxis(short, timeTicks(short.x.from, short.x.to, 14)),
  ];
  return { svg: svg.join('\n'), bottom: short.bottom };
}

function drawCloseUp(series: BacktestSeries, top: number): Drawn {
  const forecast = [...series.load, ...series.upper].filter(Number.isFinite);
  const load = panel(series, top, 150, roundTop(Math.max(...forecast, 0)));
  const at = (values: readonly number[], of: Panel): Point[] =>
    values.map((value, i) => [of.x.at(series.atMs[i] ?? 0), of.y.at(value)]);
  const edges = series.atMs.map(
    (ms, i) =>
      [
        load.x.at(ms),
        load.y.at(series.upper[i] ?? Number.NaN),
        load.y.at(series.median[i] ?? Number.NaN),
      ] as const,
  );
  const replicas = replicaPanel(series, load.bottom + 62, 170);
  const strips = replicas.bottom + 60;
  const name = series.view === 'closeUp' ? 'Load and forecast' : `Load and forecast, ${spanOf(series)}`;
  const svg = [
    heading(load, name, [
      ['load', 'load'],
      ['forecast, made one lead time before', 'median'],
      ['up to the asked coverage', 'band'],
    ]),
    yAxis(load, quarters(load.y.to)),
    band(edges, 'band'),
    line(at(series.median, load), 'median'),
    steps(at(series.load, load), 'load'),
    xAxis(load, timeTicks(load.x.from, load.x.to, 14)),
    heading(replicas, 'Replicas ready', REPLICA_LEGEND),
    drawReplicas(series, replicas),
    heading({ ...replicas, top: strips }, 'Time with fewer replicas ready than demanded', [
      [`HPA ${shortTime(series, 'hpa')}`, 'hpa'],
      [`Foresail ${shortTime(series, 'foresail')}`, 'ours'],
    ]),
    strip(series, replicas, strips, 'hpa'),
    strip(series, replicas, strips + 24, 'foresail'),
    xAxis({ ...replicas, bottom: strips + 44 }, timeTicks(replicas.x.from, replicas.x.to, 14)),
  ];
  return { svg: svg.join('\n'), bottom: strips + 44 };
}

function replicaPanel(series: BacktestSeries, top: number, height: number): Panel {
  const { hpa = [], foresail = [] } = series.replicas;
  const known = [...series.demanded, ...hpa, ...foresail].filter(Number.isFinite);
  return panel(series, top, height, roundTop(Math.max(...known, 4)));
}

function panel({ atMs, pointSeconds }: BacktestSeries, top: number, height: number, max: number): Panel {
  const from = atMs[0] ?? 0;
  const to = (atMs.at(-1) ?? 0) + pointSeconds * 1000;
  return {
    x: linear(from, to, [LEFT, RIGHT]),
    y: linear(0, max, [top + height, top]),
    left: LEFT,
    right: RIGHT,
    top,
    bottom: top + height,
  };
}

function drawReplicas(series: BacktestSeries, replicas: Panel): string {
  const points = (values: readonly number[] = []): Point[] => {
    const drawn = values.map((value, i): Point => [replicas.x.at(series.atMs[i] ?? 0), replicas.y.at(value)]);
    const last = drawn.at(-1);
    return last === undefined ? [] : [...drawn, [RIGHT, last[1]]];
  };
  return [
    yAxis(replicas, quarters(replicas.y.to)),
    filled(points(series.demanded), replicas.bottom, 'demanded'),
    steps(points(series.replicas.hpa), 'hpa'),
    steps(points(series.replicas.foresail), 'ours'),
    xAxis(replicas, timeTicks(replicas.x.from, replicas.x.to, 14)),
  ].join('\n');
}

function shortTime({ shortMinutes }: BacktestSeries, policy: 'hpa' | 'foresail'): string {
  return duration((shortMinutes[policy] ?? []).reduce((sum, each) => sum + each, 0));
}

/** A line on which each stretch that was short is filled. */
function strip(series: BacktestSeries, { x }: Panel, top: number, policy: 'hpa' | 'foresail'): string {
  const role = policy === 'hpa' ? 'hpa' : 'ours';
  const minutes = series.shortMinutes[policy] ?? [];
  const pointMs = series.pointSeconds * 1000;
  const stretches: { from: number; to: number }[] = [];
  for (const [i, short] of minutes.entries()) {
    if (short <= 0) continue;
    const from = series.atMs[i] ?? 0;
    const last = stretches.at(-1);
    if (last !== undefined && last.to >= from) last.to = from + pointMs;
    else stretches.push({ from, to: from + pointMs });
  }
  return [
    rect(LEFT, top, RIGHT - LEFT, 16, 'grid'),
    ...stretches.map(({ from, to }) => rect(x.at(from), top, Math.max(x.at(to) - x.at(from), 1), 16, role)),
    text(LEFT - 8, top + 12, role === 'hpa' ? 'HPA' : 'Foresail', { size: 11, role: 'muted', anchor: 'end' }),
    rule([LEFT, top + 16], [RIGHT, top + 16], 'muted'),
  ].join('');
}

interface Bucket {
  readonly fromMs: number;
  hpa: number;
  ours: number;
}

function bucketed({ atMs, shortMinutes }: BacktestSeries, bucketMs: number): Bucket[] {
  const buckets = new Map<number, Bucket>();
  for (const [i, ms] of atMs.entries()) {
    const fromMs = Math.floor(ms / bucketMs) * bucketMs;
    const bucket = buckets.get(fromMs) ?? { fromMs, hpa: 0, ours: 0 };
    bucket.hpa += shortMinutes.hpa?.[i] ?? 0;
    bucket.ours += shortMinutes.foresail?.[i] ?? 0;
    buckets.set(fromMs, bucket);
  }
  return [...buckets.values()];
}

const BUCKETS: ReadonlyMap<number, string> = new Map([
  [HOUR_MS / 4, '15 minutes'],
  [HOUR_MS, 'hour'],
  [6 * HOUR_MS, '6 hours'],
  [24 * HOUR_MS, 'day'],
  [168 * HOUR_MS, 'week'],
]);

/** Time of one pair of bars: the shortest round one that leaves the bars wide enough to see. */
function bucketOf({ atMs, pointSeconds }: BacktestSeries): number {
  const span = atMs.length * pointSeconds * 1000;
  const fits = (each: number) => span / each <= 45 && each >= pointSeconds * 1000;
  return [...BUCKETS.keys()].find(fits) ?? 168 * HOUR_MS;
}

function spanOf({ atMs, pointSeconds }: BacktestSeries): string {
  const [from, to] = [atMs[0] ?? 0, (atMs.at(-1) ?? 0) + pointSeconds * 1000];
  const year = (ms: number) => new Date(ms).getUTCFullYear();
  const time = (ms: number) => new Date(ms).toISOString().slice(11, 16);
  if (to - from > 2 * 24 * HOUR_MS) return `${dayOf(from)} to ${dayOf(to)} ${year(to)}`;
  return `${dayOf(from)} ${year(from)}, ${time(from)} to ${time(to)} UTC`;
}
