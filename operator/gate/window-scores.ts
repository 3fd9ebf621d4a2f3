/**
 * Candidate, incumbent and the simple forecasts on exactly the same windows of the test part: the losses that the
 * verdicts rest on, and the measures that people know.
 */

import type { Forecaster } from '../forecast/types.ts';
import { knownSteps } from '../forecast/window.ts';
import { forecastLoss } from '../judge/loss.ts';
import {
  columnOf,
  coverage as coverageOf,
  LEVELS,
  mae,
  medianOf,
  TAIL_LEVELS,
  WIDTH,
  wql,
} from '../simulate/accuracy/metrics.ts';
import { naiveForecasts } from '../simulate/accuracy/naive.ts';
import { bestSeason, leadOf } from '../simulate/accuracy/protocol.ts';
import { MIN_KNOWN, rollForecasts } from '../simulate/accuracy/rolling.ts';
import { type Scene, sceneOf, windowAt } from '../simulate/accuracy/scene.ts';
import { endOf } from './data-gate.ts';
import type { PairedLosses } from './paired-ratio.ts';
import type { FolderSeries } from './series-folder.ts';

export interface ScoreOptions {
  readonly validateEndMs: number;
  readonly horizonsMs: readonly number[];
  /** Origins per series, spread evenly over the test part. */
  readonly mostOrigins: number;
}

/** Of one series at one lead time; every measure is over the same windows for all. */
export interface WindowScores {
  readonly series: string;
  readonly horizonSeconds: number;
  readonly windows: number;
  /** Sums of losses per block of time. */
  readonly losses: Readonly<Record<Who, Float64Array | undefined>>;
  readonly mae: Readonly<Record<Who, number>>;
  readonly wql: Readonly<Record<Who, number>>;
  /** Share of loads at or below the candidate's and the incumbent's quantile, by level. */
  readonly coverage: Readonly<Record<'candidate' | 'incumbent', Readonly<Record<string, number>>>>;
  /** Windows that the candidate left unanswered where the others answered; it may be all of them. */
  readonly unanswered: number;
  /** What the first of them got instead. */
  readonly complaint: string | undefined;
}

export type Who = 'candidate' | 'incumbent' | 'naive' | 'last';

/** What all are compared on: origins of the test part, and its time cut into blocks. */
interface Course {
  readonly scene: Scene;
  readonly split: number;
  readonly origins: readonly number[];
  readonly season: number;
  readonly blockMs: number;
  readonly blocks: number;
}

const DAY_MS = 86_400_000;
/** A test part of fewer days is cut into this many blocks. */
const FEW_DAYS_BLOCKS = 8;
const BATCH = 64;

export async function scoreWindows(
  series: FolderSeries,
  { candidate, incumbent }: { readonly candidate: Forecaster; readonly incumbent: Forecaster | undefined },
  options: ScoreOptions,
  signal: AbortSignal,
): Promise<WindowScores[]> {
  const course = courseOf(series, options);
  if (course === undefined) return [];
  const { scene, origins } = course;
  const leads = leadsOf(course, options.horizonsMs);
  if (leads.length === 0) return [];
  const plan = { origins, leads: leads.map(({ steps }) => steps), batch: BATCH, calibrated: false };
  const own = await rollForecasts(scene, [candidate], plan, signal);
  const other = incumbent && (await rollForecasts(scene, [incumbent], plan, signal));
  return leads.flatMap((lead, l) => {
    const scores = scoresAt(course, lead, own.quantiles[l], other?.quantiles[l]);
    // A lead that lies beyond its horizon is none of its duties; a series that it cannot answer is.
    const beyond = scores?.windows === 0 && own.unanswered === 0;
    return scores === undefined || beyond ? [] : [{ ...scores, complaint: own.complaint }];
  });
}

function courseOf(series: FolderSeries, options: ScoreOptions): Course | undefined {
  const { mostOrigins } = options;
  const validateEndMs = endOf(series, options.validateEndMs);
  const scene = sceneOf({ ...series, name: series.name });
  const length = scene.truth.length;
  const split = Math.min(Math.max(Math.ceil((validateEndMs - scene.startMs) / scene.stepMs), 0), length);
  // Without a past there is nothing to forecast from.
  if (split < 2 || length - split < 2) return undefined;
  const origins = spread(length - split, mostOrigins)
    .map((at) => split - 1 + at)
    // Where the operator would not ask a model, no model is to answer.
    .filter((origin) => knownSteps(windowAt(scene, origin)) >= MIN_KNOWN);
  const spanMs = (length - split) * scene.stepMs;
  const days = Math.floor(spanMs / DAY_MS);
  const blockMs = days >= FEW_DAYS_BLOCKS ? DAY_MS : spanMs / FEW_DAYS_BLOCKS;
  const { steps: season } = bestSeason(scene.seen.subarray(0, split), scene.stepMs);
  return { scene, split, origins, season, blockMs, blocks: Math.ceil(spanMs / blockMs) };
}

/** Of a Weyl sequence, whose parts are spread evenly however many are taken. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** One step of each stretch, each time at another place of it: a stride that divides the day saw the same hours of each. */
function spread(steps: number, most: number): number[] {
  const stretch = Math.max(Math.ceil(steps / most), 1);
  return Array.from(
    { length: Math.ceil(steps / stretch) },
    (_, i) => i * stretch + Math.floor(((i * GOLDEN) % 1) * stretch),
  ).filter((at) => at < steps);
}

interface Lead {
  readonly horizonSeconds: number;
  readonly steps: number;
}

/** Horizons below a series' step become one step; several that are the same number of steps are one. */
function leadsOf({ scene, split }: Course, horizonsMs: readonly number[]): Lead[] {
  const steps = horizonsMs
    .map((ms) => leadOf(ms, scene.stepMs))
    .map((lead) => (typeof lead === 'string' ? 1 : lead));
  return [...new Set(steps)]
    .filter((lead) => lead < (scene.truth.length - split) / 2)
    .map((lead) => ({ steps: lead, horizonSeconds: (lead * scene.stepMs) / 1000 }));
}

function scoresAt(
  course: Course,
  { steps, horizonSeconds }: Lead,
  candidate: Float64Array | undefined,
  incumbent: Float64Array | undefined,
): Omit<WindowScores, 'complaint'> | undefined {
  const { scene, split, origins, season } = course;
  const naive = naiveForecasts(scene, split, origins, steps, season).quantiles;
  const last = naiveForecasts(scene, split, origins, steps, 1).quantiles;
  if (candidate === undefined) return undefined;
  const all: Record<Who, Float64Array | undefined> = { candidate, incumbent, naive, last };
  const askable = origins
    .map((_, i) => i)
    .filter((i) => {
      const value = scene.truth[(origins[i] ?? 0) + steps];
      const others = [incumbent, naive, last].filter((matrix) => matrix !== undefined);
      return value !== undefined && !Number.isNaN(value) && others.every((matrix) => isAnswered(matrix, i));
    });
  if (askable.length === 0) return undefined;
  const rows = askable.filter((i) => isAnswered(candidate, i));
  const y = Float64Array.from(rows, (i) => scene.truth[(origins[i] ?? 0) + steps] ?? Number.NaN);
  const picked = mapWho(all, (matrix) => matrix && pick(matrix, rows));
  const each = (measure: (quantiles: Float64Array) => number) =>
    mapWho(picked, (quantiles) => (quantiles === undefined ? Number.NaN : measure(quantiles)));
  const coverage = (quantiles: Float64Array | undefined) =>
    Object.fromEntries(
      TAIL_LEVELS.map((level) => [
        String(level),
        quantiles === undefined ? Number.NaN : coverageOf(y, columnOf(quantiles, level)),
      ]),
    );
  return {
    series: scene.name,
    horizonSeconds,
    windows: rows.length,
    losses: mapWho(picked, (quantiles) => quantiles && blockLosses(course, steps, rows, y, quantiles)),
    mae: each((quantiles) => mae(y, medianOf(quantiles))),
    wql: each((quantiles) => wql(y, quantiles)),
    coverage: { candidate: coverage(picked.candidate), incumbent: coverage(picked.incumbent) },
    unanswered: askable.length - rows.length,
  };
}

function mapWho<A, B>(of: Readonly<Record<Who, A>>, change: (one: A) => B): Record<Who, B> {
  return {
    candidate: change(of.candidate),
    incumbent: change(of.incumbent),
    naive: change(of.naive),
    last: change(of.last),
  };
}

function isAnswered(matrix: Float64Array, row: number): boolean {
  return !Number.isNaN(matrix[row * WIDTH] ?? Number.NaN);
}

function pick(matrix: Float64Array, rows: readonly number[]): Float64Array {
  const out = new Float64Array(rows.length * WIDTH);
  rows.forEach((row, i) => out.set(matrix.subarray(row * WIDTH, (row + 1) * WIDTH), i * WIDTH));
  return out;
}

/** The loss that also judges a rollout: a version that passes here is asked the same question there. */
function blockLosses(
  { scene, split, origins, blockMs, blocks }: Course,
  lead: number,
  rows: readonly number[],
  y: Float64Array,
  quantiles: Float64Array,
): Float64Array {
  const sums = new Float64Array(blocks);
  rows.forEach((row, i) => {
    const at = ((origins[row] ?? 0) + lead - split) * scene.stepMs;
    const block = Math.min(Math.floor(at / blockMs), blocks - 1);
    const values = quantiles.subarray(i * WIDTH, (i + 1) * WIDTH);
    sums[block] = (sums[block] ?? 0) + forecastLoss({ levels: LEVELS, values }, y[i] ?? Number.NaN);
  });
  return sums;
}

/** Pairs for the ratio of one to another. */
export function pairsOf(scores: readonly WindowScores[], own: Who, other: Who): PairedLosses[] {
  return scores.flatMap(({ series, losses }) => {
    const [a, b] = [losses[own], losses[other]];
    return a === undefined || b === undefined ? [] : [{ series, own: a, other: b }];
  });
}
