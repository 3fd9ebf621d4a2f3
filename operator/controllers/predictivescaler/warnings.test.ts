import { expect, test } from '@jest/globals';
import type { Condition } from '../../api/index.ts';
import { warningsOf } from './warnings.ts';

function condition(text: string): Condition {
  const [type = '', status = '', reason = '', message = reason] = text.split(' ');
  const known = status as Condition['status'];
  return { type: type, status: known, reason, message, lastTransitionTime: '' };
}

const told = (before: readonly string[], now: readonly string[]) =>
  warningsOf(before.map(condition), now.map(condition)).map(({ reason }) => reason);

test.each<[what: string, before: string[], now: string[], reasons: string[]]>([
  ['good news is none', ['AbleToScale False FailedGetScale'], ['AbleToScale True SucceededGetScale'], []],
  [
    'it turns bad',
    ['ScalingActive True ValidMetricFound'],
    ['ScalingActive False FailedGetPodsMetric'],
    ['FailedGetPodsMetric'],
  ],
  ['bad from the start', [], ['AbleToScale False FailedGetScale'], ['FailedGetScale']],
  ['it stays bad', ['AbleToScale False FailedGetScale'], ['AbleToScale False FailedGetScale'], []],
  [
    'bad for another reason',
    ['ScalingActive False InvalidSelector'],
    ['ScalingActive False FailedGetPodsMetric'],
    ['FailedGetPodsMetric'],
  ],
  [
    'a rival is named by what it is',
    [],
    ['ConflictingScaler True HorizontalPodAutoscaler'],
    ['ConflictingScaler'],
  ],
  ['a pause is wished', [], ['AbleToScale False GloballyPaused', 'Ready False GloballyPaused'], []],
  ['a freeze is not', [], ['AbleToScale False Frozen', 'Ready False Frozen'], ['Frozen']],
  [
    'Ready repeats',
    [],
    ['AbleToScale False FailedGetScale gone', 'Ready False TargetNotFound gone'],
    ['FailedGetScale'],
  ],
  ['Ready alone', [], ['Ready False InvalidSpec'], ['InvalidSpec']],
  ['degraded metrics show in ScalingActive', [], ['MetricsDegraded True StaleMetrics'], []],
])('%s', (_what, before, now, reasons) => {
  expect(told(before, now)).toEqual(reasons);
});
