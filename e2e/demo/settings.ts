/**
 * The rules of the comparison, the same for both sides. The trace runs FACTOR times as fast as it was recorded. HPA's
 * periods are whole seconds, so the scaled behaviour is written out and stands on both objects; what cannot be scaled
 * to a whole second is rounded up on both.
 */
import { HISTORY_MINUTES, MINUTE_MS } from './trace.ts';

export const FACTOR = 60;
/** Load minutes that are replayed before the window, so that both sides are settled and pods have been seen to start. */
export const WARM_UP_MINUTES = 40;
export const WINDOW_MINUTES = 240;
/** Load time from a pod's creation to Ready: two minutes. */
export const START_UP_MS = 2 * MINUTE_MS;
/** A replica should carry this share of what it can carry. */
export const TARGET_SHARE = 0.7;
/** Asked of the forecast; the reactive rule stands beside it, so the rest is HPA's. `COVERAGE=0.99` runs the default of the kind. */
export const COVERAGE = process.env['COVERAGE'] ?? '0.95';
export const MAX_REPLICAS = 100;
export const NAMESPACE = 'demo';
export const METRIC = 'http_requests_per_minute';
export const QUERY = `sum(${METRIC})`;

/** HPA's defaults are a window of 300 s and steps per 15 s; at 60 times the speed that is 5 s and (rounded up) 1 s. */
export const BEHAVIOR = {
  scaleUp: {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 1 },
      { type: 'Percent', value: 100, periodSeconds: 1 },
    ],
  },
  scaleDown: {
    stabilizationWindowSeconds: 300 / FACTOR,
    selectPolicy: 'Max',
    policies: [{ type: 'Percent', value: 100, periodSeconds: 1 }],
  },
} as const;

/** HPA looks every 15 s of load time, and so do we. */
export const SYNC_PERIOD = `${15_000 / FACTOR}ms`;

/** One replica carries a twentieth of the 95th percentile of the history's load. */
export function capacityOf(values: readonly number[], windowStart: number): number {
  const history = values.slice(windowStart - HISTORY_MINUTES, windowStart).sort((a, b) => a - b);
  return (history[Math.floor(history.length * 0.95)] ?? 1) / 20;
}
