import { describe, expect, test } from '@jest/globals';
import type { Condition, PredictiveScalerStatus } from '../../api/index.ts';
import { mergeConditions, timeText, worthWriting } from './status.ts';

const NOW = Date.UTC(2026, 0, 2, 12);
const condition = (change: Partial<Condition> = {}): Condition => ({
  type: 'Ready',
  status: 'True',
  reason: 'Scaling',
  message: 'well',
  lastTransitionTime: '2026-01-01T00:00:00Z',
  observedGeneration: 1,
  ...change,
});

const before: PredictiveScalerStatus = {
  observedGeneration: 1,
  target: 'Deployment/web',
  mode: 'Active',
  selector: 'app=web',
  currentReplicas: 3,
  desiredReplicas: 3,
  lastScaleTime: '2026-01-01T00:00:00Z',
  forecast: {
    forecaster: 'loadcast',
    model: 'loadcast',
    version: '1',
    digest: 'sha256:0',
    replicas: 3,
    quantiles: [{ level: '0.5', value: '80' }],
  },
  leadTime: { value: '10s', source: 'Learned', p50: '9s', p90: '10s', samples: 5 },
  coverage: { asked: '0.99', realised: '0.9871' },
  lastDecision: { id: 'd1', time: '2026-01-01T00:00:00Z', reactive: 3, boundBy: 'Reactive', result: 3 },
  conditions: [condition()],
};

describe('a status is worth a write', () => {
  test.each<[what: string, change: Partial<PredictiveScalerStatus>]>([
    ['replicas', { currentReplicas: 4 }],
    ['the wish', { desiredReplicas: 4 }],
    ['the mode', { mode: 'Shadow' }],
    ['the generation', { observedGeneration: 2 }],
    ['the forecast in replicas', { forecast: { ...before.forecast, replicas: 4 } }],
    ['another model', { forecast: { ...before.forecast, digest: 'sha256:1' } }],
    ['another forecaster', { forecast: { ...before.forecast, forecaster: 'ridge' } }],
    ['no forecast any more', { forecast: undefined }],
    ['a condition', { conditions: [condition({ status: 'False' })] }],
    ['a reason', { conditions: [condition({ reason: 'Other' })] }],
    ['one condition more', { conditions: [condition(), condition({ type: 'ForecastReady' })] }],
  ])('%s', (_what, change) => {
    expect(worthWriting(before, { ...before, ...change })).toBe(true);
  });

  test('the first one always', () => {
    expect(worthWriting(undefined, {})).toBe(true);
  });
});

describe('a status is not worth a write', () => {
  test.each<[what: string, change: Partial<PredictiveScalerStatus>]>([
    ['a new decision with the same outcome', { lastDecision: { ...before.lastDecision, id: 'd2' } as never }],
    ['a quantile', { forecast: { ...before.forecast, quantiles: [{ level: '0.5', value: '81' }] } }],
    ['a sample more', { leadTime: { ...before.leadTime, samples: 6 } }],
    ['the coverage in its fourth digit', { coverage: { asked: '0.99', realised: '0.9872' } }],
    ['the words of a condition', { conditions: [condition({ message: 'better' })] }],
    ['the time of a condition', { conditions: [condition({ lastTransitionTime: '2026-01-02T00:00:00Z' })] }],
  ])('%s', (_what, change) => {
    expect(worthWriting(before, { ...before, ...change })).toBe(false);
  });

  test('conditions in another order', () => {
    const two = [condition(), condition({ type: 'ForecastReady' })];
    expect(worthWriting({ conditions: two }, { conditions: [...two].reverse() })).toBe(false);
  });
});

describe('conditions', () => {
  const now = timeText(NOW);
  const next = (status: Condition['status'], reason = 'Scaling') =>
    mergeConditions([condition()], [{ type: 'Ready', status, reason, message: 'm' }], 2, NOW)[0];

  test('the time of transition moves with the status alone', () => {
    expect(next('False')?.lastTransitionTime).toBe(now);
    expect(next('True', 'Other')).toMatchObject({
      reason: 'Other',
      observedGeneration: 2,
      lastTransitionTime: condition().lastTransitionTime,
    });
  });

  test('a type that is not named keeps what it had; the last word of a type counts', () => {
    const merged = mergeConditions(
      [condition()],
      [
        { type: 'ForecastReady', status: 'False', reason: 'A', message: '' },
        { type: 'ForecastReady', status: 'True', reason: 'B', message: '' },
      ],
      1,
      NOW,
    );
    expect(merged).toEqual([condition(), expect.objectContaining({ type: 'ForecastReady', reason: 'B' })]);
  });

  test('whatever an error says, the message fits the CRD', () => {
    const message = 'x'.repeat(100_000);
    const [merged] = mergeConditions([], [{ type: 'Ready', status: 'False', reason: 'X', message }], 1, NOW);
    expect(merged?.message).toHaveLength(4096);
  });
});

test('times are metav1.Time: whole seconds', () => {
  expect(timeText(NOW + 999)).toBe('2026-01-02T12:00:00Z');
});
