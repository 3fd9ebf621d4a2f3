import { expect, test } from '@jest/globals';
import { persistence } from '../../forecast/persistence.ts';
import { dailyLoad, MINUTE, readerOf } from '../../forecast/testing/series.ts';
import type { ForecastWindow } from '../../forecast/types.ts';
import type { ForecastService } from '../../inference/types.ts';
import { createForecastReasons, type ForecastBasis } from './forecast-reasons.ts';

const NOW = 15 * 1440 * MINUTE;
const BASIS: ForecastBasis = {
  metric: 'External rps',
  seriesKey: 'u/m',
  stepMs: MINUTE,
  originMs: NOW,
  by: 'persistence',
  step: 3,
  level: 0.9,
};
const signal = new AbortController().signal;
const read = readerOf(dailyLoad(15 * 1440 + 1, 1));
const history = {
  window: (_key: string, endMs: number, stepMs: number, count: number) => read(endMs, stepMs, count),
};

/** Persistence, or another forecaster that stands in for it where it cannot. */
function service() {
  const asked: { window: ForecastWindow; order: readonly string[] }[] = [];
  let gate = Promise.resolve();
  const contest: ForecastService['contest'] = async (window, { order }) => {
    asked.push({ window, order });
    await gate;
    const [forecast] = await persistence.forecast([window], signal).catch(() => []);
    const other = await persistence.forecast([{ ...window, context: new Float32Array(512).fill(1) }], signal);
    const outcome =
      forecast === undefined
        ? { kind: 'forecast' as const, forecast: other[0] as never, by: 'somebody-else', failed: [] }
        : { kind: 'forecast' as const, forecast, by: 'persistence', failed: [] };
    return { outcome, others: [] };
  };
  return {
    asked,
    contest,
    hold: () => {
      let letGo = () => {};
      gate = new Promise((resolve) => {
        letGo = resolve;
      });
      return () => letGo();
    },
  };
}

test('asks the forecaster that served, on a series of its own', async () => {
  const { asked, contest } = service();
  const reasons = createForecastReasons(history, { contest });
  reasons.note('u', [BASIS]);
  const [reason] = (await reasons.of('u', signal)) ?? [];
  expect(reason).toMatchObject({
    metric: 'External rps',
    by: 'persistence',
    step: 3,
    level: 0.9,
    stepSeconds: 60,
  });
  expect(asked).toHaveLength(10);
  expect(new Set(asked.map(({ window }) => window.key))).toEqual(new Set(['u/m explained']));
  expect(asked.every(({ order }) => order[0] === 'persistence')).toBe(true);
  const parts = Object.fromEntries(reason?.parts.map((part) => [part.name, part]) ?? []);
  // Persistence stands on the last value, has its band from the last moves, and looks at no season.
  expect(parts['last 8 steps']?.share).toBeGreaterThan(0.5);
  expect(parts['9 to 32 steps ago']?.share).toBeGreaterThan(0);
  expect(parts['1 day ago']?.share).toBe(0);
});

test('nothing forecast, nothing to explain', async () => {
  const reasons = createForecastReasons(history, service());
  expect(await reasons.of('u', signal)).toBeUndefined();
  reasons.note('u', [BASIS]);
  reasons.forget('u');
  expect(await reasons.of('u', signal)).toBeUndefined();
});

test('a third request at a time is sent away', async () => {
  const slow = service();
  const reasons = createForecastReasons(history, slow);
  reasons.note('u', [BASIS]);
  const letGo = slow.hold();
  const two = [reasons.of('u', signal), reasons.of('u', signal)];
  await expect(reasons.of('u', signal)).rejects.toMatchObject({
    code: 'ATTRIBUTION_BUSY',
    retry: 'transient',
  });
  letGo();
  expect(await Promise.all(two)).toHaveLength(2);
  expect(await reasons.of('u', signal)).toHaveLength(1);
});
