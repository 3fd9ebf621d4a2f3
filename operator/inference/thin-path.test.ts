import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { systemClock } from '../clock.ts';
import { ForecastLearner } from '../forecast/learner.ts';
import { persistence } from '../forecast/persistence.ts';
import { seasonalNaive } from '../forecast/seasonal-naive.ts';
import { dailyLoad, MINUTE } from '../forecast/testing/series.ts';
import { buildWindow } from '../forecast/window.ts';
import { MemoryHistory } from '../history/memory-store.ts';
import { openModel } from './model.ts';
import { ChainedForecastService } from './service.ts';

const signal = new AbortController().signal;
const BOX = new URL('../../models/loadcast/loadcast.onnx', import.meta.url).pathname;
let service: ChainedForecastService;

beforeAll(async () => {
  const model = await openModel({ path: BOX }, { clock: systemClock });
  service = new ChainedForecastService(model, [seasonalNaive, persistence], {
    clock: systemClock,
    maxDelayMs: 0,
    deadlineMs: 60_000,
  });
});
afterAll(() => service.close());

test('from readings to a calibrated upper load path by way of the model in the box', async () => {
  const minutes = 15 * 1440;
  const load = dailyLoad(minutes, 1);
  const history = new MemoryHistory({ now: () => minutes * MINUTE });
  history.declare('a/b/0', { stepMs: MINUTE });
  for (let i = 0; i < minutes; i++) history.append('a/b/0', i * MINUTE + 5000, load[i] ?? 0);

  const learner = new ForecastLearner({ stepMs: MINUTE, coverage: 0.95, preferred: 'loadcast' });
  const read = (at: number): number => history.window('a/b/0', at, MINUTE, 1)[0] ?? Number.NaN;
  const past = (end: number, step: number, count: number) => history.window('a/b/0', end, step, count);
  let covered = 0;
  let total = 0;
  for (let i = minutes - 300; i < minutes - 4; i++) {
    learner.settle(i * MINUTE, read);
    const window = buildWindow('a/b/0', i * MINUTE, MINUTE, past);
    // oxlint-disable-next-line no-await-in-loop -- each forecast learns from the one before
    const outcome = await service.forecast(window, signal);
    expect(outcome).toMatchObject({ kind: 'forecast', by: 'loadcast', failed: [] });
    if (outcome.kind !== 'forecast') continue;
    learner.issue(outcome.by, outcome.forecast);
    const path = learner.upperPath(outcome.by, outcome.forecast, {
      fromMs: (i + 1) * MINUTE,
      windowMs: 2 * MINUTE,
    });
    expect(path?.loadMilli).toHaveLength(3);
    expect(path?.truncated).toBe(false);
    if (i < minutes - 200) continue;
    total++;
    if ((load[i + 3] ?? 0) * 1000 <= (path?.loadMilli[2] ?? 0)) covered++;
  }
  expect(Math.abs(covered / total - 0.95)).toBeLessThan(0.04);
  expect(learner.realised('loadcast', 3 * MINUTE).asked).toBe(0.95);
});

test('without history the answer says so instead of inventing a load', async () => {
  const history = new MemoryHistory({ now: () => 0 });
  const window = buildWindow('new', 0, MINUTE, (end, step, count) => history.window('new', end, step, count));
  const outcome = await service.forecast(window, signal);
  expect(outcome).toMatchObject({ kind: 'unavailable', reason: 'NoHistory' });
  expect(outcome.failed.map((attempt) => attempt.id)).toEqual(['loadcast', 'seasonal-naive', 'persistence']);
});
