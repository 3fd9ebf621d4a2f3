/** The fake kubelet: what its annotations promise is what the API server shows. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from './api.ts';
import { eventually } from './eventually.ts';
import { kubectl } from './kubectl.ts';
import { deployment, isReady, type PodStatus } from './objects.ts';
import { makeNamespace, type Namespace, sharedCluster } from './shared-cluster.ts';

const cluster = sharedCluster();
let namespace: Namespace;

beforeAll(async () => {
  namespace = await makeNamespace('pods');
});
afterAll(() => namespace.delete());

async function pods(app: string): Promise<readonly PodStatus[]> {
  const path = `/api/v1/namespaces/${namespace.name}/pods?labelSelector=app%3D${app}`;
  return (await request<{ items: PodStatus[] }>(cluster, 'GET', path)).items;
}

async function create(app: string, podAnnotations: Record<string, string>): Promise<PodStatus> {
  await request(
    cluster,
    'POST',
    `/apis/apps/v1/namespaces/${namespace.name}/deployments`,
    deployment(namespace.name, app, { podAnnotations }),
  );
  return eventually(`a pod of ${app}`, async () => (await pods(app))[0]);
}

async function annotate(pod: PodStatus, annotations: Record<string, string | null>): Promise<void> {
  const path = `/api/v1/namespaces/${namespace.name}/pods/${pod.metadata.name}`;
  await request(cluster, 'PATCH', path, { metadata: { annotations } });
}

describe('a pod of a Deployment', () => {
  test('is Running before its start-up delay is over and Ready after it, not before', async () => {
    await create('slow', { 'foresail.io/ready-after': '3s' });
    const ready = await eventually('Ready', async () => (await pods('slow')).find(isReady));
    const delay = readySince(ready) - Date.parse(ready.status.startTime ?? '');
    // Both stamps are whole seconds: 3 s apart shows as 2 at the least when each is cut off.
    expect(delay).toBeGreaterThanOrEqual(2000);
    expect(delay).toBeLessThan(60_000);
  });

  test('is Ready at once without one', async () => {
    await create('quick', {});
    await eventually('Ready', async () => (await pods('quick')).find(isReady));
  });

  test('stays Pending as long as pending-for says', async () => {
    await create('pending', { 'foresail.io/pending-for': '60m' });
    await eventually('scheduled', async () =>
      (await pods('pending'))[0]?.status.conditions?.some(
        ({ type, status }) => type === 'PodScheduled' && status === 'True',
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect((await pods('pending')).map(({ status }) => status.phase)).toEqual(['Pending']);
  });

  test('is unready while the annotation says so, and Ready again after', async () => {
    await create('moody', {});
    const pod = await eventually('Ready', async () => (await pods('moody')).find(isReady));
    await annotate(pod, { 'foresail.io/unready': 'true' });
    await eventually('not Ready', async () => (await pods('moody')).every((one) => !isReady(one)));
    await annotate(pod, { 'foresail.io/unready': null });
    await eventually('Ready again', async () => (await pods('moody')).every(isReady));
  });

  test('fails on demand and is replaced', async () => {
    await create('broken', {});
    const pod = await eventually('Ready', async () => (await pods('broken')).find(isReady));
    await annotate(pod, { 'foresail.io/fail': 'true' });
    const all = await eventually('Failed and replaced', async () => {
      const found = await pods('broken');
      return found.length === 2 && found.some(isReady) && found;
    });
    expect(all.map(({ status }) => status.phase).sort()).toEqual(['Failed', 'Running']);
  });

  test('can be kubectl-ed', async () => {
    const version = JSON.parse(await kubectl(cluster, ['version', '-o', 'json'])) as Record<
      string,
      { gitVersion: string }
    >;
    expect(version['serverVersion']?.gitVersion).toBe('v1.36.3');
    expect(version['clientVersion']?.gitVersion).toBe('v1.36.3');
  });
});

function readySince(pod: PodStatus): number {
  return Date.parse(pod.status.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime ?? '');
}
