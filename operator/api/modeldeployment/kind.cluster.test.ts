/** The CRD on a real API server: what holds of every kind, and what this one alone promises. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from '../../../e2e/api.ts';
import { kubectl } from '../../../e2e/kubectl.ts';
import { makeNamespace, type Namespace, sharedCluster } from '../../../e2e/shared-cluster.ts';
import { MODEL_DEPLOYMENT_KIND } from '../generate/kinds.ts';
import { describeKindOnServer } from '../testing/kind-cluster-suite.ts';
import { installCrd, resourcePath } from '../testing/server.ts';
import { MODEL_DEPLOYMENT, type ModelDeployment, parseModelDeployment } from './kind.ts';
import { DIGEST, MINIMAL, modelDeployment } from './testing/full-object.ts';
import { modelDeploymentSpec } from './testing/spec-arbitrary.ts';
import { modelDeploymentSubject } from './testing/subject.ts';

describeKindOnServer(modelDeploymentSubject, modelDeploymentSpec);

describe('an object that lives', () => {
  const cluster = sharedCluster();
  let namespace: Namespace;
  const path = () => resourcePath(namespace.name, 'loadcast', MODEL_DEPLOYMENT);

  beforeAll(async () => {
    await installCrd(cluster);
    namespace = await makeNamespace('api');
    const collection = resourcePath(namespace.name, '', MODEL_DEPLOYMENT);
    const object = modelDeployment(MINIMAL, 'loadcast', namespace.name);
    await request(cluster, 'POST', `${collection}?fieldValidation=Strict`, object);
  }, 60_000);
  afterAll(() => namespace.delete());

  const STATUS = {
    observedGeneration: 1,
    phase: 'Progressing',
    stable: { version: 6, digest: DIGEST, readyReplicas: 2, weight: 90 },
    canary: {
      version: 7,
      digest: DIGEST,
      readyReplicas: 1,
      weight: 10,
      startedAt: '2026-11-21T10:00:00Z',
      step: 2,
      steps: 6,
      stepStartedAt: '2026-11-21T10:05:00.250Z',
      shadowPercent: 100,
    },
    kept: [{ version: 5, until: '2026-11-21T11:00:00Z', for: 'Drain' }],
    traffic: [
      { version: 6, weight: 90 },
      { version: 7, weight: 10, mirrorPercent: 100 },
    ],
    judge: { verdict: 'Inconclusive', labels: 12, interval: ['-0.01', '0.2'] },
    history: [
      {
        version: 7,
        digest: DIGEST,
        storageUri: 's3://models/loadcast/7',
        outcome: 'Rolling',
        startedAt: '2026-11-21T10:00:00Z',
      },
    ],
    replicas: 3,
    selector: 'foresail.io/model-deployment=loadcast',
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        lastTransitionTime: '2026-11-21T10:00:00Z',
        reason: 'Serving',
        message: '',
      },
    ],
  };

  test('shows its columns, and its status is a subresource of its own', async () => {
    const write = `${path()}/status?fieldValidation=Strict`;
    const after = await request<ModelDeployment>(cluster, 'PATCH', write, {
      status: STATUS,
      spec: { task: 'generic' },
    });
    expect(after.status).toEqual(STATUS);
    expect(after.spec.task).toBe('forecast');
    expect(parseModelDeployment(after).status).toEqual(STATUS);
    const table = await kubectl(cluster, ['get', 'modeldeployments', 'loadcast', '-n', namespace.name]);
    const [head = '', line = ''] = table.trim().split('\n');
    const columns = MODEL_DEPLOYMENT_KIND.columns.map(({ name }) => name.toUpperCase());
    expect(head.split(/\s+/)).toEqual(['NAME', ...columns]);
    expect(line).toMatch(/^loadcast +6 +7 +10 +Progressing +Inconclusive +True +\d+s$/);
  });

  test('is scaled as a Deployment is', async () => {
    await kubectl(cluster, ['scale', 'mdep/loadcast', '--replicas=4', '-n', namespace.name]);
    const scale = await request(cluster, 'GET', `${path()}/scale`);
    expect(scale).toMatchObject({
      spec: { replicas: 4 },
      status: { replicas: 3, selector: 'foresail.io/model-deployment=loadcast' },
    });
    const none = kubectl(cluster, ['scale', 'mdep/loadcast', '--replicas=0', '-n', namespace.name]);
    await expect(none).rejects.toThrow('spec.server.replicas');
  });

  test.each(['mdep', 'modeldeployment', 'foresail'])('answers to %s', async (word) => {
    expect(await kubectl(cluster, ['get', word, '-n', namespace.name, '-o', 'name'])).toContain('/loadcast');
  });
});
