import { describe, expect, test } from '@jest/globals';
import { BOX_MODEL } from '../../inference/box-model.ts';
import type { Compared } from './judge.ts';
import { KEY, Stage } from './testing/stage.ts';

const B = { model: { storageUri: 's3://models/b', sha256: 'b'.repeat(64) } };
const STATUS = 'status modeldeployments/loadcast';
const STEPS = { rollout: { steps: [{ setWeight: 50 }, { pause: {} }] } };

test('a first version becomes three objects, all owned, and then rests', async () => {
  const stage = new Stage();
  await stage.settle();
  expect(stage.writes.filter((write) => write.startsWith('create')).sort()).toEqual([
    'create deployments/loadcast-v1',
    'create poddisruptionbudgets/loadcast-v1',
    'create services/loadcast-v1',
  ]);
  for (const store of Object.values(stage.children))
    expect(store.get('shop/loadcast-v1')?.metadata.ownerReferences).toEqual([
      {
        apiVersion: 'foresail.io/v1alpha1',
        kind: 'ModelDeployment',
        name: 'loadcast',
        uid: 'u-1',
        controller: true,
      },
    ]);
  expect(stage.traffic).toBe('1:100');
  expect(stage.status).toMatchObject({
    phase: 'Healthy',
    replicas: 1,
    selector: 'foresail.io/model-deployment=loadcast,foresail.io/model-version in (1)',
  });
  const writes = stage.writes.length;
  await stage.after(3_600_000);
  expect(stage.writes).toHaveLength(writes);
});

test('weight is published only after pods are ready, and pods go only after weight is gone', async () => {
  const stage = new Stage({ server: { replicas: 2 }, ...STEPS });
  await stage.settle();
  stage.change(B);
  const seen: string[] = [];
  stage.api.afterWrite = () => {
    for (const { version, weight } of stage.status.traffic ?? []) {
      const ready = stage.children.deployments.get(`shop/loadcast-v${version}`)?.status?.readyReplicas ?? 0;
      if (weight > 0 && ready === 0) seen.push(`${version}:${weight} without pods`);
    }
  };
  await stage.settle();
  expect(stage.traffic).toBe('1:50 2:50');
  stage.change({ rollout: { abort: { version: 2 } } });
  await stage.pass();
  expect(stage.traffic).toBe('1:100');
  expect(stage.children.deployments.get('shop/loadcast-v2')?.spec['replicas']).toBe(1);
  await stage.after(31_000);
  expect(stage.children.deployments.get('shop/loadcast-v2')).toBeUndefined();
  expect(stage.events.map((event) => event.split(' ')[1])).toEqual([
    'RolloutStarted',
    'Promoted',
    'RolloutStarted',
    'StepCompleted',
    'CanaryAborted',
  ]);
  expect(seen).toEqual([]);
});

test('a scaler sees the pods that answer, and none that are shadowed or kept', async () => {
  const stage = new Stage({
    server: { replicas: 2 },
    rollout: { steps: [{ shadow: {} }, { pause: {} }, { setWeight: 50 }, { pause: {} }] },
  });
  await stage.settle();
  const seen = () => `${stage.status.replicas} ${stage.status.selector?.split(',').slice(1).join()}`;
  stage.change(B);
  await stage.settle();
  expect(stage.children.deployments.get('shop/loadcast-v2')?.status?.replicas).toBe(2);
  expect(seen()).toBe('2 foresail.io/model-version in (1)');
  stage.change({ rollout: { promote: { version: 2, step: 1 } } });
  await stage.settle();
  expect(seen()).toBe('4 foresail.io/model-version in (1,2)');
  stage.change({ server: { replicas: 4 }, rollout: { promote: { version: 2, step: null } } });
  await stage.settle();
  expect(seen()).toBe('4 foresail.io/model-version in (2)');
  expect(stage.children.deployments.get('shop/loadcast-v1')?.status?.replicas).toBe(4);
});

test('metrics tell where it stands, how rollouts end and how long steps take', async () => {
  const stage = new Stage({
    rollout: { steps: [{ setWeight: 50 }, { pause: { duration: '1m' } }, { pause: {} }] },
  });
  await stage.settle();
  stage.change(B);
  await stage.settle();
  await stage.after(60_000);
  stage.change({ rollout: { abort: { version: 2 } } });
  const text = async () =>
    (await stage.registry.metrics()).split('\n').filter((line) => !/^#| 0$/.test(line));
  const of = 'namespace="shop",name="loadcast"';
  expect(await text()).toEqual(
    expect.arrayContaining([
      `foresail_modeldeployment_phase{${of},phase="Paused"} 1`,
      `foresail_modeldeployment_weight{${of},role="canary"} 50`,
      `foresail_modeldeployment_version{${of},role="stable"} 1`,
      `foresail_modeldeployment_rollouts_total{${of},outcome="Promoted"} 1`,
      'foresail_modeldeployment_step_duration_seconds_sum{step="pause"} 60',
      'foresail_modeldeployment_step_duration_seconds_count{step="setWeight"} 1',
    ]),
  );
  await stage.settle();
  const after = await text();
  expect(after).toContain(`foresail_modeldeployment_rollouts_total{${of},outcome="Aborted"} 1`);
  expect(after.filter((line) => line.includes('role="canary"'))).toEqual([]);
  stage.objects.delete(KEY);
  await stage.pass();
  expect((await text()).filter((line) => line.includes('loadcast'))).toEqual([]);
});

test('comes back when time will change something, and to ask the judge', async () => {
  const stage = new Stage({ rollout: { steps: [{ pause: { duration: '10s' } }] } });
  await stage.settle();
  expect(await stage.pass()).toEqual({});
  stage.change(B);
  await stage.settle();
  expect(await stage.pass()).toEqual({ requeueAfterMs: 10_000 });
  stage.change({ rollout: { steps: [{ pause: {} }] } });
  expect(await stage.pass()).toEqual({ requeueAfterMs: 15_000 });
});

test('a cache that is behind takes no pod away', async () => {
  const stage = new Stage(STEPS);
  await stage.settle();
  const old = stage.objects.get(KEY);
  stage.change(B);
  await stage.settle();
  expect(stage.traffic).toBe('1:50 2:50');
  // By this object there is no version 2, and what has its name is a leftover.
  stage.cached = old;
  const writes = stage.writes.length;
  await expect(stage.pass()).rejects.toMatchObject({ code: 'CACHE_BEHIND', retry: 'conflict' });
  expect(stage.writes).toHaveLength(writes);
  stage.cached = undefined;
  await stage.settle();
  expect(stage.traffic).toBe('1:50 2:50');
});

test('the model in the box is served out of the image, whatever schemes are allowed', async () => {
  const stage = new Stage({
    model: { storageUri: 'file:///app/models/loadcast/loadcast.onnx', sha256: BOX_MODEL.sha256 },
  });
  await stage.settle();
  expect(stage.traffic).toBe('1:100');
});

test('an A/B test: its variants are versions, and status says which, across a change of leader', async () => {
  const variant = (name: string, letter: string, weight: number) => ({
    name,
    storageUri: `s3://models/${letter}`,
    sha256: letter.repeat(64),
    weight,
  });
  const stage = new Stage({
    abTest: { stickyHeader: 'X-User', variants: [variant('b', 'b', 30), variant('c', 'c', 20)] },
  });
  await stage.settle();
  stage.restart();
  await stage.settle();
  expect(stage.traffic).toBe('1:50 2:30 3:20');
  expect(stage.status.variants).toMatchObject([
    { name: 'b', version: 2, digest: 'b'.repeat(64), weight: 30 },
    { name: 'c', version: 3, digest: 'c'.repeat(64), weight: 20 },
  ]);
  expect(stage.condition('Testing')).toMatchObject({ status: 'True', reason: 'Running' });
});

describe('an object that is not served', () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['file://', { model: { storageUri: 'file:///a', sha256: 'a'.repeat(64) } }, 'SchemeNotAllowed'],
    [
      'a file of the node as a variant of the model in the box',
      {
        model: { storageUri: 'file:///app/models/loadcast/loadcast.onnx', sha256: BOX_MODEL.sha256 },
        abTest: {
          header: 'X',
          variants: [{ name: 'b', weight: 1, storageUri: 'file:///etc/hostname', sha256: 'b'.repeat(64) }],
        },
      },
      'SchemeNotAllowed',
    ],
    [
      'the model in the box from somewhere else',
      { model: { storageUri: 'hf://a/b/c', sha256: BOX_MODEL.sha256 } },
      'SchemeNotAllowed',
    ],
    ['an account that is not listed', { serviceAccountName: 'admin' }, 'ServiceAccountNotAllowed'],
    [
      'an A/B test by a gateway',
      {
        route: { gateway: { httpRouteName: 'a' } },
        abTest: { header: 'X', variants: [{ name: 'b', ...B.model, weight: 5 }] },
      },
      'NotSupported',
    ],
    [
      'a variant from file://',
      { abTest: { header: 'X', variants: [{ name: 'b', ...B.model, storageUri: 'file:///b', weight: 5 }] } },
      'SchemeNotAllowed',
    ],
  ])('%s', async (_, spec, reason) => {
    const stage = new Stage(spec);
    await stage.settle();
    expect(stage.condition('Ready')).toMatchObject({ status: 'False', reason });
    expect(stage.writes).toEqual([STATUS]);
  });

  test('with a route where the administrator does not let routes be written', async () => {
    const stage = new Stage({ route: { gateway: { httpRouteName: 'a' } } });
    stage.gateway = false;
    stage.restart();
    await stage.settle();
    expect(stage.condition('Ready')).toMatchObject({ status: 'False', reason: 'GatewayNotEnabled' });
    expect(stage.writes).toEqual([STATUS]);
  });

  test('without an image', async () => {
    const stage = new Stage();
    stage.hasImage = false;
    stage.restart();
    await stage.settle();
    expect(stage.condition('Ready')).toMatchObject({ reason: 'ServerImageNotConfigured' });
  });

  test('with a spec that cannot be read', async () => {
    const stage = new Stage();
    stage.change({ server: { replicas: 'many' } });
    await stage.settle();
    expect(stage.condition('Ready')).toMatchObject({ reason: 'InvalidSpec' });
    expect(stage.condition('Ready')?.message).toContain('spec.server.replicas');
  });

  test('with a status that cannot be read, which holds the record of its versions', async () => {
    const stage = new Stage();
    await stage.settle();
    stage.objects.set({ ...stage.objects.get(KEY)!, status: { history: 'none' } });
    await expect(stage.pass()).rejects.toMatchObject({ code: 'STATUS_UNREADABLE' });
  });
});

test('a registry that is not there holds what is new and keeps what serves', async () => {
  const stage = new Stage();
  await stage.settle();
  stage.change({
    model: { storageUri: null, sha256: null, from: { registry: 'loadcast', alias: 'candidate' } },
  });
  await stage.settle();
  expect(stage.condition('ModelResolved')).toMatchObject({
    status: 'False',
    reason: 'RegistryNotFound',
  });
  expect(stage.traffic).toBe('1:100');
});

test('a name that somebody else has taken bars the way and is told', async () => {
  const stage = new Stage();
  stage.children.services.set({ metadata: { namespace: 'shop', name: 'loadcast-v1' }, spec: {} });
  await expect(stage.pass()).rejects.toMatchObject({ code: 'CHILD_NOT_OURS' });
  expect(stage.condition('Progressing')).toMatchObject({ status: 'False', reason: 'ChildNotOurs' });
  stage.children.services.delete('shop/loadcast-v1');
  await stage.settle();
  expect(stage.traffic).toBe('1:100');
});

test('the judge’s word is shown, promotes and sends back', async () => {
  const stage = new Stage({ rollout: { steps: [{ analysis: {} }] } });
  await stage.settle();
  stage.change(B);
  await stage.settle();
  expect(stage.condition('Judged')).toMatchObject({ status: 'Unknown', reason: 'NoData' });
  const judge = (verdict: 'Promote' | 'Rollback') => ({
    judgementOf: ({ candidate, baseline }: Compared) => ({
      candidate,
      baseline,
      verdict,
      labels: 700,
      message: 'says so',
      details: { effect: '0.1' },
    }),
  });
  stage.judge = judge('Promote');
  await stage.settle();
  expect(stage.traffic).toBe('2:100');
  expect(stage.status.judge).toEqual({ verdict: 'Promote', labels: 700, message: 'says so', effect: '0.1' });
  stage.judge = judge('Rollback');
  await stage.pass();
  expect(stage.traffic).toBe('1:100');
  expect(stage.status.history?.map(({ outcome }) => outcome)).toEqual(['Serving', 'RolledBack']);
  expect(stage.status.judge).toBeUndefined();
});

test('a changed server changes pods in place, and the version stays', async () => {
  const stage = new Stage();
  await stage.settle();
  const writes = stage.writes.length;
  stage.change({ server: { latencyTarget: '20ms' } });
  await stage.settle();
  expect(stage.writes.slice(writes)).toEqual(['patch deployments/loadcast-v1', STATUS]);
  expect(JSON.stringify(stage.children.deployments.get('shop/loadcast-v1'))).toContain(
    '"--latency-target","20ms"',
  );
  expect(stage.traffic).toBe('1:100');
});

test('somebody who keeps changing a child is answered a few times, and is told of', async () => {
  const stage = new Stage();
  await stage.settle();
  const before = stage.writes.length;
  const path = 'shop/loadcast-v1';
  const fight = () => {
    const deployment = stage.children.deployments.get(path)!;
    stage.children.deployments.set({ ...deployment, spec: { ...deployment.spec, replicas: 7 } });
    return stage.pass();
  };
  const errors: unknown[] = [];
  for (let i = 0; i < 20; i += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one blow after the other
    await fight().catch((error: unknown) => errors.push(error));
  }
  expect(errors).toHaveLength(15);
  expect(errors[0]).toMatchObject({ code: 'CHILD_CONTESTED', retry: 'transient', retryAfterMs: 30_000 });
  expect(stage.writes.slice(before).filter((write) => write !== STATUS)).toHaveLength(5);
  expect(stage.condition('Progressing')).toMatchObject({ status: 'False', reason: 'ChildContested' });
  // A wish of our own is no blow, and neither is one after a while.
  stage.change({ server: { replicas: 2 } });
  await stage.settle();
  expect(stage.children.deployments.get(path)?.spec['replicas']).toBe(2);
  await stage.clock.advance(61_000);
  await fight();
  expect(stage.children.deployments.get(path)?.spec['replicas']).toBe(2);
  expect(stage.condition('Progressing')).toMatchObject({ status: 'True', reason: 'Complete' });
});
