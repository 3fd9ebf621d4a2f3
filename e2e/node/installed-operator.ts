/** The operator and the router as pods of the chart, installed by the real helm, once for all stories of a stage. */
import { CHART, makeHelm, NAMESPACE, RELEASE } from '../chart/helm.ts';
import { type ClusterFacts, nodeOf } from '../cluster.ts';
import { eventually } from '../eventually.ts';
import { SHOP } from '../stories/model-stage.ts';
import { type Container, containersOf } from './containers.ts';
import { OPERATOR_IMAGE } from './images.ts';
import type { NodeStage } from './stage.ts';
import { TRAINING_NAMESPACE } from './trainer.ts';

/** Of the chart, each in place of the usual one; of `config` each of its keys. */
interface Values {
  readonly config?: object;
  readonly [key: string]: unknown;
}

/** Seconds where people have minutes; what decides is the same. */
function valuesFor(cluster: ClusterFacts, { config, ...values }: Values): object {
  const { port } = new URL(cluster.prometheusUrl ?? '');
  return {
    image: { ...OPERATOR_IMAGE, pullPolicy: 'Never' },
    router: { enabled: true },
    config: {
      syncPeriod: '2s',
      hpa: { downscaleStabilization: '15s', cpuInitializationPeriod: '10s', initialReadinessDelay: '1s' },
      modelServing: { minReady: '1s', drain: '10s', registries: true, gateway: true },
      training: { enabled: true, restartDelay: { first: '1s', most: '3s' } },
      prometheusServers: [
        {
          name: 'default',
          url: `http://${nodeOf(cluster).address}:${port}`,
          allowedNamespaces: [SHOP, TRAINING_NAMESPACE],
        },
      ],
      ...config,
    },
    ...values,
  };
}

const installed = new WeakMap<NodeStage, Promise<number>>();

/** Resolves with the seconds that it took when every pod of it is Ready. */
export function installOperator(stage: NodeStage): Promise<number> {
  const known = installed.get(stage) ?? install(stage);
  installed.set(stage, known);
  return known;
}

/** Other values until it is disposed of. */
export async function configureOperator(stage: NodeStage, values: Values): Promise<AsyncDisposable> {
  await installOperator(stage);
  await install(stage, values);
  return { [Symbol.asyncDispose]: () => install(stage).then(() => undefined) };
}

async function install({ cluster }: NodeStage, values: Values = {}): Promise<number> {
  await using helm = await makeHelm(cluster.kubeconfigPath);
  const begun = performance.now();
  const args = ['upgrade', '--install', RELEASE, CHART, '--namespace', NAMESPACE, '--create-namespace'];
  await helm.run([...args, '--reset-values', '--wait', '--timeout', '180s'], valuesFor(cluster, values));
  return (performance.now() - begun) / 1_000;
}

/** The containers of the operator, as soon as both run. */
export function runningOperators(cluster: ClusterFacts): Promise<readonly Container[]> {
  const selector = `app.kubernetes.io/name=${RELEASE},app.kubernetes.io/component!=router`;
  return eventually(
    'both operators run',
    async () => {
      const found = await containersOf(cluster, NAMESPACE, selector, 'operator');
      return found.length === 2 ? found : undefined;
    },
    180_000,
  );
}
