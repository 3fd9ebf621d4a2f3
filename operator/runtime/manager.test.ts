import { describe, expect, test } from '@jest/globals';
import { FakeClock } from '../testing/fake-clock.ts';
import { createManager, type ManagerOptions } from './manager.ts';
import type { Controller, Informer, KubeObject, LeaderElector, Runnable } from './types.ts';

async function advance(clock: FakeClock, ms: number): Promise<void> {
  await clock.advance(0);
  await clock.advance(ms);
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve());
  });

function stage(options: Partial<ManagerOptions> = {}) {
  const clock = new FakeClock();
  const log: string[] = [];
  const part = (name: string, life?: (signal: AbortSignal) => Promise<void>): Runnable => ({
    name,
    async run(signal) {
      log.push(`${name} up`);
      await (life?.(signal) ?? untilAborted(signal));
      log.push(`${name} down`);
    },
  });
  const controller = (name: string, life?: (signal: AbortSignal) => Promise<void>): Controller => ({
    ...part(name, life),
    depth: 0,
    enqueue: () => undefined,
  });
  const synced = Promise.withResolvers<void>();
  const informer = {
    ...part('cache'),
    hasSynced: false,
    waitForSync: () => synced.promise,
  } as unknown as Informer<KubeObject>;
  const hooks: Parameters<NonNullable<ManagerOptions['elector']>>[0][] = [];
  const term = new AbortController();
  const elector: ManagerOptions['elector'] = (given) => {
    hooks.push(given);
    return {
      identity: 'me',
      isLeading: false,
      assertLeading: () => undefined,
      async run(signal) {
        log.push('campaign');
        await untilAborted(signal);
        log.push('lease released');
        return 'released';
      },
    } satisfies LeaderElector;
  };
  const manager = createManager({ clock, shutdownMs: 5_000, elector, ...options });
  manager.addInformer(informer);
  return { manager, clock, log, part, controller, synced, hooks, term };
}

describe('the manager', () => {
  test('goes up and down in the safe order', async () => {
    const { manager, clock, log, part, controller, synced, hooks, term } = stage();
    manager.addRunnable(part('server'));
    manager.addController(
      controller('controller', async (signal) => {
        await untilAborted(signal);
        log.push('controller finishes its work');
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
      }),
    );
    const abort = new AbortController();
    const run = manager.run(abort.signal);
    await advance(clock, 0);
    expect(log).toEqual(['cache up', 'server up']);
    synced.resolve();
    await advance(clock, 0);
    expect(log.slice(2)).toEqual(['campaign']);
    hooks[0]!.onStartedLeading(term.signal);
    await advance(clock, 0);
    expect(log.slice(3)).toEqual(['controller up']);
    abort.abort(new Error('SIGTERM'));
    await run;
    expect(log.slice(4)).toEqual([
      'controller finishes its work',
      'controller down',
      'lease released',
      'cache down',
      'server down',
    ]);
  });

  test('rejects when leadership is lost, after it has stopped what it could', async () => {
    const { manager, clock, log, controller, synced, hooks, term } = stage();
    manager.addController(controller('controller'));
    const run = manager.run(new AbortController().signal);
    synced.resolve();
    await advance(clock, 0);
    hooks[0]!.onStartedLeading(term.signal);
    await advance(clock, 0);
    term.abort(new Error('lost'));
    hooks[0]!.onLost('stolen');
    await expect(run).rejects.toMatchObject({ code: 'LEADERSHIP_LOST', message: 'leadership lost: stolen' });
    expect(log).toContain('controller down');
  });

  test('does not wait for ever for a controller that hangs', async () => {
    const { manager, clock, log, controller, synced, hooks, term } = stage();
    manager.addController(controller('stuck', () => new Promise(() => undefined)));
    const abort = new AbortController();
    const run = manager.run(abort.signal);
    synced.resolve();
    await advance(clock, 0);
    hooks[0]!.onStartedLeading(term.signal);
    await advance(clock, 0);
    abort.abort(new Error('SIGTERM'));
    await advance(clock, 5_000);
    await run;
    expect(log).not.toContain('stuck down');
    expect(log).toContain('lease released');
  });

  test('a shutdown before the caches have synced is clean', async () => {
    const { manager, clock, log } = stage();
    const abort = new AbortController();
    const run = manager.run(abort.signal);
    await advance(clock, 0);
    abort.abort(new Error('SIGTERM'));
    await run;
    expect(log).toEqual(['cache up', 'cache down']);
  });

  test.each([
    ['fails', () => Promise.reject(new Error('port in use')), /port in use/],
    ['ends by itself', () => Promise.resolve(), /ended by itself/],
  ])('a part that %s takes the manager down', async (_, life, message) => {
    const { manager, log, part } = stage();
    manager.addRunnable(part('server', life));
    await expect(manager.run(new AbortController().signal)).rejects.toThrow(message);
    expect(log).toContain('cache down');
  });

  test('without an elector it leads once the caches have synced', async () => {
    const clock = new FakeClock();
    const seen: string[] = [];
    const manager = createManager({ clock });
    const abort = new AbortController();
    manager.addController({
      name: 'c',
      depth: 0,
      enqueue: () => undefined,
      run: (signal) => {
        seen.push('up');
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve());
        });
      },
    });
    const run = manager.run(abort.signal);
    await advance(clock, 0);
    expect([seen, manager.isLeader]).toEqual([['up'], true]);
    abort.abort(new Error('SIGTERM'));
    await run;
    expect(() => manager.addRunnable({ name: 'x', run: () => Promise.resolve() })).toThrow(/already started/);
  });
});
