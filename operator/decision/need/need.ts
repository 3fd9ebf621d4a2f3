/**
 * need = max over metrics of ceil(peak of the upper load path over the lead window / what one replica carries).
 * Load is in absolute units, summed over pods, so the result does not depend on how many pods run now.
 */
import { ceilReplicas } from '../reactive/whole-numbers.ts';
import type {
  ForecastInput,
  LoadPath,
  LoadWindow,
  MetricPlan,
  NeedOfMetric,
  NeedResult,
  PodView,
} from '../types.ts';
import { type Peak, peakOf } from './peak.ts';
import { perReplica } from './per-replica.ts';

/**
 * The highest load that an order made now can do something about: of the time before new replicas are ready no more
 * than the present ones carry.
 */
function peakToServe(path: LoadPath, window: LoadWindow, strict: boolean, carriedMilli: number): Peak {
  const whole = peakOf(path, window, strict);
  const { fromMs, readyMs } = window;
  if (readyMs === undefined || whole.kind !== 'peak' || whole.milli <= carriedMilli) return whole;
  const served = peakOf(path, { ...window, fromMs: Math.max(readyMs, fromMs) }, false);
  if (served.kind !== 'peak' || served.milli >= carriedMilli) return served.kind === 'peak' ? served : whole;
  return { ...whole, milli: carriedMilli };
}

/** A load that is above a whole number of replicas by less than this is rounding noise, not load. */
const NOISE = 1e-9;

export interface NeedInput {
  readonly window: LoadWindow;
  readonly metrics: readonly MetricPlan[];
  readonly learnedCapacityMilli: readonly (number | undefined)[];
  readonly pods: readonly PodView[];
  /** That run or start now. */
  readonly current: number;
}

/**
 * @param strict see `peakOf`
 * @returns the replicas to order: for the part of the window that they serve, and as many of the present ones as the
 *   part before it takes
 */
export function needFrom(
  forecast: ForecastInput,
  { window, metrics, learnedCapacityMilli, pods, current }: NeedInput,
  strict: boolean,
): NeedResult {
  const needs: (NeedOfMetric | null)[] = [];
  for (const [index, plan] of metrics.entries()) {
    const path = forecast.paths[index];
    const carries = perReplica(plan, learnedCapacityMilli[index], pods);
    if (path === undefined || carries === undefined) {
      needs.push(null);
      continue;
    }
    const peak = peakToServe(path, window, strict, current * carries.milli);
    // One metric that cannot be seen ahead makes the whole need unknown: a max over the others would look complete.
    if (peak.kind === 'outside') {
      return { kind: 'unknown', reason: 'HorizonPassed', message: `${plan.name}: ${peak.message}` };
    }
    if (peak.kind === 'invalid') {
      return { kind: 'unknown', reason: 'NotANumber', message: `${plan.name}: ${peak.message}` };
    }
    needs.push({
      replicas: ceilReplicas((peak.milli / carries.milli) * (1 - NOISE)),
      peakMilli: peak.milli,
      peakAtMs: peak.atMs,
      perReplicaMilli: carries.milli,
      perReplicaFrom: carries.from,
    });
  }
  const known = needs.filter((need) => need !== null);
  if (known.length === 0) {
    return { kind: 'unknown', reason: 'NoData', message: 'no metric has a forecast' };
  }
  return {
    kind: 'known',
    replicas: Math.max(...known.map(({ replicas }) => replicas)),
    metrics: needs,
    model: forecast.model,
    coverage: forecast.coverage,
    lowConfidence: forecast.lowConfidence ?? false,
    ...(forecast.headroom === true ? { headroom: true } : {}),
  };
}
