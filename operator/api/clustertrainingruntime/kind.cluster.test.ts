/** The CRD on a real API server. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from '../../../e2e/api.ts';
import { kubectl } from '../../../e2e/kubectl.ts';
import { sharedCluster } from '../../../e2e/shared-cluster.ts';
import { describeKindOnServer } from '../testing/kind-cluster-suite.ts';
import { installCrd, resourcePath } from '../testing/server.ts';
import { CLUSTER_TRAINING_RUNTIME } from './kind.ts';
import { MINIMAL, runtime } from './testing/full-object.ts';
import { runtimeSpec } from './testing/spec-arbitrary.ts';
import { clusterTrainingRuntimeSubject } from './testing/subject.ts';

describeKindOnServer(clusterTrainingRuntimeSubject, runtimeSpec);

const cluster = sharedCluster();
const NAME = `api-test-${process.pid}`;
const path = (name: string) => resourcePath(undefined, name, CLUSTER_TRAINING_RUNTIME);

beforeAll(async () => {
  await installCrd(cluster);
  await request(cluster, 'POST', path(''), runtime(MINIMAL, NAME));
}, 60_000);
afterAll(() => request(cluster, 'DELETE', path(NAME)));

test.each(['ctr', 'clustertrainingruntimes', 'foresail'])('answers to %s', async (word) => {
  expect(await kubectl(cluster, ['get', word, '-o', 'name'])).toContain(`/${NAME}`);
});

test('shows its columns', async () => {
  const table = await kubectl(cluster, ['get', 'ctr', NAME]);
  expect(table.trim().split('\n').at(-1)).toMatch(new RegExp(`^${NAME} +example.com/trainer:1 +8 +\\d+s$`));
});
