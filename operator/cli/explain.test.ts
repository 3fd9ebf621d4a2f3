import { expect, test } from '@jest/globals';
import type { Decision } from '../decision/types.ts';
import { decisionText, statusText } from './explain.ts';

test('a scaler without a status yet shows what is not known as such', () => {
  const text = statusText({
    metadata: { namespace: 'shop', name: 'web' },
    spec: { minReplicas: 1, maxReplicas: 9, mode: 'Auto' } as never,
    status: undefined,
  });
  expect(text).toContain('? replicas, wants ? of 1..9');
  expect(text).toContain('realised not measured yet');
});

test('a decision is told with each proposal and what bound it', () => {
  const decision = {
    id: 'd1',
    atMs: 0,
    desiredReplicas: 6,
    reactive: {
      metrics: [
        { kind: 'valid', replicas: 4, description: 'cpu', detail: 'ratio 1.3 over 3 pods', current: {} },
        { kind: 'invalid', reason: 'FailedGetPodsMetric', message: 'no data' },
      ],
    },
    forecast: {
      kind: 'known',
      replicas: 7,
      coverage: 0.99,
      model: { name: 'loadcast', version: '1', digest: '' },
    },
    explanation: {
      sentence: 'Raises from 3 to 6.',
      steps: [{ step: 'Max', from: 7, to: 6, note: 'bounds 1 to 6' }],
    },
  } as unknown as Decision;
  expect(decisionText(decision).split('\n')).toEqual([
    '1970-01-01T00:00:00.000Z  Raises from 3 to 6.  [d1]',
    '  reactive  4 by cpu: ratio 1.3 over 3 pods',
    '  reactive  unknown: FailedGetPodsMetric: no data',
    '  forecast  7 at 99 % coverage by loadcast 1',
    '  7 → 6  Max: bounds 1 to 6',
  ]);
});
