/** The operator and the router as pods of the chart, installed by the real helm, once for all stories of a stage. */
import { CHART, makeHelm, NAMESPACE, RELEASE } from '../chart/helm.ts';
import { type ClusterFacts, nodeOf } from '../cluster.ts';
import { SHOP } from '../stories/model-stage.ts';
import { OPERATOR_IMAGE } from './images.ts';
import type { NodeStage } from './stage.ts';

/** Seconds where people have minutes; what decides is the same. */
function valuesFor(cluster: ClusterFacts): object {
  const { port } = new URL(cluster.prometheusUrl ?? '');
  return {
    image: { ...OPERATOR_IMAGE, pullPolicy: 'Never' },
    router: { enabled: true },
    config: {
      syncPeriod: '2s',
      hpa: { downscaleStabilization: '15s', cpuInitializationPeriod: '10s', initialReadinessDelay: '1s' },
      modelServing: { minReady: '1s', drain: '10s' },
      prometheusServers: [
        { name: 'default', url: `http://${nodeOf(cluster).address}:${port}`, allowedNamespaces: [SHOP] },
      ],
    },
  };
}

const installed = new WeakMap<NodeStage, Promise<number>>();

/** Resolves with the seconds that it took when every pod of it is Ready. */
export function installOperator(stage: NodeStage): Promise<number> {
  const known = installed.get(stage) ?? install(stage);
  installed.set(stage, known);
  return known;
}

async function install({ cluster }: NodeStage): Promise<number> {
  await using helm = await makeHelm(cluster.kubeconfigPath);
  const begun = performance.now();
  const args = ['install', RELEASE, CHART, '--namespace', NAMESPACE, '--create-namespace'];
  await helm.run([...args, '--wait', '--timeout', '180s'], valuesFor(cluster));
  return (performance.now() - begun) / 1_000;
}
