/**
 * Killed at each write of a whole life (create, roll out, promote, undo, third version), before the server has it and
 * after: whoever goes on ends where an undisturbed one does, and at no moment does weight point at missing pods.
 */
import { expect, test } from '@jest/globals';
import { Crash } from '../testing/memory-api.ts';
import { Stage } from './testing/stage.ts';

const model = (letter: string) => ({
  model: { storageUri: `s3://models/${letter}`, sha256: letter.repeat(64) },
});

/** Each part of the life, as a person starts it. */
const LIFE: readonly ((stage: Stage) => void)[] = [
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

/** @param at the write that is the last of its process; 0 for none */
async function live(at: number, when: 'before' | 'after'): Promise<Ending> {
  const stage = new Stage({
    server: { replicas: 2 },
    rollout: { steps: [{ setWeight: 50 }, { pause: {} }] },
  });
  let writes = 0;
  const crash = (now: 'before' | 'after') => {
    if (now === 'before') writes += 1;
    if (writes === at && now === when) throw new Crash();
  };
  stage.api.onWrite = () => crash('before');
  stage.api.afterWrite = () => {
    expectSafe(stage);
    crash('after');
  };
  for (const step of LIFE) {
    step(stage);
    for (let crashed = true; crashed; ) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one life
        await stage.settle();
        // oxlint-disable-next-line no-await-in-loop
        await stage.after(31_000);
        crashed = false;
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        stage.restart();
      }
    }
  }
  const ordered = stage.children.deployments
    .list()
    .map(({ metadata, spec }) => `${metadata.name} ${String(spec['replicas'])}`)
    .sort();
  const outcomes = stage.status.history?.map(({ version, outcome }) => `${version} ${outcome}`);
  return { writes, end: { traffic: stage.traffic, phase: stage.status.phase, ordered, outcomes } };
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
  const { writes, end } = await live(0, 'before');
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
      expect([at, when, (await live(at, when)).end]).toEqual([at, when, end]);
});
