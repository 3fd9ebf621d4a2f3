import { describe, expect, test } from '@jest/globals';
import { ForesailError } from '../errors.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { createEventRecorder, type EventRecorderOptions } from './event-recorder.ts';
import type { KubeObject } from './types.ts';

const web = {
  apiVersion: 'foresail.io/v1alpha1',
  kind: 'PredictiveScaler',
  metadata: { namespace: 'shop', name: 'web', uid: 'u-1' },
};

interface Stored extends KubeObject {
  readonly reason: string;
  readonly message: string;
  readonly count: number;
}

function make(options: Partial<EventRecorderOptions> = {}, fail: (verb: string) => void = () => undefined) {
  const clock = new FakeClock(Date.UTC(2026, 0, 1));
  const stored = new Map<string, Stored>();
  const writes: string[] = [];
  const dropped: string[] = [];
  let suffix = 0;
  const recorder = createEventRecorder({
    client: {
      create: async <T extends KubeObject>(_: unknown, object: T) => {
        writes.push('create');
        fail('create');
        stored.set(object.metadata.name, object as unknown as Stored);
        return object;
      },
      mergePatch: async <T extends KubeObject>(_: unknown, key: { name: string }, patch: object) => {
        writes.push('patch');
        fail('patch');
        const before = stored.get(key.name);
        if (before === undefined) throw new ForesailError('KUBE_NOT_FOUND', 'terminal', 'gone');
        stored.set(key.name, { ...before, ...patch, metadata: before.metadata });
        return before as unknown as T;
      },
    },
    component: 'foresail',
    instance: 'pod-1',
    clock,
    newSuffix: () => String((suffix += 1)),
    observer: { eventDropped: ({ reason, why }) => dropped.push(`${reason}: ${why}`) },
    ...options,
  });
  const advance = async (ms: number) => {
    await clock.advance(0);
    await clock.advance(ms);
  };
  return { recorder, clock, stored, writes, dropped, advance };
}

describe('the event recorder', () => {
  test('writes an Event that kubectl describe can show', async () => {
    const { recorder, stored, advance } = make();
    recorder.event(web, 'Normal', 'SuccessfulRescale', 'New size: 5', { 'foresail.io/decision': 'd-42' });
    await advance(0);
    expect([...stored.values()]).toEqual([
      {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: 'web.1', namespace: 'shop', annotations: { 'foresail.io/decision': 'd-42' } },
        involvedObject: {
          apiVersion: 'foresail.io/v1alpha1',
          kind: 'PredictiveScaler',
          name: 'web',
          namespace: 'shop',
          uid: 'u-1',
        },
        type: 'Normal',
        reason: 'SuccessfulRescale',
        message: 'New size: 5',
        count: 1,
        firstTimestamp: '2026-01-01T00:00:00Z',
        lastTimestamp: '2026-01-01T00:00:00Z',
        source: { component: 'foresail' },
        reportingComponent: 'foresail',
        reportingInstance: 'pod-1',
      },
    ]);
  });

  test('the same reason on the same object counts up one Event, with the newest message', async () => {
    const { recorder, stored, writes, advance } = make();
    for (let i = 1; i <= 3; i += 1) {
      recorder.event(web, 'Normal', 'SuccessfulRescale', `New size: ${i}`);
      await advance(1_000);
    }
    expect(writes).toEqual(['create', 'patch', 'patch']);
    expect([...stored.values()]).toMatchObject([
      { count: 3, message: 'New size: 3', lastTimestamp: '2026-01-01T00:00:02Z' },
    ]);
  });

  test('other reasons, types and objects are other Events', async () => {
    const { recorder, stored, advance } = make();
    recorder.event(web, 'Normal', 'A', 'x');
    recorder.event(web, 'Warning', 'A', 'x');
    recorder.event(web, 'Normal', 'B', 'x');
    recorder.event({ ...web, metadata: { ...web.metadata, name: 'db', uid: 'u-2' } }, 'Normal', 'A', 'x');
    recorder.event({ ...web, metadata: { ...web.metadata, uid: 'u-3' } }, 'Normal', 'A', 'x'); // made anew
    await advance(0);
    expect(stored.size).toBe(5);
  });

  test('a storm is a few writes, and no count is lost', async () => {
    const { recorder, stored, writes, advance } = make({ burst: 3, refillMs: 30_000 });
    for (let i = 0; i < 600; i += 1) {
      recorder.event(web, 'Warning', 'FailedGetMetrics', `try ${i}`);
      await advance(100);
    }
    expect(writes.length).toBeLessThanOrEqual(3 + 2);
    await advance(60_000);
    expect([...stored.values()]).toMatchObject([{ count: 600, message: 'try 599' }]);
  });

  test('one loud object does not silence another', async () => {
    const { recorder, stored, advance } = make({ burst: 1 });
    for (let i = 0; i < 50; i += 1) {
      recorder.event(web, 'Warning', 'Loud', 'x');
      await advance(10);
    }
    recorder.event({ ...web, metadata: { ...web.metadata, name: 'db', uid: 'u-2' } }, 'Normal', 'Quiet', 'x');
    await advance(0);
    expect([...stored.values()].map(({ reason }) => reason)).toEqual(['Loud', 'Quiet']);
  });

  test('an Event that the server has forgotten is told anew', async () => {
    const { recorder, stored, writes, advance } = make();
    recorder.event(web, 'Normal', 'A', 'x');
    await advance(0);
    stored.clear();
    recorder.event(web, 'Normal', 'A', 'y');
    await advance(0);
    expect(writes).toEqual(['create', 'patch', 'create']);
    expect([...stored.values()]).toMatchObject([{ message: 'y', count: 2 }]);
  });

  test('after half an hour of quiet a reason begins a new Event', async () => {
    const { recorder, stored, advance } = make();
    recorder.event(web, 'Normal', 'A', 'x');
    await advance(31 * 60_000);
    recorder.event(web, 'Normal', 'A', 'x');
    await advance(0);
    expect([...stored.values()].map(({ count }) => count)).toEqual([1, 1]);
  });

  test('a server that is away for a while gets the Event later; the caller never waits or fails', async () => {
    let away = true;
    const { recorder, stored, advance } = make({}, () => {
      if (away) throw new ForesailError('KUBE_UNREACHABLE', 'transient', 'no network');
    });
    recorder.event(web, 'Normal', 'A', 'x');
    await advance(1_500);
    away = false;
    recorder.event(web, 'Normal', 'A', 'y');
    await advance(10_000);
    expect([...stored.values()]).toMatchObject([{ count: 2, message: 'y' }]);
  });

  test('many events during an outage are few tries, and nothing is given up', async () => {
    let away = true;
    const { recorder, stored, writes, dropped, advance } = make({}, () => {
      if (away) throw new ForesailError('KUBE_UNREACHABLE', 'transient', 'no network');
    });
    for (let i = 0; i < 100; i += 1) {
      recorder.event(web, 'Normal', 'A', `try ${i}`);
      await advance(30);
    }
    expect(writes.length).toBeLessThanOrEqual(3);
    away = false;
    await advance(10_000);
    expect(dropped).toEqual([]);
    expect([...stored.values()]).toMatchObject([{ count: 100, message: 'try 99' }]);
  });

  test('an event that comes in whatever instant of a write is not forgotten', async () => {
    for (let ticks = 0; ticks < 20; ticks += 1) {
      let late = false;
      const { recorder, stored, advance } = make({}, () => {
        if (late) return;
        late = true;
        void (async () => {
          for (let i = 0; i < ticks; i += 1) await Promise.resolve();
          recorder.event(web, 'Normal', 'Late', 'x');
        })();
      });
      recorder.event(web, 'Normal', 'Early', 'x');
      await advance(0);
      expect([...stored.values()].map(({ reason }) => reason)).toEqual(['Early', 'Late']);
    }
  });

  test.each([
    ['is forbidden for good', new ForesailError('KUBE_INVALID', 'terminal', 'no'), 1],
    ['fails five times', new ForesailError('KUBE_UNAVAILABLE', 'transient', 'no'), 5],
    ['comes from an ex-leader', new ForesailError('NOT_LEADING', 'terminal', 'no'), 1],
  ])('an Event that %s is dropped and counted', async (_, error, tries) => {
    const { recorder, writes, dropped, advance } = make({}, () => {
      throw error;
    });
    recorder.event(web, 'Normal', 'A', 'x');
    await advance(600_000);
    expect(writes).toHaveLength(tries);
    expect(dropped).toEqual([`A: ${error.code}`]);
  });

  test('flush sends what the buckets hold back', async () => {
    const { recorder, stored, advance } = make({ burst: 1 });
    recorder.event(web, 'Normal', 'A', 'x');
    await advance(0);
    recorder.event(web, 'Normal', 'B', 'y');
    await advance(0);
    expect(stored.size).toBe(1);
    await recorder.flush(new AbortController().signal);
    expect(stored.size).toBe(2);
  });

  test('long texts are cut to what the server takes', async () => {
    const { recorder, stored, advance } = make();
    recorder.event(web, 'Normal', 'A', 'x'.repeat(5_000));
    await advance(0);
    expect([...stored.values()][0]?.message).toHaveLength(1024);
  });
});
