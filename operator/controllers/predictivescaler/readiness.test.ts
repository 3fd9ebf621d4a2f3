import { expect, test } from '@jest/globals';
import type { ConditionPlan } from '../../decision/types.ts';
import { ForesailError } from '../../errors.ts';
import { reasonOf } from '../reason.ts';
import { notReady, readiness } from './readiness.ts';
import type { OwnCondition } from './status.ts';

type Each = ConditionPlan | OwnCondition;
const condition = (type: Each['type'], status: Each['status'], reason: string): Each => ({
  type,
  status,
  reason,
  message: reason,
});

const able = condition('AbleToScale', 'True', 'ReadyForNewScale');
const active = condition('ScalingActive', 'True', 'ValidMetricFound');
const rival = condition('ConflictingScaler', 'True', 'ScaledObject');

test.each<[what: string, conditions: Each[], ready: string]>([
  ['all is well', [able, active], 'True Scaling'],
  [
    'no metric',
    [able, condition('ScalingActive', 'False', 'FailedGetPodsMetric')],
    'False FailedGetPodsMetric',
  ],
  [
    'a rival comes before a metric',
    [able, condition('ScalingActive', 'False', 'X'), rival],
    'False ConflictingScaler',
  ],
  [
    'what a phase said comes first',
    [rival, notReady('ProtectedNamespace', 'no')],
    'False ProtectedNamespace',
  ],
  ['the last word of a type counts', [condition('AbleToScale', 'False', 'X'), able, active], 'True Scaling'],
  [
    'a missing forecast is no reason',
    [able, active, condition('ForecastReady', 'False', 'NoHistory')],
    'True Scaling',
  ],
])('%s', (_what, conditions, ready) => {
  const { status, reason } = readiness(conditions);
  expect(`${status} ${reason}`).toBe(ready);
});

test('an error becomes a reason by its code, never by its text', () => {
  expect(reasonOf(new ForesailError('TARGET_NOT_FOUND', 'transient', 'x'))).toBe('TargetNotFound');
  expect(reasonOf(new TypeError('secret'))).toBe('Unexpected');
});
