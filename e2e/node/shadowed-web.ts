/** An app whose scaler has a history to learn from, and needs nobody who puts load on it. */
import { scaler } from '../chart/scaler.ts';
import type { ClusterFacts } from '../cluster.ts';
import { web } from './objects.ts';
import { apply, readyPods } from './stage.ts';

/** An hour's wave with what looks like noise on it, at any time of the past too: a history that needs no exporter. */
const LOAD = {
  type: 'Prometheus',
  prometheus: {
    serverRef: { name: 'default' },
    query:
      '100 + 40 * sin(vector(time()) * 2 * pi() / 3600) + 8 * sin(vector(time()) * 0.731) + 8 * sin(vector(time()) * 1.913)',
    target: { type: 'AverageValue', averageValue: '100' },
  },
};

/** The sample app, Ready, and a scaler of the same name that forecasts its load and leaves it as it is. */
export async function runShadowedWeb(
  cluster: ClusterFacts,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const target = { apiVersion: 'apps/v1', kind: 'Deployment', name };
  const spec = { mode: 'Shadow', metrics: [LOAD], forecast: { step: '1m' } };
  await apply(cluster, ...web(namespace, name), scaler(namespace, name, target, spec));
  await readyPods(cluster, namespace, name, 1, signal);
}
