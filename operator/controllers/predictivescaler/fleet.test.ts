import { describe, expect, test } from '@jest/globals';
import { IndexedStore } from '../../runtime/index.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { ConfigMap } from '../config-map.ts';
import { createFleet } from './fleet.ts';
import { readPause } from './pause-switch.ts';

const freeze = { share: 0.5, thawShare: 0.25, minTargets: 4 };

function fleetOf(creationsPerMinute?: number) {
  const clock = new FakeClock();
  const pause = () => ({ paused: false, reason: '' });
  return { clock, fleet: createFleet({ clock, freeze, creationsPerMinute, pause }) };
}

describe('the freeze', () => {
  test('comes with half of the targets unready and goes only below a quarter', () => {
    const { fleet } = fleetOf();
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) fleet.report(key, 2, 2);
    for (const key of ['a', 'b', 'c']) fleet.report(key, 2, 0);
    expect(fleet.frozen).toBe(false);
    fleet.report('d', 2, 0);
    expect(fleet.frozen).toBe(true);
    for (const key of ['a', 'b']) fleet.report(key, 2, 2);
    expect(fleet.frozen).toBe(true);
    fleet.report('c', 2, 2);
    expect(fleet.frozen).toBe(false);
  });

  test('a target has one vote however often it reports, and none when it is gone', () => {
    const { fleet } = fleetOf();
    for (const key of ['a', 'b', 'c', 'd']) fleet.report(key, 2, 2);
    for (let i = 0; i < 10; i++) fleet.report('a', 2, 0);
    expect(fleet.frozen).toBe(false);
    fleet.report('b', 2, 0);
    expect(fleet.frozen).toBe(true);
    for (const key of ['a', 'a', 'never seen']) fleet.forget(key);
    expect(fleet.frozen).toBe(false);
  });
});

test('creations come back over a minute of monotonic time, whatever the wall clock does', async () => {
  const { clock, fleet } = fleetOf(10);
  fleet.spend(10);
  expect(fleet.creationsLeft()).toBe(0);
  clock.jumpWallClock(3_600_000);
  expect(fleet.creationsLeft()).toBe(0);
  await clock.advance(30_000);
  expect(fleet.creationsLeft()).toBe(5);
  expect(fleetOf().fleet.creationsLeft()).toBe(Number.POSITIVE_INFINITY);
});

describe('the pause switch', () => {
  const paused = (data?: Record<string, string>) => {
    const store = new IndexedStore<ConfigMap>();
    if (data !== undefined) store.set({ metadata: { name: 'foresail-control', namespace: 'ops' }, data });
    return readPause(store, 'ops');
  };

  test.each([
    [undefined, false],
    [{}, false],
    [{ paused: '' }, false],
    [{ paused: 'False ' }, false],
    [{ paused: 'true' }, true],
    [{ paused: 'yes' }, true],
    [{ paused: 'no' }, true],
  ])('%j: %s', (data, expected) => {
    expect(paused(data).paused).toBe(expected);
  });

  test('says why', () => {
    expect(paused({ paused: 'true', reason: 'moving' }).reason).toBe('moving');
    expect(paused({ paused: 'true' }).reason).toContain('ops/foresail-control');
  });
});
