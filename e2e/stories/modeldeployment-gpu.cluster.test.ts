/** Pods that ask for a GPU, by the real scheduler: on a node that has one, or by CPU when none has had room in time. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from '../api.ts';
import type { OperatorProcess } from '../operator.ts';
import { type ModelStage, SHOP, setModelStage } from './model-stage.ts';

let stage: ModelStage;
let operator: OperatorProcess;

interface Node {
  readonly metadata: { readonly name: string };
}
interface Pod {
  readonly spec: {
    readonly nodeName?: string;
    readonly containers: readonly { readonly args: readonly string[]; readonly resources: object }[];
  };
}

beforeAll(async () => {
  stage = await setModelStage();
  operator = await stage.operator();
}, 600_000);

afterAll(async () => {
  await operator?.stop();
  await stage?.cluster.stop();
});

async function podsOf(name: string): Promise<readonly Pod[]> {
  const selector = encodeURIComponent(`foresail.io/model-deployment=${name}`);
  const path = `/api/v1/namespaces/${SHOP}/pods?labelSelector=${selector}`;
  return (await request<{ items: Pod[] }>(stage.cluster, 'GET', path)).items;
}

const accelerated = async (name: string, reason: string) =>
  (
    await stage.becomes(name, reason, ({ conditions = [] }) =>
      conditions.some((each) => each.type === 'Accelerated' && each.reason === reason),
    )
  ).conditions?.find(({ type }) => type === 'Accelerated');

test('where no node has such a slice it waits, says so, and is served by CPU in time', async () => {
  await stage.create('sliced', {
    server: { replicas: 2, gpu: { resource: 'nvidia.com/mig-1g.10gb', fallbackAfter: '10s' } },
  });
  expect(await accelerated('sliced', 'WaitingForGpu')).toMatchObject({ status: 'Unknown' });
  expect((await podsOf('sliced'))[0]?.spec.containers[0]?.resources).toMatchObject({
    limits: { 'nvidia.com/mig-1g.10gb': '1' },
  });
  const status = await stage.trafficBecomes('sliced', '1:100');
  expect(status.history).toMatchObject([{ version: 1, onCpu: true }]);
  expect(await accelerated('sliced', 'CpuFallback')).toMatchObject({ status: 'False' });
  for (const { spec } of await podsOf('sliced').then((pods) => pods.filter(({ spec: of }) => of.nodeName)))
    expect(spec.containers[0]?.args.join(' ')).toContain('--accelerator cpu');
}, 180_000);

test('where a tainted node has GPUs, pods that tolerate it run there and nowhere else', async () => {
  const { items } = await request<{ items: Node[] }>(stage.cluster, 'GET', '/api/v1/nodes');
  const node = items[0]?.metadata.name ?? '';
  const devices = { 'nvidia.com/gpu': '4' };
  await request(stage.cluster, 'PATCH', `/api/v1/nodes/${node}`, {
    metadata: { labels: { pool: 'gpu' } },
    spec: { taints: [{ key: 'nvidia.com/gpu', value: 'present', effect: 'NoSchedule' }] },
  });
  await request(stage.cluster, 'PATCH', `/api/v1/nodes/${node}/status`, {
    status: { capacity: devices, allocatable: devices },
  });
  await stage.create('fast', {
    server: {
      replicas: 2,
      accelerator: 'nvidia',
      gpu: {
        nodeSelector: { pool: 'gpu' },
        tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' }],
      },
    },
  });
  await stage.trafficBecomes('fast', '1:100');
  await stage.becomes('fast', 'all pods ready', ({ stable }) => stable?.readyReplicas === 2);
  expect(await accelerated('fast', 'Gpu')).toMatchObject({ status: 'True' });
  const pods = await podsOf('fast');
  expect(pods.map(({ spec }) => spec.nodeName)).toEqual([node, node]);
  expect(pods[0]?.spec.containers[0]?.args.join(' ')).toContain('--accelerator cuda');
}, 180_000);
