/** Scores one series: every contender at every horizon, beside the reference of all ratios. */
import type { Forecaster } from '../../forecast/types.ts';
import {
  bias,
  columnOf,
  coverage,
  mae,
  mape,
  meanPinball,
  medianOf,
  missRates,
  quantileOf,
  r2,
  ratio,
  rmse,
  TAIL_LEVELS,
  told,
  WIDTH,
  wape,
  wql,
} from './metrics.ts';
import { naiveForecasts, naivePoint } from './naive.ts';
import { leadOf, type Protocol, protocolOf } from './protocol.ts';
import type { ByLevel, EvaluationNote, EvaluationResult } from './report-types.ts';
import { rollForecasts } from './rolling.ts';
import type { Scene } from './scene.ts';

export interface Contender {
  readonly model: string;
  /** One for this series alone; what it fits belongs to it. */
  open(): Forecaster;
  /** Windows per call. */
  readonly batch: number;
  /** Origins per series at most, spread evenly; Infinity for every step. */
  readonly maxOrigins: number;
  /** Adds the contender `MODEL+calibrated`; needs every step. */
  readonly calibrated: boolean;
  /** The series, or its source, is named among the model's training data. */
  trainedOn(series: string): boolean;
}

/** Contenders that need no forecaster: lags in steps of a day, a week, and the last value. */
export const NAIVE: readonly { readonly model: string; readonly summary: string; readonly days: number }[] = [
  { model: 'naive-last', summary: 'the last value, with the quantiles of its errors in training', days: 0 },
  {
    model: 'naive-day',
    summary: 'the value a day ago, with the quantiles of its errors in training',
    days: 1,
  },
  {
    model: 'naive-week',
    summary: 'the value a week ago, with the quantiles of its errors in training',
    days: 7,
  },
];

export interface SeriesScores {
  readonly results: readonly EvaluationResult[];
  readonly skipped: readonly EvaluationNote[];
}

export interface ScoreOptions {
  readonly horizonsMs: readonly number[];
  readonly naive: readonly string[];
  /** Leave a series that a model was trained on out of that model's aggregate. */
  readonly excludeTrained: boolean;
}

export async function scoreSeries(
  scene: Scene,
  contenders: readonly Contender[],
  options: ScoreOptions,
  signal: AbortSignal,
): Promise<SeriesScores> {
  const series = scene.name;
  const protocol = protocolOf(scene);
  if (typeof protocol === 'string') return { results: [], skipped: [{ series, reason: protocol }] };
  const { split } = protocol;
  const skipped: EvaluationNote[] = [];
  const leads: Lead[] = [];
  for (const horizonMs of options.horizonsMs) {
    const lead = leadOf(horizonMs, scene.stepMs);
    if (typeof lead === 'number') leads.push({ horizonSeconds: horizonMs / 1000, steps: lead });
    else skipped.push({ series, horizonSeconds: horizonMs / 1000, reason: lead });
  }
  const results: EvaluationResult[] = [];
  const scored: Scored = { scene, protocol, ...options };
  const everyOrigin = originsOf(scene, split, Number.POSITIVE_INFINITY);
  for (const { model, days } of NAIVE.filter((one) => options.naive.includes(one.model))) {
    const season = days === 0 ? 1 : days * Math.round(86_400_000 / scene.stepMs);
    if (season < 1 || split <= 2 * season) {
      skipped.push({ series, model, reason: 'no two seasons in the training part' });
      continue;
    }
    for (const lead of leads) {
      const { point, quantiles } = naiveForecasts(scene, split, everyOrigin.at, lead.steps, season);
      const naive = { model, trained: false, unanswered: 0, ...everyOrigin };
      keep(resultOf(scored, naive, lead, quantiles, point), lead, model);
    }
  }
  for (const contender of contenders) {
    const { model, batch, calibrated } = contender;
    const origins = originsOf(scene, split, contender.maxOrigins);
    // oxlint-disable-next-line no-await-in-loop -- one after the other: they share the processor
    const rolled = await rollForecasts(
      scene,
      contender.open(),
      {
        origins: origins.at,
        leads: leads.map(({ steps }) => steps),
        batch,
        calibrated: calibrated && origins.stride === 1,
      },
      signal,
    );
    const { complaint, unanswered } = rolled;
    const run = { trained: contender.trainedOn(series), unanswered, ...origins };
    leads.forEach((lead, l) => {
      const own = rolled.quantiles[l];
      const band = rolled.calibrated?.[l];
      if (own !== undefined) keep(resultOf(scored, { ...run, model }, lead, own), lead, model, complaint);
      const name = `${model}+calibrated`;
      if (band !== undefined)
        keep(resultOf(scored, { ...run, model: name }, lead, band), lead, name, complaint);
    });
  }
  return { results, skipped };

  function keep(result: EvaluationResult | undefined, lead: Lead, model: string, complaint?: string): void {
    if (result !== undefined) results.push(result);
    else {
      const reason = complaint ?? `no forecast ${lead.steps} steps ahead`;
      const reached = lead.steps < scene.truth.length - split;
      skipped.push({
        series,
        model,
        horizonSeconds: lead.horizonSeconds,
        reason: reached ? reason : 'the horizon is longer than the test part',
      });
    }
  }
}

interface Lead {
  readonly horizonSeconds: number;
  readonly steps: number;
}

interface Scored extends ScoreOptions {
  readonly scene: Scene;
  readonly protocol: Protocol;
}

interface Run {
  readonly model: string;
  readonly at: readonly number[];
  readonly stride: number;
  readonly trained: boolean;
  readonly unanswered: number;
}

/** Every step of the test part has its origin one step before; the last step is nobody's origin. */
function originsOf({ truth }: Scene, split: number, most: number): { at: number[]; stride: number } {
  const count = truth.length - split;
  const stride = Math.max(Math.ceil(count / most), 1);
  return { at: Array.from({ length: Math.ceil(count / stride) }, (_, i) => split - 1 + i * stride), stride };
}

/**
 * @param all quantiles [origins, LEVELS]
 * @param points what is scored as the point forecast; default: the median
 * @returns undefined when there is not one forecast whose value is known
 */
function resultOf(
  { scene, protocol, excludeTrained }: Scored,
  run: Run,
  lead: Lead,
  all: Float64Array,
  points?: Float64Array,
): EvaluationResult | undefined {
  const { truth, seen, stepMs } = scene;
  const { split, season, scale, days } = protocol;
  const rows: number[] = [];
  run.at.forEach((origin, i) => {
    const value = truth[origin + lead.steps];
    if (value !== undefined && !Number.isNaN(value) && !Number.isNaN(all[i * WIDTH])) rows.push(i);
  });
  if (rows.length === 0) return undefined;
  const origins = rows.map((i) => run.at[i] ?? 0);
  const y = Float64Array.from(origins, (origin) => truth[origin + lead.steps] ?? Number.NaN);
  const quantiles = new Float64Array(rows.length * WIDTH);
  rows.forEach((i, row) => quantiles.set(all.subarray(i * WIDTH, (i + 1) * WIDTH), row * WIDTH));
  const point =
    points === undefined ? medianOf(quantiles) : Float64Array.from(rows, (i) => points[i] ?? Number.NaN);
  const naive = Float64Array.from(origins, (origin) => naivePoint(seen, origin, lead.steps, season.steps));
  const hasNaive = season.name !== 'none' && !naive.some(Number.isNaN);
  const against = (own: number, reference: number): number | null =>
    hasNaive ? told(ratio(own, reference)) : null;

  const busiest = quantileOf(truth.subarray(0, split), 0.9);
  const ownMae = mae(y, point);
  const ownWql = wql(y, quantiles);
  const { under, over } = missRates(y, point);
  const byLevel = <T>(of: (q: Float64Array, level: number) => T): ByLevel<T> =>
    Object.fromEntries(TAIL_LEVELS.map((level) => [String(level), of(columnOf(quantiles, level), level)]));
  const relMase = against(ownMae, mae(y, naive));
  const relWql = against(ownWql, wape(y, naive));
  const leftOut =
    protocol.leftOut ??
    (run.trained && excludeTrained ? "named in the model's card" : null) ??
    (relWql === null || relMase === null ? 'no ratio to seasonal naive' : null);
  return {
    series: scene.name,
    model: run.model,
    horizonSeconds: lead.horizonSeconds,
    stepSeconds: stepMs / 1000,
    days,
    n: rows.length,
    stride: run.stride,
    unanswered: run.unanswered,
    season: season.name,
    mase: told(ratio(ownMae, scale)),
    wql: told(ownWql),
    relMase,
    relWql,
    wape: told(wape(y, point)),
    bias: told(bias(y, point)),
    mae: ownMae,
    rmse: rmse(y, point),
    mape: told(mape(y, point)),
    r2: told(r2(y, point)),
    underRate: under,
    overRate: over,
    pinball: byLevel((q, level) => meanPinball(y, q, level)),
    coverage: byLevel((q) => coverage(y, q)),
    coverageTopDecile: byLevel((q) => told(coverage(y, q, (value) => value >= busiest))),
    trained: run.trained,
    inAggregate: leftOut === null,
    leftOut,
  };
}
