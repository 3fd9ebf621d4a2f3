import { describe, expect, test } from '@jest/globals';
import { gaussian, seeded } from '../testing/series.ts';
import { DriftMonitor } from './monitor.ts';
import { ERROR_KINDS, PER_DAY, watchErrors } from './testing/errors.ts';

const FIVE_MINUTES = 300_000;
const HOUR = 12;

describe('errors that stay as they are', () => {
  test.each(ERROR_KINDS)('%s: not one alarm in two streams of a month', (kind) => {
    const alarms = [1, 2].flatMap((seed) => watchErrors(kind, 30 * PER_DAY, seed));
    expect(alarms).toEqual([]);
  });
});

describe('errors that grow', () => {
  const at = 9 * PER_DAY;
  const alarm = (change: { factor?: number; bias?: number }) =>
    watchErrors('independent', at + 9 * PER_DAY, 5, { at, ...change })[0];
  const hoursAfter = (minute: number | undefined) => ((minute ?? Number.NaN) - 5 * at) / 60;

  test.each([
    ['doubled', { factor: 2 }, 14],
    ['with three times the variance', { factor: Math.sqrt(3) }, 24],
    ['with a bias of a band', { bias: 1 }, 18],
  ])('%s: the alarm comes within hours', (_, change, hours) => {
    expect(hoursAfter(alarm(change)?.fromMinute)).toBeGreaterThan(0);
    expect(hoursAfter(alarm(change)?.fromMinute)).toBeLessThan(hours);
  });

  test('for good: after a week it is no drift any more', () => {
    expect(hoursAfter(alarm({ factor: 2 })?.toMinute)).toBeLessThan(9 * 24);
  });

  test('for a day: the alarm goes with them', () => {
    const monitor = new DriftMonitor();
    const normal = gaussian(seeded(11));
    const drifting: boolean[] = [];
    for (let i = 0; i < at + 4 * PER_DAY; i++) {
      const factor = i >= at && i < at + PER_DAY ? 3 : 1;
      monitor.observe(i * FIVE_MINUTES, 0.78 * factor * normal());
      drifting.push(monitor.report().drifting);
    }
    expect(drifting.slice(0, at)).not.toContain(true);
    expect(drifting.slice(at, at + PER_DAY)).toContain(true);
    expect(drifting.slice(at + 3 * PER_DAY)).not.toContain(true);
  });

  test('that become smaller are no drift', () => {
    expect(alarm({ factor: 0.4 })).toBeUndefined();
  });
});

describe('the report', () => {
  test('says what the error was and is, in widths of the band', () => {
    const monitor = new DriftMonitor();
    const normal = gaussian(seeded(9));
    for (let i = 0; i < 10 * PER_DAY; i++)
      monitor.observe(i * FIVE_MINUTES, (i < 8 * PER_DAY ? 0.5 : 2) * normal());
    const { error, judged, drifting, by, sinceMs, signs, psi } = monitor.report();
    expect(error.reference).toBeGreaterThan(0.25);
    expect(error.reference).toBeLessThan(0.5);
    expect((error.recent ?? 0) / (error.reference ?? 0)).toBeGreaterThan(2.5);
    expect({ judged, drifting, by }).toEqual({ judged: true, drifting: true, by: 'Adwin' });
    expect(sinceMs).toBeGreaterThanOrEqual(8 * PER_DAY * FIVE_MINUTES);
    expect(signs).toEqual(['Adwin', 'Psi']);
    expect(psi).toBeGreaterThan(0.25);
  });

  test('judges nothing on the first day', () => {
    const monitor = new DriftMonitor();
    for (let i = 0; i < 23 * HOUR; i++) monitor.observe(i * FIVE_MINUTES, i < 12 * HOUR ? 0.1 : 9);
    expect(monitor.report()).toMatchObject({ judged: false, drifting: false, psi: undefined });
    expect(new DriftMonitor().report().error).toEqual({ recent: undefined, reference: undefined });
  });

  test('does not count the same time twice, nor an error that is unknown', () => {
    const monitor = new DriftMonitor();
    monitor.observe(FIVE_MINUTES, 1);
    monitor.observe(FIVE_MINUTES, 9);
    monitor.observe(2 * FIVE_MINUTES, Number.NaN);
    expect(monitor.report().error.recent).toBeCloseTo(1, 12);
  });
});

describe('a restart', () => {
  test('changes nothing', () => {
    const normal = gaussian(seeded(3));
    const whole = new DriftMonitor();
    let halved = new DriftMonitor();
    for (let i = 0; i < 10 * PER_DAY; i++) {
      if (i % 500 === 499) halved = DriftMonitor.fromState(JSON.parse(JSON.stringify(halved.toState())));
      const error = (i < 9 * PER_DAY ? 1 : 3) * normal();
      for (const monitor of [whole, halved]) {
        monitor.observe(i * FIVE_MINUTES, error);
        monitor.observePinned(i * FIVE_MINUTES, i > 9.5 * PER_DAY);
      }
    }
    const { signs, sinceMs } = whole.report();
    expect(signs).toContain('Pinned');
    expect(halved.report()).toMatchObject({ signs, sinceMs });
  });

  test('needs little: a month of errors fits into 10 KB', () => {
    const monitor = new DriftMonitor();
    const normal = gaussian(seeded(4));
    for (let i = 0; i < 30 * PER_DAY; i++) monitor.observe(i * FIVE_MINUTES, normal());
    expect(JSON.stringify(monitor.toState()).length).toBeLessThan(10_000);
  });

  test('before the first error is a start', () => {
    const state = JSON.parse(JSON.stringify(new DriftMonitor().toState()));
    const monitor = DriftMonitor.fromState(state);
    monitor.observe(0, 1);
    expect(monitor.report().error.recent).toBeCloseTo(1, 12);
  });
});
