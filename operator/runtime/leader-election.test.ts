import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { ForesailError } from '../errors.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { createLeaderElector, type LeaderElectionOptions } from './leader-election.ts';
import { holderOf, type Lease } from './lease.ts';
import { formatMicroTime } from './micro-time.ts';
import type { KubeObject } from './types.ts';

const KEY = { namespace: 'foresail', name: 'operator' };

async function advance(clock: FakeClock, ms: number): Promise<void> {
  await clock.advance(0);
  await clock.advance(ms);
}

/** The API server's part of a lease, in memory: versions, conflicts, and faults for chosen callers. */
class LeaseServer {
  lease: Lease | undefined;
  writes: { holder: string; at: number }[] = [];
  readonly #clock: FakeClock;
  #version = 0;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  /** `fault` runs before each call of this caller and may throw or wait. */
  clientFor(
    fault: (verb: string) => Promise<void> = () => Promise.resolve(),
  ): LeaderElectionOptions['client'] {
    const honour = async <T>(verb: string, signal: AbortSignal, work: () => T): Promise<T> => {
      const aborted = Promise.withResolvers<never>();
      signal.addEventListener('abort', () => aborted.reject(signal.reason));
      aborted.promise.catch(() => undefined);
      await Promise.race([fault(verb), aborted.promise]);
      return work();
    };
    return {
      get: <T extends KubeObject>(_: unknown, __: unknown, signal: AbortSignal) =>
        honour('get', signal, () => {
          if (this.lease === undefined) throw new ForesailError('KUBE_NOT_FOUND', 'terminal', 'no lease');
          return structuredClone(this.lease) as unknown as T;
        }),
      create: <T extends KubeObject>(_: unknown, object: T, signal: AbortSignal) =>
        honour('create', signal, () => {
          if (this.lease !== undefined) throw new ForesailError('KUBE_ALREADY_EXISTS', 'conflict', 'exists');
          return this.store(object) as unknown as T;
        }),
      update: <T extends KubeObject>(_: unknown, object: T, signal: AbortSignal) =>
        honour('update', signal, () => {
          if (this.lease === undefined) throw new ForesailError('KUBE_NOT_FOUND', 'terminal', 'no lease');
          if (this.lease.metadata.resourceVersion !== object.metadata.resourceVersion)
            throw new ForesailError('KUBE_CONFLICT', 'conflict', 'moved on');
          return this.store(object) as unknown as T;
        }),
    };
  }

  store(object: KubeObject): Lease {
    this.#version += 1;
    this.lease = structuredClone({
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(this.#version) },
    }) as Lease;
    this.writes.push({ holder: holderOf(this.lease), at: this.#clock.monotonic() });
    return structuredClone(this.lease);
  }
}

function candidate(
  server: LeaseServer,
  clock: FakeClock,
  identity: string,
  options: Partial<LeaderElectionOptions> & { fault?: (verb: string) => Promise<void> } = {},
) {
  const events: string[] = [];
  const elector = createLeaderElector({
    client: server.clientFor(options.fault),
    lease: KEY,
    identity,
    clock,
    random: () => 0,
    onStartedLeading: () => events.push(`leads@${clock.monotonic()}`),
    onLost: (reason) => events.push(`lost@${clock.monotonic()}: ${reason}`),
    ...options,
  });
  const abort = new AbortController();
  const run = elector.run(abort.signal);
  return { elector, events, abort, run };
}

const unreachable = () => Promise.reject(new ForesailError('KUBE_UNREACHABLE', 'transient', 'no network'));
const never = () => new Promise<void>(() => undefined);

describe('leader election', () => {
  test('the first one leads at once and renews every retry period', async () => {
    const clock = new FakeClock();
    const server = new LeaseServer(clock);
    const a = candidate(server, clock, 'a');
    await advance(clock, 60_000);
    expect(a.events).toEqual(['leads@0']);
    expect(a.elector.isLeading).toBe(true);
    expect(server.writes).toHaveLength(31);
    expect(server.lease?.spec).toMatchObject({
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      leaseTransitions: 0,
    });
    expect(server.lease?.spec?.renewTime).toMatch(/\.\d{6}Z$/);
  });

  test('a second one waits as long as it sees renewals', async () => {
    const clock = new FakeClock();
    const server = new LeaseServer(clock);
    candidate(server, clock, 'a');
    await advance(clock, 100);
    const b = candidate(server, clock, 'b');
    await advance(clock, 600_000);
    expect([b.events, b.elector.isLeading]).toEqual([[], false]);
    expect(() => b.elector.assertLeading()).toThrow(/does not hold the lease/);
  });

  test('a released lease is taken within one retry period', async () => {
    const clock = new FakeClock();
    const server = new LeaseServer(clock);
    const a = candidate(server, clock, 'a');
    await advance(clock, 5_000);
    const b = candidate(server, clock, 'b');
    await advance(clock, 5_000);
    a.abort.abort();
    await advance(clock, 2_000);
    expect(await a.run).toBe('released');
    expect(b.events).toEqual([expect.stringMatching(/^leads@1[0-2]\d{3}$/)]);
    expect(server.lease?.spec?.leaseTransitions).toBe(1);
    expect(a.events).toEqual(['leads@0']); // no loss is told: it was asked to go
  });

  test('a renewal that lands behind the back of a shutdown does not keep the lease', async () => {
    const clock = new FakeClock();
    const server = new LeaseServer(clock);
    const a = candidate(server, clock, 'a');
    await advance(clock, 5_000);
    if (server.lease !== undefined) server.store(server.lease);
    a.abort.abort();
    await advance(clock, 1_000);
    expect(await a.run).toBe('released');
    expect(server.lease?.spec?.holderIdentity).toBe('');
  });

  test('a lease that somebody else has taken is not given back for him', async () => {
    const clock = new FakeClock();
    const server = new LeaseServer(clock);
    const a = candidate(server, clock, 'a');
    await advance(clock, 5_000);
    if (server.lease !== undefined)
      server.store({ ...server.lease, spec: { ...server.lease.spec, holderIdentity: 'b' } } as Lease);
    a.abort.abort();
    await advance(clock, 1_000);
    await a.run;
    expect(server.lease?.spec?.holderIdentity).toBe('b');
  });

  test('a leader that cannot renew stops at its deadline, before another may take over', async () => {
    const clock = new FakeClock();
    const server = new LeaseServer(clock);
    let cut = false;
    const a = candidate(server, clock, 'a', { fault: () => (cut ? unreachable() : Promise.resolve()) });
    await advance(clock, 3_000); // last renewal at 2,000
    const b = candidate(server, clock, 'b');
    await advance(clock, 500);
    cut = true;
    await advance(clock, 30_000);
    expect(await a.run).toBe('lost');
    expect(a.events[1]).toBe('lost@12000: not renewed before the deadline');
    const bLeadsAt = Number(b.events[0]?.slice('leads@'.length));
    expect(bLeadsAt).toBeGreaterThanOrEqual(2_000 + 15_000);
    expect(bLeadsAt).toBeLessThanOrEqual(2_000 + 20_000);
  });

  test('so does one whose calls hang', async () => {
    const clock = new FakeClock();
    const server = new LeaseServer(clock);
    let hang = false;
    const a = candidate(server, clock, 'a', { fault: () => (hang ? never() : Promise.resolve()) });
    await advance(clock, 3_000);
    hang = true;
    await advance(clock, 30_000);
    expect(a.events).toEqual(['leads@0', 'lost@12000: not renewed before the deadline']);
  });

  test('one hanging call does not cost the lease: a second try fits in', async () => {
    const clock = new FakeClock();
    const server = new LeaseServer(clock);
    let hangs = 0;
    const a = candidate(server, clock, 'a', { fault: () => (hangs-- > 0 ? never() : Promise.resolve()) });
    await advance(clock, 3_000);
    hangs = 1;
    await advance(clock, 60_000);
    expect([a.elector.isLeading, a.events]).toEqual([true, ['leads@0']]);
  });

  test('a frozen process does not lead when it wakes up, before any of its timers has run', async () => {
    const clock = new FakeClock();
    const server = new LeaseServer(clock);
    let offset = 0;
    // SIGSTOP: time goes on outside while timers of the process stand still.
    const frozen = Object.assign(Object.create(clock) as FakeClock, {
      now: () => clock.now() + offset,
      monotonic: () => clock.monotonic() + offset,
      sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
      after: (ms: number, fn: () => void) => clock.after(ms, fn),
    });
    const a = candidate(server, clock, 'a', { clock: frozen });
    await advance(clock, 3_000);
    expect(a.elector.isLeading).toBe(true);
    offset = 20_000;
    expect(a.elector.isLeading).toBe(false);
    expect(() => a.elector.assertLeading()).toThrow(/does not hold the lease/);
    await advance(clock, 2_000);
    expect(await a.run).toBe('lost');
    expect(server.writes.filter(({ at }) => at > 3_000)).toEqual([]);
  });

  test('a renewal that was under way during the freeze does not bring leadership back', async () => {
    const clock = new FakeClock();
    const server = new LeaseServer(clock);
    let offset = 0;
    let slow: Promise<void> | undefined;
    const frozen = Object.assign(Object.create(clock) as FakeClock, {
      now: () => clock.now(),
      monotonic: () => clock.monotonic() + offset,
      sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
      after: (ms: number, fn: () => void) => clock.after(ms, fn),
    });
    const gate = Promise.withResolvers<void>();
    const a = candidate(server, clock, 'a', { clock: frozen, fault: () => slow ?? Promise.resolve() });
    await advance(clock, 3_000);
    slow = gate.promise;
    await advance(clock, 1_500); // the renewal at 4,000 is on its way
    offset = 20_000;
    gate.resolve(); // the server answers the moment we wake up
    await advance(clock, 0);
    expect(a.elector.isLeading).toBe(false);
    await advance(clock, 100);
    expect(await a.run).toBe('lost');
  });

  test('a stolen lease ends leadership at the next renewal', async () => {
    const clock = new FakeClock();
    const server = new LeaseServer(clock);
    const a = candidate(server, clock, 'a');
    await advance(clock, 3_000);
    server.store({ ...server.lease!, spec: { ...server.lease?.spec, holderIdentity: 'thief' } } as Lease);
    await advance(clock, 2_000);
    expect(a.events[1]).toBe('lost@4000: the lease is held by "thief"');
  });

  test('a lease that somebody touched is still ours', async () => {
    const clock = new FakeClock();
    const server = new LeaseServer(clock);
    const a = candidate(server, clock, 'a');
    await advance(clock, 3_000);
    server.store({ ...server.lease!, metadata: { ...server.lease!.metadata, labels: { touched: 'yes' } } });
    await advance(clock, 60_000);
    expect([a.elector.isLeading, a.events]).toEqual([true, ['leads@0']]);
    expect(server.lease?.metadata.labels).toEqual({ touched: 'yes' });
  });

  test('a deleted lease is made anew by its holder; a follower does not jump in', async () => {
    const clock = new FakeClock();
    const server = new LeaseServer(clock);
    const a = candidate(server, clock, 'a');
    await advance(clock, 1_000);
    const b = candidate(server, clock, 'b');
    await advance(clock, 4_500);
    server.lease = undefined;
    await advance(clock, 30_000);
    expect([a.elector.isLeading, b.elector.isLeading, b.events]).toEqual([true, false, []]);
  });

  test('a deleted lease of a dead holder is taken when the holder’s time is over', async () => {
    const clock = new FakeClock();
    const server = new LeaseServer(clock);
    let cut = false;
    candidate(server, clock, 'a', { fault: () => (cut ? unreachable() : Promise.resolve()) });
    await advance(clock, 1_000);
    const b = candidate(server, clock, 'b');
    await advance(clock, 500);
    cut = true;
    server.lease = undefined;
    await advance(clock, 60_000);
    expect(Number(b.events[0]?.slice('leads@'.length))).toBeGreaterThanOrEqual(15_000);
  });

  test('jumps of the wall clock change nothing', async () => {
    const clock = new FakeClock();
    const server = new LeaseServer(clock);
    const a = candidate(server, clock, 'a');
    await advance(clock, 1_000);
    const b = candidate(server, clock, 'b');
    for (const jump of [3_600_000, -7_200_000, 86_400_000]) {
      clock.jumpWallClock(jump);
      await advance(clock, 20_000);
    }
    expect([a.events, b.events]).toEqual([['leads@0'], []]);
  });

  test('after a restart the same identity takes its own lease at once', async () => {
    const clock = new FakeClock();
    const server = new LeaseServer(clock);
    const first = candidate(server, clock, 'a');
    await advance(clock, 1_000);
    expect(first.elector.isLeading).toBe(true);
    const second = candidate(server, clock, 'a');
    await advance(clock, 0);
    expect(second.events).toEqual(['leads@1000']);
  });

  test('never two leaders at the same instant, whatever the network does to whom', async () => {
    const phase = fc.record({
      ms: fc.integer({ min: 100, max: 9_000 }),
      a: fc.constantFrom('ok', 'cut', 'hang'),
      b: fc.constantFrom('ok', 'cut', 'hang'),
      c: fc.constantFrom('ok', 'cut', 'hang'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(phase, { maxLength: 12 }), async (phases) => {
        const clock = new FakeClock();
        const server = new LeaseServer(clock);
        const net: Record<string, string> = { a: 'ok', b: 'ok', c: 'ok' };
        const fault = (id: string) => () =>
          net[id] === 'cut' ? unreachable() : net[id] === 'hang' ? never() : Promise.resolve();
        const all = ['a', 'b', 'c'].map((id) => candidate(server, clock, id, { fault: fault(id) }));
        for (const { ms, ...state } of phases) {
          Object.assign(net, state);
          for (let left = ms; left > 0; left -= 500) {
            await advance(clock, Math.min(500, left));
            expect(all.filter(({ elector }) => elector.isLeading).length).toBeLessThanOrEqual(1);
          }
        }
        for (const { abort } of all) abort.abort();
        await advance(clock, 20_000);
      }),
      { numRuns: 40 },
    );
  });

  test('periods that could let two lead are refused', () => {
    const clock = new FakeClock();
    const make = (leaseDurationMs: number, renewDeadlineMs: number) =>
      createLeaderElector({
        client: new LeaseServer(clock).clientFor(),
        lease: KEY,
        identity: 'a',
        clock,
        leaseDurationMs,
        renewDeadlineMs,
      });
    expect(() => make(10_000, 10_000)).toThrow(/longer than the renew deadline/);
    expect(() => make(15_000, 2_000)).toThrow(/retry periods/);
  });
});

test.each([
  [Date.UTC(2026, 10, 21, 10), '2026-11-21T10:00:00.000000Z'],
  [Date.UTC(2026, 10, 21, 10) + 7, '2026-11-21T10:00:00.007000Z'],
  [0.25, '1970-01-01T00:00:00.000250Z'],
])('MicroTime of %d has six digits', (ms, text) => {
  expect(formatMicroTime(ms)).toBe(text);
});
