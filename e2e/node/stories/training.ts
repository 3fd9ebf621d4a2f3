/** Training with pods that run: two workers by torchrun, the gate, the registry, and the rollout that follows. */
import assert from 'node:assert/strict';
import type { ModelDeployment } from '../../../operator/api/index.ts';
import { tinyModel } from '../../../operator/inference/testing/tiny-model.ts';
import { INDEX_KEY, registryName } from '../../../operator/registry/model-index.ts';
import { request } from '../../api.ts';
import type { ClusterFacts } from '../../cluster.ts';
import { eventually } from '../../eventually.ts';
import { trafficText } from '../../stories/model-stage.ts';
import { openModelStore } from '../model-store.ts';
import { CREDENTIALS } from '../served-model.ts';
import { runShadowedWeb } from '../shadowed-web.ts';
import { apply, type NodeStage } from '../stage.ts';
import type { Story } from '../story.ts';
import { TRAINING_NAMESPACE } from '../trainer.ts';
import { openTrainingGround, REGISTRY } from '../training-run.ts';

const APP = 'train-web';
const MODEL = `/apis/foresail.io/v1alpha1/namespaces/${TRAINING_NAMESPACE}/modeldeployments/${REGISTRY}`;

export const TRAINING: readonly Story<NodeStage>[] = [
  {
    name: 'training: two workers learn a scaler’s history, the gate lets the model pass, and it is rolled out by itself',
    async run(stage, signal) {
      const { cluster } = stage;
      await using after = new AsyncDisposableStack();
      const ground = after.use(await openTrainingGround(stage, signal));
      const store = after.use(await openModelStore(cluster));
      await apply(
        cluster,
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { namespace: TRAINING_NAMESPACE, name: CREDENTIALS },
          stringData: { 'ca.crt': cluster.caData },
        },
        // What serves before: it says that a load stays where it is.
        registry(await store.put(`${REGISTRY}-1.onnx`, tinyModel({}))),
        {
          apiVersion: 'foresail.io/v1alpha1',
          kind: 'ModelDeployment',
          metadata: { namespace: TRAINING_NAMESPACE, name: REGISTRY },
          spec: {
            model: { from: { registry: REGISTRY, alias: 'candidate' } },
            credentialsSecretRef: { name: CREDENTIALS },
            server: { replicas: 1 },
            rollout: {
              steps: [
                { shadow: { percent: 100 } },
                { pause: { duration: '10s' } },
                { setWeight: 50 },
                { pause: { duration: '10s' } },
              ],
            },
          },
        },
      );
      await runShadowedWeb(cluster, TRAINING_NAMESPACE, APP, signal);
      const begun = performance.now();
      const seconds = () => ((performance.now() - begun) / 1_000).toFixed(0);
      await ground.train(REGISTRY, {
        data: { predictiveScalers: {} },
        gate: { against: { modelDeployment: REGISTRY } },
      });
      await ground.becomes(REGISTRY, 'it trains', ({ phase }) => phase === 'Training');
      const trained = await ground.trained(REGISTRY);
      const trainedAfter = seconds();
      assert.equal(trained.restarts, undefined);
      const [complete, published] = await Promise.all([
        ground.becomes(REGISTRY, 'it is complete', ({ phase }) => phase === 'Complete'),
        trafficUntil('2:100', cluster, signal),
      ]);
      assert.equal(complete.producedVersion?.version, 2);
      // Its shadow goes on beside the weight.
      assert.deepEqual(published, ['1:100', '1:100 2:0~100', '1:50 2:50~100', '2:100']);
      const { status } = await request<ModelDeployment>(cluster, 'GET', MODEL);
      assert.equal(status?.stable?.digest, complete.producedVersion.digest);
      const steps = await ground.stepLog(REGISTRY);
      return `${steps.length} steps by two workers after ${trainedAfter} s; ${published.join(', ')} after ${seconds()} s`;
    },
  },
];

/** What was published from now on until `last` was, in its order. */
async function trafficUntil(
  last: string,
  cluster: ClusterFacts,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const seen: string[] = [];
  return await eventually(
    `the traffic is ${last}`,
    async () => {
      const { status = {} } = await request<ModelDeployment>(cluster, 'GET', MODEL);
      const now = trafficText(status);
      if (seen.at(-1) !== now) seen.push(now);
      if (now !== last) throw new Error(JSON.stringify([seen, status]));
      return seen;
    },
    400_000,
    signal,
  );
}

function registry(file: { readonly storageUri: string; readonly sha256: string }) {
  const index = { versions: [{ version: 1, ...file }], aliases: { candidate: 1 } };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      namespace: TRAINING_NAMESPACE,
      name: registryName(REGISTRY),
      labels: { 'foresail.io/registry': REGISTRY },
    },
    data: { [INDEX_KEY]: JSON.stringify(index) },
  };
}
