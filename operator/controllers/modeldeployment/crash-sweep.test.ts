/**
 * Killed at each write of a whole life (create, roll out, promote, undo, third version), before the server has it and
 * after: whoever goes on ends where an undisturbed one does, and at no moment does weight point at missing pods.
 */
import { expect, test } from '@jest/globals';
import { type CrashPoint, type Life, live } from '../testing/crash-sweep.ts';
import { Stage } from './testing/stage.ts';

const model = (letter: string) => ({
  model: { storageUri: `s3://models/${letter}`, sha256: letter.repeat(64) },
});

const LIFE: Life<Stage> = [
  () => undefined,
  (stage) => stage.change(model('b')),
  (stage) => stage.change({ rollout: { promote: { version: 2 } } }),
  (stage) => stage.change({ rollout: { undo: { version: 2, to: 1 } } }),
  (stage) => stage.change(model('c')),
  (stage) => stage.change(model('d')),
];

interface Ending {
  readonly writes: number;
  readonly end: unknown;
}

async function lived(point: CrashPoint): Promise<Ending> {
  const stage = new Stage({
    server: { replicas: 2 },
    rollout: { steps: [{ setWeight: 50 }, { pause: {} }] },
  });
  const writes = await live(stage, LIFE, point, comeToRest, expectSafe);
  const ordered = stage.children.deployments
    .list()
    .map(({ metadata, spec }) => `${metadata.name} ${String(spec['replicas'])}`)
    .sort();
  const outcomes = stage.status.history?.map(({ version, outcome }) => `${version} ${outcome}`);
  return { writes, end: { traffic: stage.traffic, phase: stage.status.phase, ordered, outcomes } };
}

async function comeToRest(stage: Stage): Promise<void> {
  await stage.settle();
  await stage.after(31_000);
}

function expectSafe(stage: Stage): void {
  const traffic = stage.status.traffic ?? [];
  const sum = traffic.reduce((total, { weight }) => total + weight, 0);
  expect(traffic.length === 0 ? 100 : sum).toBe(100);
  for (const { version, weight } of traffic) {
    if (weight === 0) continue;
    const deployment = stage.children.deployments.get(`shop/loadcast-v${version}`);
    expect(deployment?.status?.readyReplicas ?? 0).toBeGreaterThan(0);
    expect(stage.children.services.get(`shop/loadcast-v${version}`)).toBeDefined();
  }
}

test('every crash ends where none would', async () => {
  const { writes, end } = await lived({ at: 0, when: 'before' });
  expect(end).toEqual({
    traffic: '1:50 4:50',
    phase: 'Paused',
    ordered: ['loadcast-v1 2', 'loadcast-v4 1'],
    outcomes: ['1 Serving', '2 Undone', '3 Superseded', '4 Rolling'],
  });
  expect(writes).toBeGreaterThan(30);
  for (let at = 1; at <= writes; at += 1)
    // oxlint-disable-next-line no-await-in-loop -- one life after the other
    for (const when of ['before', 'after'] as const)
      expect([at, when, (await lived({ at, when })).end]).toEqual([at, when, end]);
});
