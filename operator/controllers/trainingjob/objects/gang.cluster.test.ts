/** The Jobs of a search by database, and of the training after it, as a real API server judges them. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from '../../../../e2e/api.ts';
import { makeNamespace, type Namespace, sharedCluster } from '../../../../e2e/shared-cluster.ts';
import { runtime } from '../../../api/clustertrainingruntime/testing/full-object.ts';
import { parseClusterTrainingRuntime, parseTrainingJob } from '../../../api/index.ts';
import { MINIMAL, trainingJob } from '../../../api/trainingjob/testing/full-object.ts';
import { gangJob } from './gang.ts';

const cluster = sharedCluster();
let namespace: Namespace;

beforeAll(async () => {
  namespace = await makeNamespace('gang');
}, 60_000);
afterAll(() => namespace.delete());

interface StoredJob {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly { readonly env: readonly { readonly name: string }[] }[];
        readonly volumes: readonly object[];
      };
    };
  };
}

test.each([
  [true, '5Gi'],
  [true, 1_000_000_000],
  [false, '5Gi'],
])(
  'is taken under strict validation, and nothing of it is dropped (searches: %s, %s)',
  async (searches, sizeLimit) => {
    const urlSecretRef = { name: 'search', key: 'url' };
    const search = { trials: 4, parallelism: 2, storage: { rdb: { urlSecretRef } } };
    const run = parseTrainingJob(trainingJob({ ...MINIMAL, search }, 'loadcast', namespace.name));
    const stored = runtime({ image: 'trainer:1', cpu: {}, searchScratch: { sizeLimit } });
    const job = gangJob(
      {
        run: { ...run, metadata: { ...run.metadata, uid: '0a1b2c3d-0000-4000-8000-000000000000' } },
        runtime: parseClusterTrainingRuntime(stored).spec,
        attempt: { number: 1, nodes: 2, onCpu: true, createdAtMs: 0, ...(searches ? { searches } : {}) },
        settings: {},
      },
      'f'.repeat(64),
    );
    const path = `/apis/batch/v1/namespaces/${namespace.name}/jobs?dryRun=All&fieldValidation=Strict`;
    const { spec } = (await request<StoredJob>(cluster, 'POST', path, job)).spec.template;
    expect(spec.containers[0]?.env).toContainEqual({
      name: 'FORESAIL_SEARCH_STORAGE',
      valueFrom: { secretKeyRef: urlSecretRef },
    });
    const claim = { persistentVolumeClaim: { claimName: 'training' } };
    expect(spec.volumes).toContainEqual({
      name: 'foresail-work',
      ...(searches ? { emptyDir: { sizeLimit: sizeLimit === '5Gi' ? '5Gi' : '1G' } } : claim),
    });
  },
);
