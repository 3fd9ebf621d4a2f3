import { describe, expect, test } from '@jest/globals';
import { watchClockJumps } from '../../clock-jumps.ts';
import { ForesailError } from '../../errors.ts';
import { silentLogger } from '../../logger.ts';
import { IndexedStore, type KubeObject } from '../../runtime/index.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { ConfigMap } from '../config-map.ts';
import { createCheckpoints } from './checkpoint.ts';
import { createScalerMemories } from './scaler-memory.ts';

const REF = { group: '', version: 'v1', plural: 'configmaps', namespaced: true };
const TARGET = 'shop/apps/Deployment/web';
const MINUTE = 60_000;

/** The cluster outlives operators: `stored` is shared by all that are started on it. */
function cluster() {
  const stored = new IndexedStore<ConfigMap>();
  const clock = new FakeClock();
  const calls: string[] = [];
  const lost: string[] = [];
  let fault: Error | undefined;
  const living = new Set(['u1']);
  const write = (what: string, name: string) => {
    if (fault !== undefined) throw fault;
    calls.push(`${what} ${name}`);
  };
  async function operator() {
    const checkpoints = createCheckpoints({
      ref: REF,
      namespace: 'ops',
      stored,
      client: {
        async create<T extends KubeObject>(_ref: unknown, object: T) {
          write('create', object.metadata.name);
          stored.set(object);
          return object;
        },
        async mergePatch<T extends KubeObject>(_ref: unknown, { name }: { name: string }, patch: object) {
          write('patch', name);
          const before = stored.get(`ops/${name}`);
          stored.set({ ...before, ...patch } as ConfigMap);
          return stored.get(`ops/${name}`) as unknown as T;
        },
        async delete(_ref, { name }) {
          write('delete', name);
          stored.delete(`ops/${name}`);
        },
      },
      everyMs: 10 * MINUTE,
      clock,
      log: silentLogger,
      onCorrupt: (uid, reason) => lost.push(`${uid}: ${reason}`),
    });
    const memories = createScalerMemories(
      (uid, target) => checkpoints.restore(uid, target),
      watchClockJumps(clock),
    );
    checkpoints.attach(memories, () => living);
    const stop = new AbortController();
    const ended = checkpoints.run(stop.signal);
    await clock.advance(0);
    const shutDown = async () => {
      stop.abort();
      await clock.advance(0);
      await ended;
    };
    const look = (uid = 'u1', target = TARGET) => memories.of('shop/web', uid, target);
    return { checkpoints, memories, look, shutDown };
  }
  return { stored, clock, calls, lost, living, operator, setFault: (error?: Error) => (fault = error) };
}

function learnStart(memory: ReturnType<ReturnType<typeof createScalerMemories>['of']>, uid: string): void {
  memory.learned.lead.observe({ uid, createdMs: 0, readyMs: undefined, restarts: 0 });
  memory.learned.lead.observe({ uid, createdMs: 0, readyMs: 9000, restarts: 0 });
}

describe('writes', () => {
  test('one after ten minutes, and none while nothing new is learned', async () => {
    const { clock, calls, operator } = cluster();
    const { look, shutDown } = await operator();
    learnStart(look(), 'p1');
    await clock.advance(9 * MINUTE);
    expect(calls).toEqual([]);
    await clock.advance(2 * MINUTE);
    expect(calls).toEqual(['create foresail-state-u1']);
    await clock.advance(60 * MINUTE);
    expect(calls).toHaveLength(1);
    learnStart(look(), 'p2');
    await clock.advance(11 * MINUTE);
    expect(calls[1]).toBe('patch foresail-state-u1');
    await shutDown();
    expect(calls).toHaveLength(2);
  });

  test('the last one comes at the shutdown, whatever the time', async () => {
    const { clock, calls, operator } = cluster();
    const { look, shutDown } = await operator();
    learnStart(look(), 'p1');
    await clock.advance(MINUTE);
    await shutDown();
    expect(calls).toEqual(['create foresail-state-u1']);
  });

  test('what a short-lived process learned is kept too', async () => {
    const { clock, calls, operator } = cluster();
    const first = await operator();
    learnStart(first.look(), 'p1');
    await first.shutDown();
    const second = await operator();
    learnStart(second.look(), 'p2');
    await clock.advance(1000);
    await second.shutDown();
    const third = await operator();
    third.look();
    await third.shutDown();
    expect(calls).toEqual(['create foresail-state-u1', 'patch foresail-state-u1']);
  });

  test('scalers that were created together are written one after the other', async () => {
    const { clock, calls, living, operator } = cluster();
    const { memories } = await operator();
    for (const start of ['20000000', '80000000', 'e0000000']) {
      const uid = `${start}-0000-4000-8000-000000000000`;
      living.add(uid);
      learnStart(memories.of(`shop/${start}`, uid, TARGET), start);
    }
    const seen: number[] = [];
    for (let minute = 0; minute < 10; minute++) {
      await clock.advance(MINUTE);
      seen.push(calls.length);
    }
    expect(seen.at(-1)).toBe(3);
    expect(new Set(seen).size).toBe(4);
  });

  test('a write that failed is tried again', async () => {
    const { clock, calls, operator, setFault } = cluster();
    const { look, shutDown } = await operator();
    learnStart(look(), 'p1');
    setFault(new ForesailError('KUBE_FORBIDDEN', 'transient', 'no right'));
    await clock.advance(11 * MINUTE);
    expect(calls).toEqual([]);
    setFault();
    await clock.advance(MINUTE);
    expect(calls).toEqual(['create foresail-state-u1']);
    await shutDown();
  });
});

describe('a failover with the old disk gone', () => {
  const taught = async () => {
    const all = cluster();
    const old = await all.operator();
    for (const uid of ['a', 'b', 'c']) learnStart(old.look(), uid);
    await old.shutDown();
    return all;
  };

  test('knows what the old leader had learned', async () => {
    const { operator } = await taught();
    const next = await operator();
    expect(next.look().learned.lead.leadTime()).toMatchObject({ p90Ms: 9000, samples: 3 });
    await next.shutDown();
  });

  test('a clock that is behind the old leader’s moves the memory’s times to its own', async () => {
    const all = cluster();
    const { clock } = all;
    const old = await all.operator();
    const memory = old.look();
    const atMs = clock.now() - 4 * MINUTE;
    memory.decision = {
      recommendations: [{ replicas: 10, atMs }],
      scaleUps: [{ change: 3, atMs }],
      scaleDowns: [],
      outliers: {},
      unknownSinceMs: atMs,
    };
    await old.shutDown();
    clock.jumpWallClock(-60 * MINUTE);
    const next = await all.operator();
    const moved = atMs - 60 * MINUTE;
    expect(next.look().decision).toMatchObject({
      recommendations: [{ replicas: 10, atMs: moved }],
      scaleUps: [{ change: 3, atMs: moved }],
      unknownSinceMs: moved,
    });
    await next.shutDown();
  });

  test('of another target nothing is believed', async () => {
    const { operator } = await taught();
    const next = await operator();
    expect(next.look('u1', 'shop/apps/Deployment/api').learned.lead.leadTime()).toBeUndefined();
    await next.shutDown();
  });

  test('a damaged one costs its scaler what it had learned, and says so', async () => {
    const { operator, stored, lost } = await taught();
    const key = 'ops/foresail-state-u1';
    const before = stored.get(key);
    if (before === undefined) throw new Error('no checkpoint');
    const data = { ...before.data, state: `${before.data?.['state']?.slice(0, 60)}` };
    stored.set({ ...before, data });
    const next = await operator();
    expect(next.look().learned.lead.leadTime()).toBeUndefined();
    expect(lost).toHaveLength(1);
    await next.shutDown();
  });

  test('what belongs to nobody any more is swept away, a stranger’s ConfigMap is not', async () => {
    const { operator, stored, living, clock } = await taught();
    living.clear();
    stored.set({ metadata: { name: 'mine', namespace: 'ops' } });
    const next = await operator();
    await clock.advance(MINUTE);
    expect(stored.keys()).toEqual(['ops/mine']);
    await next.shutDown();
  });

  test('one that was written in the moment of the deletion is swept away later', async () => {
    const { operator, stored, living, clock } = await taught();
    const next = await operator();
    await clock.advance(MINUTE);
    living.clear();
    await clock.advance(11 * MINUTE);
    expect(stored.size).toBe(0);
    await next.shutDown();
  });
});

test('a deleted scaler takes its checkpoint along', async () => {
  const { operator, stored } = cluster();
  const { look, memories, checkpoints, shutDown } = await operator();
  learnStart(look(), 'a');
  await shutDown();
  expect(stored.size).toBe(1);
  memories.forget('shop/web');
  await checkpoints.forget('u1', AbortSignal.timeout(1000));
  expect(stored.size).toBe(0);
});
