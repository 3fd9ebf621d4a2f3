import { expect, test } from '@jest/globals';
import type { Decision } from '../decision/types.ts';
import { decisionText, reasonsText, statusText } from './explain.ts';

test('a scaler without a status yet shows what is not known as such', () => {
  const text = statusText({
    metadata: { namespace: 'shop', name: 'web' },
    spec: { minReplicas: 1, maxReplicas: 9, mode: 'Auto' } as never,
    status: undefined,
  });
  expect(text).toContain('? replicas, wants ? of 1..9');
  expect(text).toContain('realised not measured yet');
});

test.each([
  ['loadcast', 'sha256:0123', 'loadcast (loadcast 1.0.0, sha256:0123), in steps of 1m'],
  ['onnx:0123', 'sha256:0123', 'onnx:0123 (loadcast 1.0.0, sha256:0123), in steps of 1m'],
  ['ridge', 'builtin', 'ridge, in steps of 1m'],
  // Written by an operator that did not tell.
  [undefined, 'sha256:0123', 'loadcast (loadcast 1.0.0, sha256:0123), in steps of 1m'],
])('who forecasts is told: %s of %s', (forecaster, digest, told) => {
  const spec = { minReplicas: 1, maxReplicas: 9, mode: 'Auto' } as never;
  const forecast = { replicas: 7, forecaster, model: 'loadcast', version: '1.0.0', digest, step: '1m' };
  const text = statusText({ metadata: { namespace: 'shop', name: 'web' }, spec, status: { forecast } });
  expect(text).toContain(`  forecast    7 replicas by ${told}\n`);
});

test('the verdict is told with what was compared', () => {
  const verdict = {
    recommendation: 'Shadow',
    reason: 'NotBetter',
    window: '72h',
    againstHpa: '-4 % short minutes at +3 % replica-hours',
  } as const;
  const spec = { minReplicas: 1, maxReplicas: 9, mode: 'Auto' } as never;
  const text = statusText({ metadata: { namespace: 'shop', name: 'web' }, spec, status: { verdict } });
  expect(text).toContain(
    'verdict     Shadow (NotBetter), against HPA -4 % short minutes at +3 % replica-hours over 72h',
  );
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

test('the parts of the past are told with the strongest first', () => {
  const part = (name: string, known: number, effect: number | undefined, share: number | undefined) => ({
    name,
    kind: 'recent' as const,
    fromMs: 0,
    toMs: 0,
    known,
    effect,
    share,
  });
  const text = reasonsText([
    {
      metric: 'Prometheus rps',
      by: 'loadcast',
      origin: '2026-01-01T10:00:00.000Z',
      stepSeconds: 60,
      step: 3,
      level: 0.99,
      load: 1234.5,
      parts: [
        part('last 8 steps', 8, -12.34, 0.2),
        part('1 day ago', 128, 49, 0.8),
        part('7 days ago', 0, 0, 0),
      ],
      seasons: 60,
    },
  ]);
  expect(text.split('\n')).toEqual([
    'Prometheus rps: loadcast forecast 1230 at 99 % for 3 min after 2026-01-01T10:00:00.000Z (before calibration)',
    '   80 %  1 day ago             raised it by 49',
    '   20 %  last 8 steps          lowered it by 12.3',
    '    0 %  7 days ago            unknown, had no part in it',
    '  all days before together: raised it by 60',
  ]);
  expect(reasonsText([])).toContain('ForecastReady');
});
