import { describe, expect, test } from '@jest/globals';
import { HPA_DEFAULTS } from '../../decision/reactive/tuning.ts';
import { createPlanner } from './plan.ts';
import type { Scaler } from './ports.ts';

function scaler(spec: object, metadata: object = {}): Scaler {
  return {
    apiVersion: 'foresail.io/v1alpha1',
    kind: 'PredictiveScaler',
    metadata: { name: 'web', namespace: 'shop', uid: 'u1', generation: 1, ...metadata },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      maxReplicas: 10,
      ...spec,
    },
  } as unknown as Scaler;
}

const planner = () => createPlanner(HPA_DEFAULTS);
function good(plan: ReturnType<ReturnType<typeof planner>['planOf']>) {
  if ('problem' in plan) throw plan.problem;
  return plan;
}

test('metrics and their plans are aligned, HPA’s default included', () => {
  const { metrics, decision } = good(planner().planOf('k', scaler({})));
  expect(metrics.map(({ type }) => type)).toEqual(['Resource']);
  expect(decision.metrics.map(({ name }) => name)).toEqual(['cpu']);
});

describe('a plan is made', () => {
  test('once per generation; the status is that of now', () => {
    const { planOf } = planner();
    const first = good(planOf('k', scaler({})));
    const object = { ...scaler({}), status: { desiredReplicas: 3 } };
    const second = good(planOf('k', object));
    expect(second.decision).toBe(first.decision);
    expect(second.scaler.status?.desiredReplicas).toBe(3);
  });

  test.each([
    ['another generation', { generation: 2 }],
    ['another object of that name', { uid: 'u2' }],
  ])('anew for %s', (_what, metadata) => {
    const { planOf } = planner();
    planOf('k', scaler({}));
    expect(good(planOf('k', scaler({ maxReplicas: 20 }, metadata))).decision.maxReplicas).toBe(20);
  });
});

test('schedules are compiled and asked with a time', () => {
  const schedules = [
    { name: 'sale', schedule: '0 8 * * *', duration: '4h', timeZone: 'Europe/Berlin', minReplicas: 5 },
  ];
  const { activeSchedules } = good(planner().planOf('k', scaler({ schedules })));
  expect(activeSchedules(Date.UTC(2026, 0, 2, 7, 30)).map(({ minReplicas }) => minReplicas)).toEqual([5]);
  expect(activeSchedules(Date.UTC(2026, 0, 2, 6, 30))).toEqual([]);
});

test.each([
  ['maxReplicas', { maxReplicas: 'ten' }],
  [
    'averageValue',
    {
      metrics: [
        {
          type: 'Pods',
          pods: { metric: { name: 'rps' }, target: { type: 'AverageValue', averageValue: 'lots' } },
        },
      ],
    },
  ],
  ['schedule', { schedules: [{ name: 's', schedule: '99 * * * *', duration: '1h', minReplicas: 2 }] }],
])('a bad %s is a problem of this object, not an exception', (field, spec) => {
  const plan = planner().planOf('k', scaler(spec));
  expect(plan).toMatchObject({ problem: { retry: 'terminal' } });
  expect('problem' in plan ? plan.problem.message.toLowerCase() : '').toContain(
    field.toLowerCase().slice(0, 8),
  );
});
