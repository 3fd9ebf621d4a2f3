/** Stands for the watch of drifts, which takes three days of a load. */
import type { PredictiveScaler } from '../../operator/api/index.ts';
import { request } from '../api.ts';
import { scalersPath } from '../chart/scaler.ts';
import type { ClusterFacts } from '../cluster.ts';

/** A scaler says that its forecasts drift, until the operator looks next, and writes the condition anew, without a drift. */
export async function playDrift(cluster: ClusterFacts, namespace: string, name: string): Promise<void> {
  const path = scalersPath(namespace, name);
  const { status } = await request<PredictiveScaler>(cluster, 'GET', path);
  const conditions = (status?.conditions ?? []).filter(({ type }) => type !== 'ForecastDrift');
  const condition = {
    type: 'ForecastDrift',
    status: 'True',
    reason: 'ErrorsGrew',
    message: 'the forecast misses by more than it used to',
    lastTransitionTime: new Date().toISOString(),
  };
  await request(cluster, 'PATCH', `${path}/status`, { status: { conditions: [...conditions, condition] } });
}
