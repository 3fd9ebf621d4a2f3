import { describe, expect, test } from '@jest/globals';
import { type PredictiveScalerSpec, predictiveScalerSpecSchema } from '../api/predictivescaler/spec.ts';
import { MINUTE } from './fixtures.ts';
import { parseFraction } from './fraction.ts';
import { decisionSpec, schedulePlan } from './from-spec.ts';
import { metricKey } from './observe.ts';
import { HPA_DEFAULTS } from './reactive/tuning.ts';

function parsed(spec: object): PredictiveScalerSpec {
  return predictiveScalerSpecSchema.parse({
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    maxReplicas: 10,
    ...spec,
  });
}

const plan = (spec: object) => decisionSpec(parsed(spec), HPA_DEFAULTS);

describe('a spec in plain numbers', () => {
  test('nothing given: CPU at 80 %, no behaviour', () => {
    expect(plan({})).toEqual({
      mode: 'Auto',
      objective: 'Availability',
      paused: false,
      minReplicas: 1,
      maxReplicas: 10,
      metrics: [{ type: 'Resource', name: 'cpu', target: { kind: 'Utilization', percent: 80 } }],
    });
  });

  test('an empty behaviour is not an absent one', () => {
    const { behavior } = plan({ behavior: {} });
    expect(behavior).toEqual({
      scaleUp: {
        stabilizationWindowSeconds: 0,
        selectPolicy: 'Max',
        policies: [
          { type: 'Pods', value: 4, periodSeconds: 15 },
          { type: 'Percent', value: 100, periodSeconds: 15 },
        ],
      },
      scaleDown: {
        stabilizationWindowSeconds: 300,
        selectPolicy: 'Max',
        policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
      },
    });
  });

  test('the window of the flag is cut to whole seconds', () => {
    const spec = decisionSpec(parsed({ behavior: {} }), { ...HPA_DEFAULTS, downscaleStabilizationMs: 4_900 });
    expect(spec.behavior?.scaleDown.stabilizationWindowSeconds).toBe(4);
  });

  test('every metric type', () => {
    const target = { type: 'AverageValue', averageValue: '1500m' };
    const value = { type: 'Value', value: '2k' };
    const { metrics } = plan({
      metrics: [
        { type: 'Resource', resource: { name: 'memory', target }, capacity: '2' },
        {
          type: 'ContainerResource',
          containerResource: {
            name: 'cpu',
            container: 'app',
            target: { type: 'Utilization', averageUtilization: 60 },
          },
        },
        { type: 'Pods', pods: { metric: { name: 'rps' }, target } },
        {
          type: 'Object',
          object: {
            describedObject: { kind: 'Ingress', name: 'main' },
            metric: { name: 'hits' },
            target: value,
          },
        },
        { type: 'External', external: { metric: { name: 'queue' }, target: value } },
        { type: 'Prometheus', prometheus: { serverRef: { name: 'default' }, query: 'sum(up)', target } },
      ],
    });
    const average = { kind: 'AverageValue', milli: 1500 };
    const absolute = { kind: 'Value', milli: 2_000_000 };
    expect(metrics).toEqual([
      { type: 'Resource', name: 'memory', target: average, capacityMilli: 2000 },
      {
        type: 'ContainerResource',
        name: 'cpu',
        container: 'app',
        target: { kind: 'Utilization', percent: 60 },
      },
      { type: 'Pods', name: 'rps', target: average },
      { type: 'Object', name: 'hits', objectKind: 'Ingress', scope: 'main', target: absolute },
      { type: 'External', name: 'queue', target: absolute },
      { type: 'Prometheus', name: 'sum(up)', scope: 'default', target: average },
    ]);
  });

  test('metrics that differ in their selector alone are two', () => {
    const queue = (name: string) => ({
      type: 'External',
      external: {
        metric: { name: 'depth', selector: { matchLabels: { queue: name } } },
        target: { type: 'AverageValue', averageValue: '10' },
      },
    });
    const { metrics } = plan({ metrics: [queue('mail'), queue('print')] });
    expect(metrics.map(({ scope }) => scope)).toEqual(['queue=mail', 'queue=print']);
    expect(new Set(metrics.map(metricKey)).size).toBe(2);
  });

  test('tolerance, fallback, pause', () => {
    const spec = plan({
      behavior: { scaleUp: { tolerance: '0.05' } },
      fallback: { replicas: 4 },
      paused: true,
      mode: 'Active',
    });
    expect(spec.behavior?.scaleUp.tolerance).toBe(0.05);
    expect(spec.behavior?.scaleDown.tolerance).toBeUndefined();
    expect(spec).toMatchObject({
      fallback: { replicas: 4, afterMs: 10 * MINUTE },
      paused: true,
      mode: 'Active',
    });
  });

  test('a schedule', () => {
    const { schedules } = parsed({
      schedules: [{ name: 'sale', schedule: '0 8 * * 5', duration: '4h', minReplicas: 5 }],
    });
    expect(schedules?.map(schedulePlan)).toEqual([
      { name: 'sale', schedule: '0 8 * * 5', durationMs: 240 * MINUTE, timeZone: 'UTC', minReplicas: 5 },
    ]);
  });
});

describe('a fraction is the double that Go reads', () => {
  test.each([
    ['0.1', 0.1],
    ['100m', 0.1],
    ['0.15', 150 * 1e-3],
    ['0.0005', 500 * 1e-6],
    ['1', 1],
    ['1.5', 1.5],
    ['0', 0],
    [0.1, 0.1],
    ['1e-1', 0.1],
  ])('%s', (text, expected) => {
    expect(parseFraction(text)).toBe(expected);
  });

  test.each(['-0.1', 'x', ''])('refuses %p', (text) => {
    expect(() => parseFraction(text)).toThrow(/quantity/);
  });
});
