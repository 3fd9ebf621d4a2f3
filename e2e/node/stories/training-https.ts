/** A run whose pods speak with the operator over HTTPS, by an authority that nobody but the operator tells them of. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { request } from '../../api.ts';
import { NAMESPACE } from '../../chart/helm.ts';
import type { ClusterFacts } from '../../cluster.ts';
import { configureOperator, installOperator } from '../installed-operator.ts';
import { runShadowedWeb } from '../shadowed-web.ts';
import { apply, type NodeStage } from '../stage.ts';
import type { Story } from '../story.ts';
import { TRAINING_NAMESPACE } from '../trainer.ts';
import { openTrainingGround } from '../training-run.ts';

const SECRET = 'foresail-tls';

export const TRAINING_HTTPS: readonly Story<NodeStage>[] = [
  {
    name: 'training: the operator speaks HTTPS alone: pods know it by the authority beside their token, learn a scaler’s history and are judged',
    async run(stage, signal) {
      const { cluster } = stage;
      await using after = new AsyncDisposableStack();
      await installOperator(stage);
      await apply(cluster, await servingSecret(cluster));
      after.defer(() => request(cluster, 'DELETE', `/api/v1/namespaces/${NAMESPACE}/secrets/${SECRET}`));
      after.use(await configureOperator(stage, { tls: { secretName: SECRET } }));
      const ground = after.use(await openTrainingGround(stage, signal));
      await runShadowedWeb(cluster, TRAINING_NAMESPACE, 'https-web', signal);
      await ground.train('private', { data: { predictiveScalers: {} } });
      const { progress } = await ground.becomes(
        'private',
        'its pods are heard',
        (status) => (status.progress?.step ?? 0) > 0,
      );
      assert.match(await addressTold(cluster, 'private'), /^https:/);
      const { candidate, gate, producedVersion, restarts } = await ground.becomes(
        'private',
        'it is complete',
        ({ phase }) => phase === 'Complete',
      );
      assert.ok((candidate?.lineage?.points ?? 0) > 1_000, 'it has learned the history of the load');
      assert.equal(gate?.verdict, 'Pass');
      assert.equal(restarts, undefined);
      return `heard at step ${progress?.step}, ${candidate?.lineage?.points} points learned, version ${producedVersion?.version}`;
    },
  },
];

/** The certificate of the stage, with the authority that signed it: as cert-manager lays them. */
async function servingSecret({ serving, caData }: ClusterFacts): Promise<object> {
  const [cert, key] = await Promise.all([serving.cert, serving.key].map((file) => readFile(file, 'utf8')));
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: NAMESPACE, name: SECRET },
    type: 'kubernetes.io/tls',
    stringData: { 'tls.crt': cert, 'tls.key': key, 'ca.crt': caData },
  };
}

/** Where the pods of a run are told that the operator is. */
async function addressTold(cluster: ClusterFacts, run: string): Promise<string> {
  const path = `/apis/batch/v1/namespaces/${TRAINING_NAMESPACE}/jobs/${run}-1`;
  const { spec } = await request<{
    spec: { template: { spec: { containers: { env: { name: string; value?: string }[] }[] } } };
  }>(cluster, 'GET', path);
  const env = spec.template.spec.containers.flatMap((container) => container.env);
  return env.find(({ name }) => name === 'FORESAIL_CONTROL_URL')?.value ?? '';
}
