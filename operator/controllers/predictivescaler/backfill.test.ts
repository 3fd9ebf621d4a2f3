import { expect, test } from '@jest/globals';
import { type Calendar, realCalendar, replayCalendar, systemClock } from '../../clock.ts';
import { ForecastLearner } from '../../forecast/learner.ts';
import { persistence } from '../../forecast/persistence.ts';
import { MemoryHistory } from '../../history/memory-store.ts';
import { ChainedForecastService } from '../../inference/service.ts';
import type { OnnxModel } from '../../inference/types.ts';
import { silentLogger } from '../../logger.ts';
import { known, type LoadSeries, type Observation, unknown } from '../../observation.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { createBackfill, type PastRequest } from './backfill.ts';

// Each replays hundreds of forecasts: a busy machine takes its time.
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOW = Date.UTC(2026, 0, 2, 12);

/** The model is the fault: it is still loading, so that the simple forecaster serves. */
const loadingModel: OnnxModel = {
  id: 'loadcast',
  state: { phase: 'loading', message: 'not yet' },
  forecast: () => Promise.reject(new Error('not yet')),
  close: () => Promise.resolve(),
};

/** `answer` is the metric server. */
function setUp(
  answer: (fromMs: number, toMs: number, stepMs: number) => Promise<Observation<LoadSeries>>,
  calendar: Calendar = realCalendar,
) {
  const clock = new FakeClock(NOW);
  const now = () => calendar.fromReal(clock.now());
  const history = new MemoryHistory({ now });
  const asked: { readonly fromMs: number; readonly toMs: number; readonly stepMs: number }[] = [];
  const backfill = createBackfill({
    sources: {
      canBackfill: ({ type }) => type === 'Prometheus',
      backfill(_request, fromMs, toMs, stepMs) {
        asked.push({ fromMs, toMs, stepMs });
        return answer(fromMs, toMs, stepMs);
      },
    },
    history,
    service: new ChainedForecastService(loadingModel, [persistence], { clock: systemClock }),
    clock,
    calendar,
    log: silentLogger,
    random: () => 0.5,
    signal: new AbortController().signal,
  });
  const ask = (change: Partial<PastRequest> = {}) => {
    const stepMs = change.stepMs ?? MINUTE;
    history.declare('k', { stepMs });
    const target = { type: 'AverageValue', averageValue: '1' } as const;
    return backfill.ensure({
      seriesKey: 'k',
      stepMs,
      namespace: 'shop',
      metric: { type: 'Prometheus', prometheus: { serverRef: { name: 'default' }, query: 'up', target } },
      podSelector: '',
      spanMs: 6 * HOUR,
      retainMs: 24 * HOUR,
      nowMs: now(),
      learner: new ForecastLearner({ stepMs, coverage: 0.9, preferred: 'loadcast' }),
      ...change,
    });
  };
  /** Asks until the past is there. */
  const ready = async (change: Partial<PastRequest> = {}) => {
    while (!ask(change).ready) await systemClock.sleep(5);
  };
  return { clock, history, backfill, asked, ask, ready };
}

/** The server knows a value for each step: its index. */
const full = async (fromMs: number, toMs: number, stepMs: number): Promise<Observation<LoadSeries>> => {
  const startMs = Math.ceil(fromMs / stepMs) * stepMs;
  const values = Float64Array.from({ length: Math.floor((toMs - startMs) / stepMs) }, (_, i) => 10 + (i % 7));
  return known({ startMs, stepMs, values }, toMs);
};
const down = async () => unknown('Unreachable', 'refused', NOW);

test('the past is fetched once, seeds the calibration, and only then there is a forecast', async () => {
  const { ask, ready, history, asked } = setUp(full);
  const learner = new ForecastLearner({ stepMs: MINUTE, coverage: 0.9, preferred: 'loadcast' });
  expect(ask({ learner }).ready).toBe(false);
  await ready({ learner });
  ask({ learner });
  expect(asked).toEqual([{ fromMs: NOW - 6 * HOUR, toMs: NOW, stepMs: MINUTE }]);
  expect(history.span('k')?.known).toBe(360);
  expect(learner.realised('persistence', 2 * MINUTE).settled).toBeGreaterThan(200);
});

test('what cannot be back-filled waits for nothing', () => {
  const { ask, asked } = setUp(full);
  const target = { type: 'AverageValue', averageValue: '1' } as const;
  expect(ask({ metric: { type: 'Pods', pods: { metric: { name: 'rps' }, target } } }).ready).toBe(true);
  expect(asked).toEqual([]);
});

test('a server that is down delays the first forecast by one try, and is asked less and less often', async () => {
  const { ask, ready, asked, clock } = setUp(down);
  await ready();
  const minutes: number[] = [];
  for (let i = 0; i < 60; i++) {
    const before = asked.length;
    ask();
    if (asked.length > before) minutes.push(i);
    await clock.advance(0);
    await clock.advance(MINUTE);
  }
  expect(minutes).toEqual([1, 3, 7, 15, 31]);
});

test('another step is fetched anew, and what was stretched to it goes', async () => {
  const { ready, history, asked } = setUp(full);
  await ready({ stepMs: 5 * MINUTE });
  await ready({ stepMs: MINUTE });
  while (asked.length < 2 || history.window('k', NOW - MINUTE, MINUTE, 1)[0] !== 10 + (359 % 7))
    await systemClock.sleep(5);
  const last = history.window('k', NOW - MINUTE, MINUTE, 5);
  expect(new Set(last).size).toBe(5);
});

test('a longer past is fetched, a shorter one is there already', async () => {
  const { ready, asked } = setUp(full);
  await ready();
  await ready({ spanMs: 12 * HOUR });
  await ready({ spanMs: 2 * HOUR });
  expect(asked.map(({ fromMs }) => (NOW - fromMs) / HOUR)).toEqual([6, 12]);
});

test('an answer for a series that was forgotten meanwhile changes nothing', async () => {
  const late = Promise.withResolvers<void>();
  const { ask, history, backfill } = setUp(async (...range) => {
    await late.promise;
    return full(...range);
  });
  ask();
  backfill.forget('k');
  late.resolve();
  await systemClock.sleep(20);
  expect(history.span('k')).toBeUndefined();
});

test('in a replay the server is asked in real time and answers count in load time', async () => {
  const loadStart = Date.UTC(1995, 7, 1);
  const { ready, history, asked } = setUp(full, replayCalendar(NOW, loadStart, 60));
  await ready();
  expect(asked).toEqual([{ fromMs: NOW - 6 * MINUTE, toMs: NOW, stepMs: 1000 }]);
  expect(history.span('k')).toMatchObject({ firstMs: loadStart - 6 * HOUR, known: 360 });
});
