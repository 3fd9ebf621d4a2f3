import { afterAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../clock.ts';
import { ForesailError } from '../errors.ts';
import { ForecastLearner } from '../forecast/learner.ts';
import { persistence } from '../forecast/persistence.ts';
import { seasonalNaive } from '../forecast/seasonal-naive.ts';
import { dailyLoad, MINUTE, readerOf } from '../forecast/testing/series.ts';
import type { ForecastWindow } from '../forecast/types.ts';
import { buildWindow } from '../forecast/window.ts';
import { ChainedForecastService } from './service.ts';
import type { OnnxModel } from './types.ts';

const { signal } = new AbortController();
const load = dailyLoad(3 * 1440, 4);
const windowAt = (t: number): ForecastWindow => buildWindow('k', t * MINUTE, MINUTE, readerOf(load));
const window = windowAt(2 * 1440);

/** A model that is no better than it says: the last value and three times too high. The fault to be found. */
function model(fault?: ForesailError): OnnxModel {
  return {
    id: 'loadcast',
    state: { phase: 'loading', message: '' },
    close: () => Promise.resolve(),
    async forecast(windows, until) {
      if (fault !== undefined) throw fault;
      const forecasts = await persistence.forecast(windows, until);
      return forecasts.map((forecast) => ({
        ...forecast,
        values: forecast.values.map((value) => 3 * value),
      }));
    },
  };
}

const opened: ChainedForecastService[] = [];
function open(fault?: ForesailError): ChainedForecastService {
  const service = new ChainedForecastService(model(fault), [seasonalNaive, persistence], {
    clock: systemClock,
    maxDelayMs: 0,
  });
  opened.push(service);
  return service;
}
afterAll(async () => {
  await Promise.all(opened.map((service) => service.close()));
});

describe('a contest of forecasters', () => {
  test('asks the leader first, and the others only when everyone is asked', async () => {
    const service = open();
    const order = ['persistence', 'gone', 'loadcast'];
    const alone = await service.contest(window, { order, everyone: false }, signal);
    expect(alone).toMatchObject({ outcome: { by: 'persistence', failed: [] }, others: [] });
    const all = await service.contest(window, { order, everyone: true }, signal);
    expect(all.outcome).toMatchObject({ kind: 'forecast', by: 'persistence' });
    expect(all.others.map(({ by }) => by)).toEqual(['loadcast', 'seasonal-naive']);
  });

  test('a leader that is no longer here leaves its place to the model, whose failure is told', async () => {
    const service = open(new ForesailError('MODEL_QUARANTINED', 'terminal', 'refused'));
    const order = ['another-model', 'persistence'];
    const { outcome } = await service.contest(window, { order, everyone: false }, signal);
    expect(outcome).toMatchObject({
      by: 'persistence',
      failed: [{ id: 'loadcast', reason: 'ModelQuarantined', message: 'refused' }],
    });
  });

  test('goes down the record when the leader fails, and says why it did not serve', async () => {
    const service = open(new ForesailError('MODEL_QUARANTINED', 'terminal', 'refused'));
    const order = ['loadcast', 'persistence'];
    const { outcome, others } = await service.contest(window, { order, everyone: true }, signal);
    expect(outcome).toMatchObject({
      by: 'persistence',
      failed: [{ id: 'loadcast', reason: 'ModelQuarantined' }],
    });
    expect(others.map(({ by }) => by)).toEqual(['seasonal-naive']);
  });

  test('is not asked of anyone once the caller has gone', async () => {
    const gone = AbortSignal.abort(new Error('gone'));
    await expect(open().contest(window, { order: [], everyone: true }, gone)).rejects.toThrow('gone');
  });

  test('takes the lead from a model that is bad on this load, and remembers it', async () => {
    const service = open();
    const options = { stepMs: MINUTE, coverage: 0.9, preferred: 'loadcast' };
    const learner = new ForecastLearner(options);
    let by: string | undefined;
    for (let t = 2 * 1440; t < 2 * 1440 + 120; t++) {
      const { originMs } = windowAt(t);
      learner.settle(originMs - MINUTE, (atMs) => load[atMs / MINUTE] ?? Number.NaN);
      // Several decisions in a minute, as the operator makes them: only the first of them is a contest.
      for (let look = 0; look < 2; look++) {
        const everyone = learner.competes(originMs);
        expect(everyone).toBe(look === 0);
        const asked = { order: learner.order(), everyone };
        // oxlint-disable-next-line no-await-in-loop -- each forecast learns from the one before
        const { outcome, others } = await service.contest(windowAt(t), asked, signal);
        for (const other of others) learner.compete(other.by, other.forecast);
        if (outcome.kind !== 'forecast') throw new Error('no forecast');
        by = outcome.by;
        learner.issue(by, outcome.forecast);
      }
    }
    expect(by).not.toBe('loadcast');
    expect(learner.order()[0]).toBe(by);
    const restored = ForecastLearner.fromState(JSON.parse(JSON.stringify(learner.toState())), options);
    expect(restored.order()[0]).toBe(by);
  });
});
