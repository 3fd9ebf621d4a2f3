/** Hand-computed cases of the HPA algorithm, one row each; a changed tolerance, rounding or window turns some red. */
import { describe, expect, test } from '@jest/globals';
import { decide } from './decide.ts';
import {
  cpu,
  DEFAULT_BEHAVIOR,
  external,
  input,
  NOW,
  perPod,
  pod,
  pods,
  rules,
  SECOND,
  spec,
  total,
} from './fixtures.ts';
import type { DecisionInput, DecisionMemory } from './types.ts';

const unready = { ready: { status: 'False', lastTransitionMs: NOW - 59 * 60 * SECOND } };
const starting = (name: string) => pod(name, { ...unready, startTimeMs: NOW - 10 * SECOND });

function memory(change: Partial<DecisionMemory>): DecisionMemory {
  return {
    recommendations: [],
    scaleUps: [],
    scaleDowns: [],
    outliers: {},
    unknownSinceMs: null,
    ...change,
  };
}

function utilization(replicas: number, percent: number, usage: readonly (number | undefined)[]) {
  return input(replicas, { spec: spec({ metrics: [cpu(percent)] }), readings: [perPod(usage)] });
}

/** One External AverageValue metric of target 1 that asks for exactly `raw` replicas. */
function asking(raw: number, current: number, change: Partial<DecisionInput>) {
  const { behavior } = change.spec ?? {};
  return input(current, {
    ...change,
    spec: spec({ metrics: [external('AverageValue', 1)], ...(behavior === undefined ? {} : { behavior }) }),
    readings: [total(raw)],
  });
}

const repeated = (value: number, count: number): number[] => Array.from({ length: count }, () => value);

interface Row {
  readonly name: string;
  readonly given: DecisionInput;
  readonly expect: number;
}

const ROWS: readonly Row[] = [
  {
    name: '1: 55.25 % is cut to 55 %, and a ratio of exactly 1.1 is still within the tolerance',
    given: utilization(4, 50, [56, 55, 55, 55]),
    expect: 4,
  },
  { name: '2: 80 % of 50 %', given: utilization(4, 50, repeated(80, 4)), expect: 7 },
  {
    name: '3: two unready pods turn the direction round',
    given: { ...utilization(4, 50, [90, 90, 10, 10]), pods: [...pods(2), starting('p2'), starting('p3')] },
    expect: 4,
  },
  {
    name: '4: two unready pods damp a rise',
    given: { ...utilization(4, 30, [90, 90, 10, 10]), pods: [...pods(2), starting('p2'), starting('p3')] },
    expect: 6,
  },
  {
    name: '5: a missing pod counts as 100 % on the way down',
    given: utilization(4, 50, [20, 20, 20, undefined]),
    expect: 4,
  },
  {
    name: '6: one missing of ten',
    given: utilization(10, 50, [...repeated(10, 9), undefined]),
    expect: 4,
  },
  {
    name: '7: a missing pod counts as idle on the way up',
    given: utilization(4, 50, [80, 80, 80, undefined]),
    expect: 5,
  },
  {
    name: '8: a Value target multiplies with ready pods, not with replicas',
    given: input(5, {
      spec: spec({ metrics: [external('Value', 100)] }),
      readings: [total(200)],
      pods: [...pods(3), pod('p3', unready), pod('p4', unready)],
    }),
    expect: 6,
  },
  { name: '9a: AverageValue 530 of 5 × 100', given: input(5, { readings: [total(530)] }), expect: 5 },
  { name: '9b: 550', given: input(5, { readings: [total(550)] }), expect: 5 },
  { name: '9c: 560', given: input(5, { readings: [total(560)] }), expect: 6 },
  {
    name: '10a: default behaviour, +4 pods from 1',
    given: asking(50, 1, { spec: spec({ behavior: DEFAULT_BEHAVIOR }) }),
    expect: 5,
  },
  {
    name: '10b: default behaviour, +100 % from 10',
    given: asking(50, 10, { spec: spec({ behavior: DEFAULT_BEHAVIOR }) }),
    expect: 20,
  },
  {
    name: '10c: the budget of the last 15 s is spent',
    given: asking(50, 5, {
      spec: spec({ behavior: DEFAULT_BEHAVIOR }),
      memory: memory({ scaleUps: [{ change: 4, atMs: NOW - 10 * SECOND }] }),
    }),
    expect: 5,
  },
  {
    name: '11a: the highest recommendation of the window holds',
    given: asking(3, 10, {
      spec: spec({ behavior: DEFAULT_BEHAVIOR }),
      memory: memory({
        recommendations: [
          { replicas: 10, atMs: NOW - 250 * SECOND },
          { replicas: 7, atMs: NOW - 120 * SECOND },
          { replicas: 3, atMs: NOW - 60 * SECOND },
        ],
      }),
    }),
    expect: 10,
  },
  {
    name: '11b: later only 4 and 3 are left',
    given: asking(3, 10, {
      spec: spec({ behavior: DEFAULT_BEHAVIOR }),
      memory: memory({
        recommendations: [
          { replicas: 10, atMs: NOW - 301 * SECOND },
          { replicas: 4, atMs: NOW - 120 * SECOND },
          { replicas: 3, atMs: NOW - 60 * SECOND },
        ],
      }),
    }),
    expect: 4,
  },
  {
    name: '12a: at most 10 % down in a minute',
    given: asking(3, 10, {
      spec: spec({
        behavior: {
          ...DEFAULT_BEHAVIOR,
          scaleDown: rules({ policies: [{ type: 'Percent', value: 10, periodSeconds: 60 }] }),
        },
      }),
    }),
    expect: 9,
  },
  {
    name: '12b: and then no more in the same minute',
    given: asking(3, 9, {
      spec: spec({
        behavior: {
          ...DEFAULT_BEHAVIOR,
          scaleDown: rules({ policies: [{ type: 'Percent', value: 10, periodSeconds: 60 }] }),
        },
      }),
      memory: memory({ scaleDowns: [{ change: 1, atMs: NOW - 30 * SECOND }] }),
    }),
    expect: 9,
  },
  // Beyond the table of the design: the edges that a wrong comparison or rounding would miss.
  {
    name: '13: without behaviour the window includes its very edge, and at most 300 s count',
    given: asking(3, 10, {
      memory: memory({ recommendations: [{ replicas: 8, atMs: NOW - 300 * SECOND }] }),
    }),
    expect: 8,
  },
  {
    name: '14: one millisecond older does not count',
    given: asking(3, 10, {
      memory: memory({ recommendations: [{ replicas: 8, atMs: NOW - 300 * SECOND - 1 }] }),
    }),
    expect: 3,
  },
  {
    name: '15: with behaviour the edge itself is out',
    given: asking(3, 10, {
      spec: spec({ behavior: DEFAULT_BEHAVIOR }),
      memory: memory({ recommendations: [{ replicas: 8, atMs: NOW - 300 * SECOND }] }),
    }),
    expect: 3,
  },
  { name: '16: without behaviour at most double', given: asking(50, 6, {}), expect: 12 },
  { name: '17: or up to four', given: asking(50, 1, {}), expect: 4 },
  {
    name: '18: a rate limit counts a recent fall as room',
    given: asking(50, 6, {
      spec: spec({
        behavior: {
          ...DEFAULT_BEHAVIOR,
          scaleUp: rules({ policies: [{ type: 'Pods', value: 2, periodSeconds: 60 }] }),
        },
      }),
      memory: memory({ scaleDowns: [{ change: 3, atMs: NOW - 30 * SECOND }] }),
    }),
    expect: 11,
  },
  {
    name: '19: a percentage up rounds up',
    given: asking(50, 3, {
      spec: spec({
        behavior: {
          ...DEFAULT_BEHAVIOR,
          scaleUp: rules({ policies: [{ type: 'Percent', value: 10, periodSeconds: 60 }] }),
        },
      }),
    }),
    expect: 4,
  },
  {
    name: '20: a percentage down truncates what stays',
    given: asking(1, 9, {
      spec: spec({
        behavior: {
          ...DEFAULT_BEHAVIOR,
          scaleDown: rules({ policies: [{ type: 'Percent', value: 10, periodSeconds: 60 }] }),
        },
      }),
    }),
    expect: 8,
  },
  {
    name: '21: selectPolicy Min takes the smallest change',
    given: asking(50, 10, {
      spec: spec({
        behavior: {
          ...DEFAULT_BEHAVIOR,
          scaleUp: rules({
            selectPolicy: 'Min',
            policies: [
              { type: 'Pods', value: 3, periodSeconds: 60 },
              { type: 'Percent', value: 100, periodSeconds: 60 },
            ],
          }),
        },
      }),
    }),
    expect: 13,
  },
  {
    name: '22: Disabled stops one direction',
    given: asking(50, 10, {
      spec: spec({ behavior: { ...DEFAULT_BEHAVIOR, scaleUp: rules({ selectPolicy: 'Disabled' }) } }),
    }),
    expect: 10,
  },
  {
    name: '23: a stabilised rise waits for the lowest recommendation of its window',
    given: asking(20, 10, {
      spec: spec({
        behavior: { ...DEFAULT_BEHAVIOR, scaleUp: rules({ stabilizationWindowSeconds: 60 }) },
      }),
      memory: memory({ recommendations: [{ replicas: 12, atMs: NOW - 59 * SECOND }] }),
    }),
    expect: 12,
  },
  {
    name: '24: an average per pod is cut to whole thousandths before the ratio',
    given: input(3, {
      spec: spec({
        metrics: [{ type: 'Pods', name: 'rps', target: { kind: 'AverageValue', milli: 10 } }],
      }),
      readings: [perPod([12, 12, 11])], // 35/3 = 11.67 → 11 → 1.1: stays
    }),
    expect: 3,
  },
  {
    name: '25: a ratio of exactly 1 leaves a missing pod out of account',
    given: input(4, {
      spec: spec({
        metrics: [{ type: 'Pods', name: 'rps', target: { kind: 'AverageValue', milli: 10 } }],
      }),
      readings: [perPod([10, 10, 10, undefined])],
    }),
    expect: 4,
  },
  {
    name: '26: a missing pod of a raw metric counts as the target on the way down',
    given: input(4, {
      spec: spec({
        metrics: [{ type: 'Pods', name: 'rps', target: { kind: 'AverageValue', milli: 10 } }],
      }),
      readings: [perPod([2, 2, 2, undefined])], // (6+10)/4 = 4 → 0.4 × 4 → 2
    }),
    expect: 2,
  },
  {
    name: '27: targets above 100 % take a missing pod at the target',
    given: utilization(4, 200, [100, 100, 100, undefined]), // (300+200)/400 = 125 % → 0.625 × 4 → 3
    expect: 3,
  },
  {
    name: '28: the tolerances of both directions are their own',
    given: {
      ...utilization(10, 50, repeated(53, 10)),
      spec: spec({
        metrics: [cpu(50)],
        behavior: {
          scaleUp: { ...DEFAULT_BEHAVIOR.scaleUp, tolerance: 0.05 },
          scaleDown: { ...DEFAULT_BEHAVIOR.scaleDown, tolerance: 0.5 },
        },
      }),
    },
    expect: 11,
  },
  {
    name: '29: and a wide one downwards keeps',
    given: {
      ...utilization(10, 50, repeated(26, 10)),
      spec: spec({
        metrics: [cpu(50)],
        behavior: {
          scaleUp: { ...DEFAULT_BEHAVIOR.scaleUp, tolerance: 0.05 },
          scaleDown: { ...DEFAULT_BEHAVIOR.scaleDown, tolerance: 0.5 },
        },
      }),
    },
    expect: 10,
  },
  {
    name: '30: terabytes are summed without rounding: one thousandth below 56 % is 55 %, within the tolerance',
    given: input(3, {
      spec: spec({
        metrics: [{ type: 'Resource', name: 'memory', target: { kind: 'Utilization', percent: 50 } }],
      }),
      pods: pods(3, { containers: [{ name: 'app', requestsMilli: { memory: 1_000_000_000_000_003 } }] }),
      readings: [perPod([560_000_000_000_001, 560_000_000_000_002, 560_000_000_000_002])],
    }),
    expect: 3,
  },
  {
    name: '31: the largest of several metrics wins',
    given: input(4, {
      spec: spec({ metrics: [external('AverageValue', 100), cpu(50)] }),
      readings: [total(200), perPod(repeated(80, 4))],
    }),
    expect: 7,
  },
  {
    name: '33: a utilization of exactly the target leaves a missing pod out of account',
    given: utilization(4, 50, [50, 50, 50, undefined]),
    expect: 4,
  },
  {
    name: '32: above the maximum goes straight to it, past every policy',
    given: asking(50, 150, {
      spec: spec({ behavior: { ...DEFAULT_BEHAVIOR, scaleDown: rules({ selectPolicy: 'Disabled' }) } }),
    }),
    expect: 100,
  },
];

test('a Prometheus metric is treated as an External one', () => {
  for (const { given, expect: expected } of ROWS) {
    const metrics = given.spec.metrics.map((plan) =>
      plan.type === 'External' ? { ...plan, type: 'Prometheus' as const } : plan,
    );
    expect(decide({ ...given, spec: { ...given.spec, metrics } }).desiredReplicas).toBe(expected);
  }
});

describe('the vectors of reactive parity', () => {
  test.each(ROWS)('$name', ({ given, expect: expected }) => {
    expect(decide(given).desiredReplicas).toBe(expected);
  });
});
