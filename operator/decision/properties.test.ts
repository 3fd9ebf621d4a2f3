/** What must hold for any input at all, tried on thousands of random ones. */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { known, type MetricReading, type Observation, type UnknownReason, unknown } from '../observation.ts';
import { decide } from './decide.ts';
import { MINUTE, NOW, input as plainInput, SECOND } from './fixtures.ts';
import { firstSight, recordScale } from './memory.ts';
import type {
  BehaviorPlan,
  DecisionInput,
  DecisionMemory,
  ForecastInput,
  MetricPlan,
  PodView,
  ScalingRulesPlan,
} from './types.ts';

const MAX_REPLICAS = 60;
const replicas = fc.integer({ min: 1, max: MAX_REPLICAS });
const past = fc.integer({ min: 0, max: 30 * MINUTE }).map((ago) => NOW - ago);

const policy = fc.record({
  type: fc.constantFrom('Pods' as const, 'Percent' as const),
  value: fc.integer({ min: 1, max: 150 }),
  periodSeconds: fc.integer({ min: 1, max: 1800 }),
});
const scalingRules: fc.Arbitrary<ScalingRulesPlan> = fc.record(
  {
    stabilizationWindowSeconds: fc.integer({ min: 0, max: 3600 }),
    selectPolicy: fc.constantFrom('Max' as const, 'Min' as const, 'Disabled' as const),
    policies: fc.array(policy, { minLength: 1, maxLength: 3 }),
    tolerance: fc.double({ min: 0, max: 0.5, noNaN: true }),
  },
  { requiredKeys: ['stabilizationWindowSeconds', 'selectPolicy', 'policies'] },
);
const behavior: fc.Arbitrary<BehaviorPlan> = fc.record({ scaleUp: scalingRules, scaleDown: scalingRules });

const metric: fc.Arbitrary<MetricPlan> = fc.oneof(
  fc.record({
    type: fc.constantFrom('External' as const, 'Prometheus' as const, 'Object' as const),
    name: fc.constantFrom('queue', 'rps'),
    target: fc.record({
      kind: fc.constantFrom('Value' as const, 'AverageValue' as const),
      milli: fc.integer({ min: 1, max: 1_000_000 }),
    }),
  }),
  fc.record({
    type: fc.constantFrom('Resource' as const),
    name: fc.constantFrom('cpu', 'memory'),
    target: fc.record({
      kind: fc.constant('Utilization' as const),
      percent: fc.integer({ min: 1, max: 200 }),
    }),
  }),
  fc.record({
    type: fc.constantFrom('Pods' as const),
    name: fc.constant('rps'),
    target: fc.record({
      kind: fc.constant('AverageValue' as const),
      milli: fc.integer({ min: 1, max: 9999 }),
    }),
  }),
);

const podOf = (index: number): fc.Arbitrary<PodView> =>
  fc.record(
    {
      name: fc.constant(`p${index}`),
      phase: fc.constantFrom('Running', 'Running', 'Running', 'Pending', 'Failed'),
      deleting: fc.boolean(),
      startTimeMs: past,
      ready: fc.record({
        status: fc.constantFrom('True', 'True', 'False', 'Unknown'),
        lastTransitionMs: past,
      }),
      containers: fc.constantFrom(
        [{ name: 'app', requestsMilli: { cpu: 100, memory: 5_000 } }],
        [{ name: 'app', requestsMilli: {} }],
      ),
    },
    { requiredKeys: ['name', 'phase', 'deleting', 'containers'] },
  );

const REASONS: readonly UnknownReason[] = ['NoData', 'Stale', 'NotANumber', 'Timeout', 'NotRead'];
const lost: fc.Arbitrary<Observation<never>> = fc
  .record({
    reason: fc.constantFrom(...REASONS),
    since: past,
  })
  .map(({ reason, since }) => unknown(reason, 'gone', since));

function readingFor(plan: MetricPlan, podCount: number): fc.Arbitrary<Observation<MetricReading>> {
  if (plan.type === 'Resource' || plan.type === 'Pods') {
    return fc
      .array(fc.option(fc.integer({ min: 0, max: 20_000 })), { minLength: podCount, maxLength: podCount })
      .map((values) => {
        const samples = new Map(
          values.flatMap((milli, index) =>
            milli === null ? [] : [[`p${index}`, { milli, at: NOW, windowMs: 30 * SECOND }] as const],
          ),
        );
        return known({ form: 'perPod', samples }, NOW);
      });
  }
  return fc
    .integer({ min: 0, max: 100_000_000 })
    .map((milli) => known({ form: 'total', milli, series: 1 }, NOW));
}

const forecastOf = (metrics: readonly MetricPlan[]): fc.Arbitrary<ForecastInput> =>
  fc.record({
    paths: fc.tuple(
      ...metrics.map(() =>
        fc.option(
          fc.record({
            originMs: fc.constantFrom(NOW, NOW - 20 * MINUTE, NOW - 200 * MINUTE),
            stepMs: fc.constant(MINUTE),
            loadMilli: fc
              .array(fc.oneof(fc.integer({ min: 0, max: 90_000_000 }), fc.constant(Number.NaN)), {
                minLength: 1,
                maxLength: 64,
              })
              .map((values) => Float64Array.from(values)),
          }),
          { nil: undefined },
        ),
      ),
    ),
    model: fc.constant({ name: 'm', version: '1', digest: 'd' }),
    coverage: fc.constant(0.99),
  });

const events = fc.array(fc.record({ change: fc.integer({ min: 1, max: 20 }), atMs: past }), { maxLength: 5 });
const memory: fc.Arbitrary<DecisionMemory> = fc.record({
  recommendations: fc.array(fc.record({ replicas, atMs: past }), { maxLength: 8 }),
  scaleUps: events,
  scaleDowns: events,
  outliers: fc.constant({}),
  unknownSinceMs: fc.option(past),
});

/** Any spec, any pods, any readings: the last argument says which readings may be lost. */
function anyInput(losing: 'any' | 'none' | 'some'): fc.Arbitrary<DecisionInput> {
  return fc
    .record({
      metrics: fc.array(metric, { minLength: 1, maxLength: 3 }),
      bounds: fc.tuple(replicas, replicas).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const),
      current: fc.integer({ min: 1, max: MAX_REPLICAS }),
    })
    .chain(({ metrics, bounds: [minReplicas, maxReplicas], current }) =>
      fc
        .record({
          mode: fc.constantFrom('Recommend', 'Reactive', 'Shadow', 'Active', 'Auto'),
          objective: fc.constantFrom('Availability', 'Efficiency'),
          behavior: fc.option(behavior, { nil: undefined }),
          fallback: fc.option(fc.record({ replicas, afterMs: fc.constantFrom(0, 10 * MINUTE) }), {
            nil: undefined,
          }),
          pods: fc.tuple(...Array.from({ length: Math.min(current, 6) }, (_, index) => podOf(index))),
          readings: fc.tuple(
            ...metrics.map((plan) =>
              losing === 'none'
                ? readingFor(plan, Math.min(current, 6))
                : fc.oneof(readingFor(plan, Math.min(current, 6)), lost),
            ),
          ),
          lostIndex: fc.nat({ max: metrics.length - 1 }),
          lostReading: lost,
          forecast: fc.oneof(
            forecastOf(metrics).map((value) => known(value, NOW)),
            lost,
          ),
          lastForecast: fc.option(forecastOf(metrics), { nil: undefined }),
          seasonalProfile: fc.option(forecastOf(metrics), { nil: undefined }),
          learned: fc.tuple(
            ...metrics.map(() => fc.option(fc.integer({ min: 1, max: 1_000_000 }), { nil: undefined })),
          ),
          schedules: fc.array(
            fc.record({
              name: fc.constant('sale'),
              minReplicas: fc.integer({ min: minReplicas, max: maxReplicas }),
              maxReplicas: fc.integer({ min: minReplicas, max: maxReplicas }),
              untilMs: fc.constant(NOW + MINUTE),
            }),
            { maxLength: 2 },
          ),
          largestStep: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
          creationsLeft: fc.option(fc.integer({ min: 0, max: 30 }), { nil: undefined }),
          memory: fc.option(memory, { nil: undefined }),
        })
        .map((drawn): DecisionInput => {
          const readings = drawn.readings.map((reading, index) =>
            losing === 'some' && index === drawn.lostIndex ? drawn.lostReading : reading,
          );
          const { fallback, largestStep, creationsLeft, lastForecast, seasonalProfile } = drawn;
          return {
            ...plainInput(current),
            spec: {
              mode: drawn.mode,
              objective: drawn.objective,
              minReplicas,
              maxReplicas,
              metrics,
              ...(drawn.behavior === undefined ? {} : { behavior: drawn.behavior }),
              ...(fallback === undefined
                ? {}
                : {
                    fallback: {
                      ...fallback,
                      replicas: Math.min(Math.max(fallback.replicas, minReplicas), maxReplicas),
                    },
                  }),
            },
            pods: drawn.pods,
            readings,
            forecast: drawn.forecast,
            ...(lastForecast === undefined ? {} : { lastForecast }),
            ...(seasonalProfile === undefined ? {} : { seasonalProfile }),
            learnedCapacityMilli: drawn.learned,
            activeSchedules: drawn.schedules,
            guards: {
              ...(largestStep === undefined ? {} : { largestStep }),
              ...(creationsLeft === undefined ? {} : { creationsLeft }),
            },
            memory: drawn.memory,
          };
        }),
    );
}

const RUNS = { numRuns: 400 };

describe('for any input', () => {
  test('a target inside [min, max] stays inside, one outside never moves further out', () => {
    fc.assert(
      fc.property(anyInput('any'), (input) => {
        const { minReplicas: min, maxReplicas: max } = input.spec;
        const desired: number = decide(input).desiredReplicas;
        expect(Number.isInteger(desired)).toBe(true);
        const away = (count: number) => Math.max(min - count, count - max, 0);
        expect(away(desired)).toBeLessThanOrEqual(away(input.specReplicas));
      }),
      RUNS,
    );
  });

  test('with a metric unknown it never goes down, unless maxReplicas itself orders it', () => {
    fc.assert(
      fc.property(anyInput('some'), (input) => {
        const floor = Math.min(input.specReplicas, input.spec.maxReplicas);
        expect(decide(input).desiredReplicas).toBeGreaterThanOrEqual(floor);
      }),
      RUNS,
    );
  });

  test('the largest step and the creation budget are kept', () => {
    fc.assert(
      fc.property(anyInput('any'), (input) => {
        const { largestStep = Number.POSITIVE_INFINITY, creationsLeft = Number.POSITIVE_INFINITY } =
          input.guards;
        const change = decide(input).desiredReplicas - input.specReplicas;
        expect(Math.abs(change)).toBeLessThanOrEqual(largestStep);
        expect(change).toBeLessThanOrEqual(creationsLeft);
      }),
      RUNS,
    );
  });

  test('it is deterministic, survives JSON, and a memory that went through JSON decides the same', () => {
    fc.assert(
      fc.property(anyInput('any'), (input) => {
        const decision = decide(input);
        const text = JSON.stringify(decision);
        expect(JSON.stringify(decide(input))).toBe(text);
        expect(JSON.parse(text)).toEqual(decision);
        const next = { ...input, nowMs: input.nowMs + 15 * SECOND, memory: decision.memory };
        const stored = JSON.parse(JSON.stringify(decision.memory)) as DecisionMemory;
        expect(decide({ ...next, memory: stored })).toEqual(decide(next));
      }),
      { numRuns: 200 },
    );
  });

  test('a pause of any kind writes nothing', () => {
    fc.assert(
      fc.property(anyInput('any'), fc.constantFrom('globalPause', 'paused', 'frozen'), (input, kind) => {
        const paused: DecisionInput =
          kind === 'paused'
            ? { ...input, spec: { ...input.spec, paused: true } }
            : { ...input, guards: { ...input.guards, [kind]: true } };
        expect(decide(paused)).toMatchObject({ desiredReplicas: input.specReplicas, write: false });
      }),
      { numRuns: 100 },
    );
  });

  test('in Availability and Active, with all metrics known, it is never below what Reactive would run', () => {
    fc.assert(
      fc.property(anyInput('none'), (input) => {
        const as = (mode: 'Active' | 'Reactive') =>
          decide({ ...input, spec: { ...input.spec, mode, objective: 'Availability' } });
        expect(as('Active').desiredReplicas).toBeGreaterThanOrEqual(as('Reactive').desiredReplicas);
      }),
      RUNS,
    );
  });

  test('more load never asks for fewer replicas', () => {
    fc.assert(
      fc.property(
        anyInput('none'),
        fc.integer({ min: 1, max: 50_000_000 }),
        fc.constantFrom('Value' as const, 'AverageValue' as const),
        (input, more, kind) => {
          const plan: MetricPlan = { type: 'External', name: 'rps', target: { kind, milli: 50_000 } };
          const at = (milli: number) =>
            decide({
              ...input,
              spec: { ...input.spec, metrics: [plan] },
              readings: [known({ form: 'total', milli, series: 1 }, NOW)],
              forecast: unknown('NoData', 'none', NOW),
              lastForecast: { ...EMPTY_FORECAST },
              seasonalProfile: { ...EMPTY_FORECAST },
              learnedCapacityMilli: [undefined],
              // Value targets count ready pods: with fewer of them than replicas a rise may compute less, as in HPA.
              pods: Array.from({ length: input.specReplicas }, (_, index) => READY_POD(index)),
            }).desiredReplicas;
          const low = (more * 7919) % 40_000_000;
          expect(at(low + more)).toBeGreaterThanOrEqual(at(low));
        },
      ),
      RUNS,
    );
  });
});

const EMPTY_FORECAST: ForecastInput = {
  paths: [],
  model: { name: 'm', version: '1', digest: 'd' },
  coverage: 0.99,
};

const READY_POD = (index: number): PodView => ({
  name: `p${index}`,
  phase: 'Running',
  deleting: false,
  ready: { status: 'True', lastTransitionMs: 0 },
  containers: [],
});

test('memory stays bounded over a long life of decisions', () => {
  fc.assert(
    fc.property(
      behavior,
      fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 200, maxLength: 400 }),
      (rules, loads) => {
        const base = plainInput(5);
        const spec = { ...base.spec, behavior: rules, maxReplicas: 40 };
        let remembered = firstSight(5, NOW);
        let current = 5;
        let nowMs = NOW;
        for (const load of loads) {
          nowMs += 60 * SECOND;
          const decision = decide({
            ...base,
            spec,
            nowMs,
            specReplicas: current,
            statusReplicas: current,
            readings: [known({ form: 'total', milli: load * 1000, series: 1 }, nowMs)],
            memory: remembered,
          });
          remembered = recordScale(decision.memory, spec, current, decision.desiredReplicas, nowMs);
          current = decision.desiredReplicas;
        }
        expect(remembered.recommendations.length).toBeLessThanOrEqual(62);
        expect(remembered.scaleUps.length).toBeLessThanOrEqual(32);
        expect(remembered.scaleDowns.length).toBeLessThanOrEqual(32);
      },
    ),
    { numRuns: 20 },
  );
});
