/** All measures of one forecaster on one series at one horizon. */
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
import { naivePoint } from './naive.ts';
import type { Protocol } from './protocol.ts';
import type { ByLevel, EvaluationResult } from './report-types.ts';
import type { Scene } from './scene.ts';

export interface Lead {
  readonly horizonSeconds: number;
  readonly steps: number;
}

export interface Scored {
  readonly scene: Scene;
  readonly protocol: Protocol;
  /** Leave a series that a model was trained on out of that model's aggregate. */
  readonly excludeTrained: boolean;
}

export interface Run {
  readonly model: string;
  /** Origins. */
  readonly at: readonly number[];
  readonly stride: number;
  readonly trained: boolean;
  readonly unanswered: number;
}

/**
 * @param all quantiles [origins, LEVELS]
 * @param points what is scored as the point forecast; default: the median
 * @returns undefined when there is not one forecast whose value is known
 */
export function resultOf(
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
    relPinball: byLevel((q, level) => against(meanPinball(y, q, level), meanPinball(y, naive, level))),
    coverage: byLevel((q) => coverage(y, q)),
    coverageTopDecile: byLevel((q) => told(coverage(y, q, (value) => value >= busiest))),
    trained: run.trained,
    inAggregate: leftOut === null,
    leftOut,
  };
}
