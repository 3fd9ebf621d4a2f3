import { describe, expect, test } from '@jest/globals';
import { ForesailError } from '../errors.ts';
import { ForecastLearner } from '../forecast/learner.ts';
import type { Forecaster } from '../forecast/types.ts';
import { buildWindow } from '../forecast/window.ts';
import { calibrate, coverageOf } from './band.ts';
import { pastOf, recordTape } from './tape.ts';
import { MINUTE_MS, noise, quick, quickTape, traceOf } from './testing/loads.ts';
import { startOf } from './trace.ts';

const signal = new AbortController().signal;

describe('the tape', () => {
  test('holds for each step what the forecaster says of the window that ends there', async () => {
    const trace = noise(0.1);
    const { tracks, horizon } = await quickTape(trace);
    expect(horizon).toBe(12);
    const step = 100;
    const window = buildWindow('x', startOf(trace, step), trace.stepMs, pastOf(trace));
    expect(window.context.at(-1)).toBe(Math.fround(trace.values[step] ?? 0));
    const [direct] = await quick.forecast([window], signal);
    const kept = tracks[0]?.at(step);
    expect(kept?.originMs).toBe(startOf(trace, step));
    expect([...(kept?.values ?? [])]).toEqual([...(direct?.values.slice(0, 12 * 4) ?? [])]);
  });

  test('a trace that begins between two steps of the grid loses none', async () => {
    const trace = { ...noise(0.1), startMs: 12_345 };
    const even = { ...trace, startMs: 0 };
    const [odd, aligned] = [await quickTape(trace), await quickTape(even)];
    expect(odd.tracks[0]?.at(100)?.values).toEqual(aligned.tracks[0]?.at(100)?.values);
    expect(odd.tracks[0]?.at(100)?.originMs).toBe(12_345 + 100 * MINUTE_MS);
  });

  test('has nothing to say with too little history or after a long gap', async () => {
    const values = Array.from({ length: 100 }, (_, i) => (i >= 50 && i < 60 ? Number.NaN : 10 + (i % 3)));
    const { tracks } = await quickTape(traceOf(values));
    const said = values.map((_, i) => tracks[0]?.at(i) !== undefined);
    expect([said[14], said[15], said[52], said[53], said[59], said[60]]).toEqual([
      false,
      true,
      true,
      false,
      false,
      true,
    ]);
  });

  test('the next forecaster speaks where the first has failed, also for one window of a batch', async () => {
    const picky: Forecaster = {
      id: 'picky',
      forecast(windows, own) {
        const bad = windows.some(({ context }) => (context.at(-1) ?? 0) > 20);
        return bad
          ? Promise.reject(new ForesailError('FORECAST_NO_HISTORY', 'transient', 'too high'))
          : quick.forecast(windows, own);
      },
    };
    const trace = traceOf(Array.from({ length: 60 }, (_, i) => (i === 40 ? 30 : 10 + (i % 3))));
    const [first, second] = (await quickTape(trace, [picky, quick])).tracks;
    expect([first?.at(39), second?.at(39)].map(Boolean)).toEqual([true, false]);
    expect([first?.at(40), second?.at(40)].map(Boolean)).toEqual([false, true]);
  });

  test('an absurd forecast is left out, as in the operator', async () => {
    const mad: Forecaster = {
      id: 'mad',
      forecast: async (windows, own) =>
        (await quick.forecast(windows, own)).map((one) => ({ ...one, values: one.values.map(() => 1e9) })),
    };
    const { tracks } = await quickTape(noise(0.05), [mad]);
    expect(tracks[0]?.at(60)).toBeUndefined();
  });

  test('ends when it is told to', async () => {
    const stop = AbortSignal.abort(new Error('enough'));
    await expect(recordTape(noise(0.1), [quick], { horizon: 4 }, stop)).rejects.toThrow('enough');
  });
});

/** Knows nothing: twice the load, whatever happens. */
const wrong: Forecaster = {
  id: 'wrong',
  forecast: async (windows, own) =>
    (await quick.forecast(windows, own)).map((one) => ({ ...one, values: one.values.map((v) => 2 * v) })),
};

describe('the band', () => {
  test('follows the contest: one that is wrong leads until a better one has shown itself', async () => {
    const trace = noise(0.5);
    const options = { horizon: 4, everyone: true };
    const both = calibrate(await recordTape(trace, [wrong, quick], options, signal), 0.9);
    const alone = calibrate(await recordTape(trace, [wrong], options, signal), 0.9);
    const width = both.horizon + 1;
    const mean = ({ pathMilli }: typeof both, from: number, to: number) => {
      const next = Array.from({ length: to - from }, (_, i) => pathMilli[(from + i) * width + 1] ?? 0);
      return next.reduce((sum, upper) => sum + upper, 0) / next.length;
    };
    expect(mean(both, 20, 60)).toBe(mean(alone, 20, 60));
    // Calibrated, the wrong one is only wide; whoever serves, the band holds and the better one's is narrower.
    expect(mean(both, 500, 720)).not.toBe(mean(alone, 500, 720));
  });

  test('is what the operator plans for, step by step', async () => {
    const trace = noise(0.3);
    const tape = await quickTape(trace);
    const band = calibrate(tape, 0.9);
    const learner = new ForecastLearner({ stepMs: trace.stepMs, coverage: 0.9, preferred: 'quick' });
    const past = pastOf(trace);
    for (let step = 15; step < trace.values.length; step++) {
      const originMs = startOf(trace, step);
      learner.settle(originMs - trace.stepMs, (atMs) => past(atMs, trace.stepMs, 1)[0] ?? Number.NaN);
      const forecast = tape.tracks[0]?.at(step);
      if (forecast === undefined) throw new Error(`nothing at ${step}`);
      learner.issue('quick', forecast);
      const upper = learner.upperPath('quick', forecast, { fromMs: originMs, windowMs: 12 * MINUTE_MS });
      const row = [...band.pathMilli.subarray(step * 13, (step + 1) * 13)];
      expect(row).toEqual([1000 * (trace.values[step] ?? 0), ...(upper?.loadMilli ?? [])]);
      expect(band.calibrated[step]).toBe(upper?.confidence === 'Calibrated' ? 1 : 0);
    }
  });

  test('realises the asked coverage on noise', async () => {
    const trace = noise(2);
    const tape = await quickTape(trace);
    const scored = { from: 864, to: trace.values.length };
    for (const asked of [0.9, 0.95]) {
      const { realised, topDecile } = coverageOf(calibrate(tape, asked), 4, scored);
      expect(realised).toBeGreaterThan(asked - 0.015);
      expect(realised).toBeLessThan(asked + 0.015);
      expect(topDecile).toBeLessThan(asked);
    }
  });

  test('coverage counts what was said of a step, that many steps before', () => {
    const trace = traceOf([1, 1, 1, 1, 5, 1]);
    // One step ahead: 2 is not exceeded but by the 5; nothing was said at step 0.
    const pathMilli = Float64Array.from([
      NaN,
      NaN,
      1000,
      2000,
      1000,
      2000,
      1000,
      2000,
      1000,
      2000,
      1000,
      2000,
    ]);
    const band = {
      trace,
      coverage: 0.9,
      horizon: 1,
      pathMilli,
      calibrated: new Uint8Array(6),
      model: undefined,
    };
    expect(coverageOf(band, 1, { from: 0, to: 6 })).toEqual({ realised: 3 / 4, topDecile: 0 });
    expect(coverageOf(band, 1, { from: 0, to: 2 })).toEqual({ realised: null, topDecile: null });
  });
});
