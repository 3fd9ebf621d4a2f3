import { describe, expect, test } from '@jest/globals';
import type { MetricSpec } from '../../api/index.ts';
import { type Calendar, realCalendar } from '../../clock.ts';
import { silentLogger } from '../../logger.ts';
import { prometheusRequest } from '../../metricsources/testing/requests.ts';
import { known, type Observation, unknown } from '../../observation.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { createSteps, roundStep } from './steps.ts';
import { queue } from './testing/stage.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test.each([
  [15_000, MINUTE],
  [MINUTE, MINUTE],
  [65_000, MINUTE],
  [70_000, 2 * MINUTE],
  [2 * MINUTE, 2 * MINUTE],
  [3 * MINUTE, 5 * MINUTE],
  [5 * MINUTE + 4_000, 5 * MINUTE],
  [24 * HOUR, HOUR],
])('a cadence of %i ms takes steps of %i ms', (cadence, step) => {
  expect(roundStep(cadence, MINUTE)).toBe(step);
});

test('nothing is finer than the administrator’s default', () => {
  expect(roundStep(15_000, 10 * MINUTE)).toBe(10 * MINUTE);
  expect(roundStep(15_000, 30_000)).toBe(30_000);
  expect(roundStep(45_000, 30_000)).toBe(MINUTE);
});

interface SetUp {
  readonly cadence?: () => Promise<Observation<number>>;
  readonly learnedStepMs?: number;
  readonly calendar?: Calendar;
}

function setUp(metric: MetricSpec, options: SetUp = {}) {
  const clock = new FakeClock();
  let asked = 0;
  const steps = createSteps({
    sources: {
      canBackfill: ({ type }) => type === 'Prometheus',
      cadence: () => {
        asked += 1;
        return options.cadence?.() ?? Promise.reject(new Error('never asked'));
      },
    },
    clock,
    calendar: options.calendar ?? realCalendar,
    log: silentLogger,
    defaultStepMs: MINUTE,
    random: () => 0.5,
    signal: new AbortController().signal,
  });
  const of = (sampledAtMs?: number) =>
    steps.stepOf({
      seriesKey: 'u1/m',
      namespace: 'shop',
      metric,
      podSelector: 'app=web',
      sampledAtMs,
      learnedStepMs: options.learnedStepMs,
    });
  /** Looks once and lets the answer come. */
  const settled = async () => {
    of();
    await clock.advance(0);
    return of();
  };
  return { clock, steps, of, settled, asked: () => asked };
}

describe('a metric of Prometheus', () => {
  const { metric } = prometheusRequest();
  const cadence = (ms: number) => known(ms, 0);

  test('has no step until the server was asked, then its cadence’s', async () => {
    const { of, settled, asked } = setUp(metric, { cadence: async () => cadence(5 * MINUTE) });
    expect(of()).toBeUndefined();
    expect(await settled()).toBe(5 * MINUTE);
    expect(asked()).toBe(1);
  });

  test('that cannot be asked is taken in steps of a minute, and asked again', async () => {
    let answer: Observation<number> = unknown('Unreachable', 'refused', 0);
    const { clock, settled } = setUp(metric, { cadence: async () => answer });
    expect(await settled()).toBe(MINUTE);
    answer = cadence(2 * MINUTE);
    await clock.advance(30 * MINUTE);
    // Known by now, so a first answer is a doubt and the second one decides.
    expect(await settled()).toBe(MINUTE);
    await clock.advance(30 * MINUTE);
    expect(await settled()).toBe(2 * MINUTE);
  });

  test('does not follow one odd answer', async () => {
    const answers = [MINUTE, 10 * MINUTE, MINUTE, 10 * MINUTE, MINUTE];
    const { clock, settled } = setUp(metric, { cadence: async () => cadence(answers.shift() ?? MINUTE) });
    for (let i = 0; i < 6; i++) {
      // oxlint-disable-next-line no-await-in-loop -- time goes on between two looks
      expect(await settled()).toBe(MINUTE);
      // oxlint-disable-next-line no-await-in-loop
      await clock.advance(9 * HOUR);
    }
  });

  test('goes on after a restart with the step that its learning belongs to', () => {
    const { of } = setUp(metric, { learnedStepMs: 5 * MINUTE, cadence: () => new Promise(() => undefined) });
    expect(of()).toBe(5 * MINUTE);
  });

  test('replayed fast, its cadence counts in load time', async () => {
    const calendar = { factor: 60, fromReal: (ms: number) => 60 * ms, toReal: (ms: number) => ms / 60 };
    const { settled } = setUp(metric, { calendar, cadence: async () => cadence(5_000) });
    expect(await settled()).toBe(5 * MINUTE);
  });
});

describe('a metric whose samples carry their time', () => {
  const metric = queue() as MetricSpec;

  /** The steps at each look of 15 s, when a sample comes every `everyMs`. */
  function watched(everyMs: (atMs: number) => number, forMs: number, learnedStepMs?: number) {
    const { of } = setUp(metric, learnedStepMs === undefined ? {} : { learnedStepMs });
    const seen: (number | undefined)[] = [];
    let stampMs = 0;
    for (let at = 0; at < forMs; at += 15_000) {
      if (at - stampMs >= everyMs(at)) stampMs = at;
      seen.push(of(stampMs));
    }
    return seen;
  }

  test('is taken in steps of a minute at once, and keeps them at 15 s', () => {
    expect(new Set(watched(() => 15_000, HOUR))).toEqual(new Set([MINUTE]));
  });

  test('takes longer steps when sample after sample says so', () => {
    const steps = watched(() => 5 * MINUTE, 2 * HOUR);
    expect(steps[0]).toBe(MINUTE);
    expect(steps.at(-1)).toBe(5 * MINUTE);
    expect(steps.filter((step, i) => step !== steps[i - 1])).toHaveLength(2);
  });

  test('is not moved by an outage or by samples that were missed', () => {
    const gappy = (at: number) =>
      at > HOUR && at < 2 * HOUR ? 40 * MINUTE : at % 7 === 0 ? 3 * MINUTE : MINUTE;
    expect(new Set(watched(gappy, 4 * HOUR))).toEqual(new Set([MINUTE]));
  });

  test('an outage tells nothing', () => {
    const { of } = setUp(metric);
    for (let i = 0; i < 20; i++) expect(of(undefined)).toBe(MINUTE);
  });

  test('a step of a spec that named one is not kept unless it is a round one', () => {
    expect(watched(() => 15_000, MINUTE, 30_000)[0]).toBe(MINUTE);
    expect(watched(() => 15_000, MINUTE, 5 * MINUTE)[0]).toBe(5 * MINUTE);
  });
});
