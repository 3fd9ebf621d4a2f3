/** The chain as a whole: what the modes, the rungs and the breakers make of one situation. */
import { describe, expect, test } from '@jest/globals';
import { known, unknown } from '../observation.ts';
import { decide } from './decide.ts';
import {
  cpu,
  DEFAULT_BEHAVIOR,
  external,
  forecast,
  input,
  lost,
  MINUTE,
  NOW,
  perPod,
  pods,
  rules,
  SECOND,
  spec,
  total,
  unreadable,
} from './fixtures.ts';
import { DEFAULT_OUTLIER_CONFIG } from './guards/outlier.ts';
import { metricKey } from './observe.ts';
import type { Decision, DecisionInput, DecisionSpec, Mode } from './types.ts';

const seen = (load: number) => known(forecast(load), NOW);
const active = (change: Partial<DecisionSpec> = {}) => spec({ mode: 'Active', ...change });
const condition = (decision: Decision, type: string) =>
  decision.conditions.find((each) => each.type === type);
const outcome = ({ desiredReplicas, boundBy, rung }: Decision) => [desiredReplicas, boundBy, rung];

describe('modes', () => {
  // 5 replicas at their target; the forecast sees 900, which are 9 replicas.
  test.each<[Mode, number, boolean, string]>([
    ['Recommend', 9, false, 'Recommend'],
    ['Reactive', 5, false, 'Reactive'],
    ['Shadow', 5, false, 'Shadow'],
    ['Active', 9, true, 'Active'],
    ['Auto', 5, false, 'Shadow'],
  ])('%s', (mode, desired, write, inForce) => {
    const decision = decide(input(5, { spec: spec({ mode }), forecast: seen(900) }));
    expect(decision).toMatchObject({ desiredReplicas: desired, write, mode: { asked: mode, inForce } });
    // Every mode tells what the forecast would need.
    expect(decision.forecast).toMatchObject({ kind: 'known', replicas: 9 });
  });

  test('Auto says why it only watches', () => {
    const { mode, explanation } = decide(input(5, { spec: spec({ mode: 'Auto' }) }));
    expect(mode.note).toContain('until there is a verdict');
    expect(explanation.sentence).toContain('Auto acts as Shadow');
  });

  test.each([
    ['Active', 9, 'Active', 'does better than HPA'],
    ['Shadow', 5, 'Shadow', 'no better than HPA'],
    ['Undecided', 5, 'Shadow', 'until there is a verdict'],
  ] as const)('Auto goes by the verdict: %s', (verdict, desired, inForce, note) => {
    const auto = { spec: spec({ mode: 'Auto' as const }), forecast: seen(900), verdict };
    const decision = decide(input(5, auto));
    expect(decision).toMatchObject({ desiredReplicas: desired, mode: { asked: 'Auto', inForce } });
    expect(decision.mode.note).toContain(note);
    // No verdict makes a mode of somebody's choice another one.
    expect(decide(input(5, { ...auto, spec: spec({ mode: 'Shadow' }) })).desiredReplicas).toBe(5);
  });

  test('Reactive is HPA even where a guard would step in; Shadow keeps the guard', () => {
    const spike = (mode: Mode) =>
      decide(
        input(5, {
          spec: spec({ mode }),
          readings: [total(500_000)],
          guards: { outlier: DEFAULT_OUTLIER_CONFIG },
          memory: {
            recommendations: [],
            scaleUps: [],
            scaleDowns: [],
            outliers: {
              [metricKey(external('AverageValue', 100))]: { acceptedMilli: 500_000, acceptedAtMs: 0 },
            },
            unknownSinceMs: null,
          },
        }),
      );
    expect(outcome(spike('Reactive'))).toEqual([10, 'ScaleUpLimit', 'None']);
    expect(outcome(spike('Shadow'))).toEqual([5, 'Hold', 'Hold']);
    expect(condition(spike('Shadow'), 'MetricsDegraded')).toMatchObject({ reason: 'OutOfRange' });
  });
});

describe('combine', () => {
  const capacity = { ...external('AverageValue', 100), capacityMilli: 200_000 };

  test.each([
    ['Availability never runs fewer than HPA would', 'Availability', 100, 8, 'Reactive'],
    ['Availability raises for the forecast', 'Availability', 2_000, 10, 'Forecast'],
    ['Efficiency goes down to what the capacity carries', 'Efficiency', 100, 4, 'Reactive'],
    ['Efficiency keeps what the forecast needs', 'Efficiency', 1_000, 5, 'Forecast'],
  ] as const)('%s', (_, objective, load, desired, boundBy) => {
    const decision = decide(
      input(8, {
        spec: active({ objective, metrics: [capacity] }),
        readings: [total(800)],
        forecast: seen(load),
      }),
    );
    expect([decision.desiredReplicas, decision.boundBy]).toEqual([desired, boundBy]);
  });

  test('Efficiency without a forecast is as careful as HPA', () => {
    const decision = decide(
      input(8, { spec: active({ objective: 'Efficiency', metrics: [capacity] }), readings: [total(800)] }),
    );
    expect(outcome(decision)).toEqual([8, 'Reactive', 'ReactiveOnly']);
  });

  test('Efficiency keeps the target of a metric that nobody forecasts', () => {
    const decision = decide(
      input(8, {
        spec: active({ objective: 'Efficiency', metrics: [capacity, capacity] }),
        readings: [total(100), total(800)],
        forecast: known(forecast(100, undefined), NOW),
      }),
    );
    expect(decision.desiredReplicas).toBe(8);
  });

  test('Efficiency turns a capacity in cores into a utilization', () => {
    const metrics = [{ ...cpu(50), capacityMilli: 80 }]; // 80 % of the request of 100m
    const at = (objective: 'Availability' | 'Efficiency') =>
      decide(
        input(8, {
          spec: active({ objective, metrics }),
          readings: [perPod([40, 40, 40, 40, 40, 40, 40, 40])],
          forecast: known(
            {
              ...forecast(0),
              paths: [{ originMs: NOW, stepMs: MINUTE, loadMilli: Float64Array.of(320, 320) }],
            },
            NOW,
          ),
        }),
      ).desiredReplicas;
    expect([at('Availability'), at('Efficiency')]).toEqual([7, 4]);
  });
});

describe('degrade, with the metrics known', () => {
  const given = { spec: active(), readings: [total(500)], forecast: lost() };
  test.each<[string, Partial<DecisionInput>, unknown[]]>([
    ['the last forecast stands in', { lastForecast: forecast(900) }, [9, 'LastForecast', 'LastForecast']],
    [
      'but only inside its own horizon',
      {
        lastForecast: forecast(900),
        window: { fromMs: NOW + 59 * MINUTE, toMs: NOW + 61 * MINUTE },
        seasonalProfile: {
          ...forecast(0),
          paths: [{ originMs: NOW, stepMs: 60 * MINUTE, loadMilli: Float64Array.of(1, 700_000, 1) }],
        },
      },
      [7, 'SeasonalProfile', 'SeasonalProfile'],
    ],
    [
      'the seasonal profile comes after it',
      { seasonalProfile: forecast(800) },
      [8, 'SeasonalProfile', 'SeasonalProfile'],
    ],
    ['then the reactive rule is alone', {}, [5, 'Reactive', 'ReactiveOnly']],
  ])('%s', (_, change, expected) => {
    expect(outcome(decide(input(5, { ...given, ...change })))).toEqual(expected);
  });
});

describe('degrade, with a metric unknown', () => {
  const fallback = { replicas: 8, afterMs: 10 * MINUTE };
  const outage = (change: Partial<DecisionInput>, since = NOW - 20 * MINUTE): Decision =>
    decide(input(5, { spec: active({ fallback }), readings: [lost(since)], forecast: lost(), ...change }));

  test.each<[string, Partial<DecisionInput>, unknown[]]>([
    ['a fresh forecast may raise', { forecast: seen(900) }, [9, 'Forecast', 'Forecast']],
    ['and may not lower', { forecast: seen(100) }, [5, 'Hold', 'Forecast']],
    ['the last forecast may raise', { lastForecast: forecast(700) }, [7, 'LastForecast', 'LastForecast']],
    ['the profile may raise', { seasonalProfile: forecast(600) }, [6, 'SeasonalProfile', 'SeasonalProfile']],
    [
      'a profile that needs less still is the rung',
      { seasonalProfile: forecast(300) },
      [5, 'Hold', 'SeasonalProfile'],
    ],
    ['then the fallback raises', {}, [8, 'Fallback', 'Fallback']],
    ['it never lowers', { specReplicas: 9 }, [9, 'Hold', 'Fallback']],
  ])('%s', (_, change, expected) => {
    expect(outcome(outage(change))).toEqual(expected);
  });

  test('the fallback waits for its time', () => {
    expect(outcome(outage({}, NOW - 9 * MINUTE))).toEqual([5, 'Hold', 'Hold']);
    expect(outcome(outage({}, NOW - 10 * MINUTE))).toEqual([8, 'Fallback', 'Fallback']);
  });

  test('the time of the outage outlives a restart that lost the sources’ own memory of it', () => {
    const before = outage({}, NOW - 9 * MINUTE).memory;
    const after = outage({ memory: before, nowMs: NOW + 2 * MINUTE }, NOW + MINUTE);
    expect(outcome(after)).toEqual([8, 'Fallback', 'Fallback']);
  });

  test('a restart with nothing remembered holds what runs in the cluster', () => {
    expect(outcome(outage({ memory: undefined, specReplicas: 17 }, NOW))).toEqual([17, 'Hold', 'Hold']);
  });

  test('known metrics may still raise, as in HPA, but not lower', () => {
    const two = active({ metrics: [external('AverageValue', 100), external('AverageValue', 100)] });
    const partly = (load: number) =>
      decide(input(5, { spec: two, readings: [lost(), total(load)], forecast: lost() }));
    expect(outcome(partly(800))).toEqual([8, 'Reactive', 'PartialMetrics']);
    expect(outcome(partly(100))).toEqual([5, 'Hold', 'Hold']);
  });

  test('a known answer that no pod can be counted for is unknown too', () => {
    const decision = decide(
      input(5, {
        spec: active({ metrics: [cpu(50)] }),
        pods: pods(5, unreadable),
        readings: [perPod([1, 1])],
      }),
    );
    expect(outcome(decision)).toEqual([5, 'Hold', 'Hold']);
    expect(condition(decision, 'MetricsDegraded')).toMatchObject({ reason: 'FailedGetResourceMetric' });
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, -1])('%p in a known reading is unknown', (milli) => {
    const reading = known({ form: 'total', milli, series: 1 } as const, NOW);
    expect(outcome(decide(input(5, { readings: [reading] })))).toEqual([5, 'Hold', 'Hold']);
    const samples = new Map([['p0', { milli, at: NOW, windowMs: 0 }]]);
    const perPodReading = known({ form: 'perPod', samples } as const, NOW);
    const change = { spec: spec({ metrics: [cpu(50)] }), readings: [perPodReading] };
    expect(outcome(decide(input(5, change)))).toEqual([5, 'Hold', 'Hold']);
  });

  test('Shadow and Reactive use no forecast in an outage, but do use the fallback', () => {
    for (const mode of ['Shadow', 'Reactive'] as const) {
      const change = { spec: spec({ mode, fallback }), forecast: seen(2_000) };
      expect(outcome(outage(change, NOW))).toEqual([5, 'Hold', 'Hold']);
      expect(outcome(outage(change))).toEqual([8, 'Fallback', 'Fallback']);
    }
  });

  test('after an outage the first low look is stabilised, except in Reactive, which is HPA', () => {
    const after = (mode: Mode) => {
      const held = outage({ spec: spec({ mode }), specReplicas: 10 });
      return decide(
        input(10, {
          spec: spec({ mode }),
          readings: [total(100)],
          memory: held.memory,
          nowMs: NOW + 15 * SECOND,
        }),
      );
    };
    expect(outcome(after('Active'))[0]).toBe(10);
    expect(outcome(after('Shadow'))[0]).toBe(10);
    expect(outcome(after('Reactive'))[0]).toBe(1);
  });
});

describe('bounds', () => {
  const sale = { name: 'sale', minReplicas: 10, maxReplicas: 12, untilMs: NOW + MINUTE };

  test('a schedule raises the floor at once, past every policy', () => {
    const slow = rules({ policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] });
    const behavior = { ...DEFAULT_BEHAVIOR, scaleUp: slow };
    const decision = decide(input(5, { spec: spec({ behavior }), activeSchedules: [sale] }));
    expect(outcome(decision)).toEqual([10, 'Schedule', 'None']);
  });

  test('inside its bounds it limits what the metrics ask for', () => {
    const decision = decide(input(11, { readings: [total(5_000)], activeSchedules: [sale] }));
    expect(outcome(decision)).toEqual([12, 'Schedule', 'None']);
    expect(condition(decision, 'ScalingLimited')).toMatchObject({ reason: 'TooManyReplicas' });
  });

  test('a scheduled ceiling lowers only on known load, the spec’s own always', () => {
    const known20 = input(20, { activeSchedules: [sale] });
    expect(outcome(decide(known20))).toEqual([12, 'Schedule', 'None']);
    expect(outcome(decide({ ...known20, readings: [lost()] }))).toEqual([20, 'Hold', 'Hold']);
    const low = { ...known20, spec: spec({ maxReplicas: 15 }), readings: [lost()] };
    expect(outcome(decide(low))).toEqual([15, 'Max', 'None']);
  });

  test('a target at zero is left alone, as people switched it off', () => {
    const decision = decide(input(0, { readings: [total(500)], forecast: seen(900), spec: active() }));
    expect(outcome(decision)).toEqual([0, 'Disabled', 'None']);
    expect(condition(decision, 'ScalingActive')).toMatchObject({
      status: 'False',
      reason: 'ScalingDisabled',
    });
  });
});

describe('breakers', () => {
  const rising = input(10, { readings: [total(2_000)] });

  test.each<[string, Partial<DecisionInput>, unknown[]]>([
    ['largest step', { guards: { largestStep: 3 } }, [13, 'StepLimit', 'None']],
    ['a step that is large enough', { guards: { largestStep: 30 } }, [20, 'Reactive', 'None']],
    ['creations', { guards: { creationsLeft: 2 } }, [12, 'CreationLimit', 'None']],
    ['no creation left', { guards: { creationsLeft: 0 } }, [10, 'CreationLimit', 'None']],
    ['the narrower of both', { guards: { largestStep: 5, creationsLeft: 2 } }, [12, 'CreationLimit', 'None']],
    ['global pause', { guards: { globalPause: true } }, [10, 'GlobalPause', 'None']],
    ['pause of the object', { spec: spec({ paused: true }) }, [10, 'Pause', 'None']],
    ['freeze', { guards: { frozen: true } }, [10, 'Freeze', 'None']],
    [
      'a pause beats the bounds',
      { specReplicas: 200, guards: { globalPause: true } },
      [200, 'GlobalPause', 'None'],
    ],
  ])('%s', (_, change, expected) => {
    expect(outcome(decide({ ...rising, ...change }))).toEqual(expected);
  });

  test('the creation budget does not slow a scale-down', () => {
    const falling = input(10, { readings: [total(200)], guards: { creationsLeft: 0 } });
    expect(decide(falling)).toMatchObject({ desiredReplicas: 2, creations: 0 });
  });

  test('say so in the conditions', () => {
    expect(condition(decide({ ...rising, guards: { frozen: true } }), 'AbleToScale')).toMatchObject({
      status: 'False',
      reason: 'Frozen',
    });
    expect(condition(decide({ ...rising, guards: { largestStep: 1 } }), 'ScalingLimited')).toMatchObject({
      status: 'True',
      reason: 'ScaleUpLimit',
    });
  });
});

describe('conditions have HPA’s names', () => {
  test.each<[string, Partial<DecisionInput>, Record<string, [string, string]>]>([
    [
      'nothing special',
      {},
      {
        AbleToScale: ['True', 'ReadyForNewScale'],
        ScalingActive: ['True', 'ValidMetricFound'],
        ScalingLimited: ['False', 'DesiredWithinRange'],
        MetricsDegraded: ['False', 'MetricsKnown'],
      },
    ],
    [
      'an unknown metric',
      { readings: [unknown('Stale', 'an hour old', NOW)] },
      {
        AbleToScale: ['True', 'SucceededGetScale'],
        ScalingActive: ['False', 'FailedGetExternalMetric'],
        MetricsDegraded: ['True', 'StaleMetrics'],
      },
    ],
    [
      'a selector that two objects share',
      { selectorProblem: { reason: 'AmbiguousSelector', message: 'a and b' } },
      { ScalingActive: ['False', 'AmbiguousSelector'] },
    ],
    [
      'too many',
      { readings: [total(900)], spec: spec({ maxReplicas: 6 }) },
      { ScalingLimited: ['True', 'TooManyReplicas'] },
    ],
    [
      'too few',
      { readings: [total(0)], spec: spec({ minReplicas: 2 }) },
      { ScalingLimited: ['True', 'TooFewReplicas'] },
    ],
    ['too fast', { readings: [total(9_000)] }, { ScalingLimited: ['True', 'ScaleUpLimit'] }],
    [
      'too fast down',
      {
        readings: [total(0)],
        spec: spec({
          behavior: {
            ...DEFAULT_BEHAVIOR,
            scaleDown: rules({ policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] }),
          },
        }),
      },
      { ScalingLimited: ['True', 'ScaleDownLimit'] },
    ],
    [
      'stabilised down',
      { readings: [total(100)], memory: undefined },
      { AbleToScale: ['True', 'ScaleDownStabilized'] },
    ],
    [
      'stabilised up',
      {
        readings: [total(900)],
        memory: undefined,
        spec: spec({ behavior: { ...DEFAULT_BEHAVIOR, scaleUp: rules({ stabilizationWindowSeconds: 60 }) } }),
      },
      { AbleToScale: ['True', 'ScaleUpStabilized'] },
    ],
  ])('%s', (_, change, expected) => {
    const decision = decide(input(5, change));
    for (const [type, [status, reason]] of Object.entries(expected)) {
      expect(condition(decision, type)).toMatchObject({ status, reason });
    }
  });

  test('outside the bounds ScalingActive and ScalingLimited keep what they had', () => {
    const types = decide(input(200)).conditions.map(({ type }) => type);
    expect(types).toEqual(['AbleToScale', 'MetricsDegraded']);
  });
});

describe('the explanation', () => {
  const sentence = (change: Partial<DecisionInput>) => decide(input(5, change)).explanation.sentence;

  test.each<[string, Partial<DecisionInput>, string]>([
    ['no move', {}, 'Keeps 5 replicas: the reactive rule (external metric queue_len).'],
    [
      'a rise by forecast',
      { spec: active(), forecast: seen(900) },
      'Raises from 5 to 9 replicas: the forecast (forecast load over the lead time at 99 % coverage).',
    ],
    [
      'a move cut short',
      { readings: [total(9_000)] },
      'Raises from 5 to 10 replicas: the reactive rule (external metric queue_len) asked for 90, the limit of doubling made it 10 (without spec.behavior at most double, or four).',
    ],
    ['a hold', { readings: [lost()] }, 'Keeps 5 replicas: holding (metrics are unknown).'],
    [
      'a recommendation',
      { spec: spec({ mode: 'Recommend' }), readings: [total(100)] },
      'Would lower from 5 to 1 replica: the reactive rule (external metric queue_len; no forecast). Recommend writes nothing to the target.',
    ],
  ])('%s', (_, change, expected) => {
    expect(sentence(change)).toBe(expected);
  });

  test('holds the inputs and every step', () => {
    const decision = decide(input(5, { readings: [total(9_000)], guards: { largestStep: 2 } }));
    expect(decision.explanation.inputs).toMatchObject({
      specReplicas: 5,
      pods: { total: 5, ready: 5 },
      readings: [{ kind: 'total', milli: 9_000_000 }],
    });
    expect(decision.explanation.steps.map(({ step, from, to }) => [step, from, to])).toEqual([
      ['Reactive', 5, 90],
      ['ScaleUpLimit', 90, 10],
      ['StepLimit', 10, 7],
    ]);
  });

  test.each<[Partial<DecisionInput>, string]>([
    [{ readings: [total(900)] }, 'external metric queue_len above target'],
    [{ readings: [total(100)] }, 'All metrics below target'],
    [{ specReplicas: 200 }, 'Current number of replicas above Spec.MaxReplicas'],
    [{}, ''],
  ])('the event’s reason is HPA’s', (change, reason) => {
    expect(decide(input(5, change)).rescaleReason).toBe(reason);
  });
});
