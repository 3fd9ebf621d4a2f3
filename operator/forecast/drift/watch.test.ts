import { describe, expect, test } from '@jest/globals';
import { MINUTE } from '../testing/series.ts';
import { MODEL_LEVELS, type QuantileForecast } from '../types.ts';
import { DriftWatch } from './watch.ts';

const HOUR = 60;

/** 100 at every step with a band (q90 - q50) of 10, unless the test says otherwise. */
function forecastAt(minute: number, { digest = 'sha256:a', median = 100 } = {}): QuantileForecast {
  const horizon = 16;
  const values = Float32Array.from({ length: horizon * MODEL_LEVELS.length }, (_, i) => {
    const level = MODEL_LEVELS[i % MODEL_LEVELS.length] ?? 0.5;
    return median + ((level - 0.5) / 0.4) * 10;
  });
  const model = { name: 'test', version: '1', digest };
  return { originMs: minute * MINUTE, stepMs: MINUTE, horizon, levels: MODEL_LEVELS, values, model };
}

function play(
  watch: DriftWatch,
  from: number,
  to: number,
  load: (minute: number) => number,
  by = 'a',
  digest = 'sha256:a',
  ahead = 3,
): void {
  for (let minute = from; minute < to; minute++) {
    watch.settle((minute - 1) * MINUTE, (atMs) => load(atMs / MINUTE), false);
    watch.issue(by, forecastAt(minute, { digest }), ahead);
  }
}

describe('errors', () => {
  test('are what came less the median, in widths of the band', () => {
    const watch = new DriftWatch(MINUTE);
    play(watch, 0, HOUR, () => 105);
    expect(watch.report().error.recent).toBeCloseTo(0.5, 3);
  });

  test('of a band of nothing are measured with a share of the level', () => {
    const watch = new DriftWatch(MINUTE);
    const flat = { ...forecastAt(0), values: new Float32Array(16 * MODEL_LEVELS.length).fill(100) };
    watch.issue('a', flat, 1);
    watch.settle(MINUTE, () => 102, false);
    expect(watch.report().error.recent).toBeCloseTo(1, 6);
  });

  test('are taken once per lead window, five minutes apart at least', () => {
    for (const [ahead, count] of [
      [1, 12],
      [12, 5],
    ] as const) {
      const watch = new DriftWatch(MINUTE);
      play(watch, 0, HOUR + ahead + 1, () => 100, 'a', 'sha256:a', ahead);
      const blocks = watch.toState().monitor.blocks.flatMap(({ cells }) => cells.map(([, n]) => n));
      expect(blocks.reduce((sum, n) => sum + n, 0)).toBeLessThanOrEqual(count + 1);
      expect(blocks.reduce((sum, n) => sum + n, 0)).toBeGreaterThanOrEqual(count - 1);
    }
  });

  test('of values that stay unknown are neither small nor large', () => {
    const watch = new DriftWatch(MINUTE);
    play(watch, 0, 2 * HOUR, () => Number.NaN);
    expect(watch.report().error.recent).toBeUndefined();
  });
});

describe('whose errors are watched', () => {
  const played = (): DriftWatch => {
    const watch = new DriftWatch(MINUTE);
    play(watch, 0, 8 * HOUR, () => 105);
    return watch;
  };

  test('a fallback for an hour changes nothing', () => {
    const watch = played();
    play(watch, 8 * HOUR, 9 * HOUR, () => 900, 'b');
    expect(watch.toState().by).toBe('a');
    expect(watch.report().error.recent).toBeLessThan(1);
  });

  test('who serves for longer is watched from then on', () => {
    const watch = played();
    play(watch, 8 * HOUR, 15 * HOUR, () => 130, 'b');
    expect(watch.toState().by).toBe('b');
    expect(watch.report().error.recent).toBeCloseTo(3, 1);
  });

  test('a new version of the model starts afresh at once', () => {
    const watch = played();
    play(watch, 8 * HOUR, 9 * HOUR, () => 130, 'a', 'sha256:b');
    expect(watch.report().error.recent).toBeCloseTo(3, 1);
  });
});

test('a calibration at its clip for an hour is a drift, whatever the errors', () => {
  const watch = new DriftWatch(MINUTE);
  for (let minute = 0; minute <= HOUR; minute++) watch.settle(minute * MINUTE, () => 100, true);
  expect(watch.report()).toMatchObject({ drifting: true, by: 'Pinned' });
});

test('a restart keeps all that was learned', () => {
  const watch = new DriftWatch(MINUTE);
  play(watch, 0, 20 * HOUR, (minute) => 100 + 5 * Math.sin(minute));
  const again = DriftWatch.fromState(JSON.parse(JSON.stringify(watch.toState())), MINUTE);
  expect(again.report().error.recent).toBeCloseTo(watch.report().error.recent ?? Number.NaN, 5);
  expect(again.toState()).toEqual(watch.toState());
});

test('with another step everything begins anew', () => {
  const watch = new DriftWatch(MINUTE);
  play(watch, 0, 2 * HOUR, () => 105);
  expect(DriftWatch.fromState(watch.toState(), 2 * MINUTE).report().error.recent).toBeUndefined();
});

test('a clock that was put back by a month makes nobody deaf', () => {
  const month = 30 * 24 * HOUR;
  const watch = new DriftWatch(MINUTE);
  play(watch, month, month + 2 * HOUR, () => 105);
  play(watch, 0, 2 * HOUR, () => 120);
  expect(watch.report().error.recent).toBeCloseTo(2, 1);
});
