import { expect, test } from '@jest/globals';
import { parseModelDeployment } from '../api/index.ts';
import { rolloutText } from './rollout-text.ts';

const OBJECT = {
  apiVersion: 'foresail.io/v1alpha1',
  kind: 'ModelDeployment',
  metadata: { name: 'loadcast', namespace: 'shop' },
  spec: {
    model: { from: { registry: 'loadcast', alias: 'candidate' } },
    task: 'generic',
    rollout: { steps: [{ shadow: {} }, { analysis: {} }, { pause: { duration: '30m' } }] },
  },
};
const at = '2026-11-21T10:00:00Z';
const served = (version: number, letter: string) => ({
  version,
  digest: letter.repeat(64),
  readyReplicas: 2,
  weight: 0,
});

test('an object that nobody has looked at yet', () => {
  expect(rolloutText(parseModelDeployment(OBJECT)).split('\n')[0]).toBe(
    'foresail.io/v1alpha1 ModelDeployment shop/loadcast: not looked at yet',
  );
});

test('a rollout in its analysis: where it stands, what it follows, and which guard holds it', () => {
  const status = {
    phase: 'Paused',
    resolved: {
      registry: 'loadcast',
      alias: 'candidate',
      version: 41,
      digest: 'b'.repeat(64),
      storageUri: 's3://b',
    },
    stable: { ...served(6, 'a'), weight: 100 },
    canary: { ...served(7, 'b'), startedAt: at, step: 1, steps: 3, stepStartedAt: at },
    traffic: [
      { version: 6, weight: 100 },
      { version: 7, weight: 0, mirrorPercent: 100 },
    ],
    judge: {
      verdict: 'Inconclusive',
      message: 'guard NaN: no pod of the new version can be asked',
      guards: [
        { name: 'Errors', outcome: 'Passed', message: 'holds' },
        { name: 'NaN', outcome: 'Blind', message: 'no pod of the new version can be asked' },
      ],
    },
  };
  expect(rolloutText(parseModelDeployment({ ...OBJECT, status })).split('\n')).toEqual([
    'foresail.io/v1alpha1 ModelDeployment shop/loadcast: Paused',
    '  follows  loadcast:candidate, version 41 of the registry (bbbbbbbbbbbb)',
    '  stable   version 6 (aaaaaaaaaaaa), 2 pods ready',
    '  canary   version 7 (bbbbbbbbbbbb), 2 pods ready, since 2026-11-21T10:00:00Z',
    '  traffic  version 6 100 %, version 7 0 % (100 % copied to it)',
    '  judge    Inconclusive: guard NaN: no pod of the new version can be asked',
    '  guard    ✓ Errors: holds',
    '  guard    ? NaN: no pod of the new version can be asked',
    '  steps',
    '    ✓ 0 shadow 100 % of the requests',
    '    ▸ 1 wait for the judge',
    '    \u0020 2 wait 30m',
  ]);
});

test.each([
  ['the first version of all', {}, 'none: the first version serves as soon as a pod is ready'],
  [
    'one that was promoted before',
    { stable: { ...served(2, 'a'), weight: 100 } },
    'none: it serves as soon as all its pods are ready',
  ],
])('%s goes through no step, and none is shown', (_, more, words) => {
  const canary = { ...served(1, 'b'), readyReplicas: 1, startedAt: at, step: 0, steps: 0, stepStartedAt: at };
  const status = { phase: 'Progressing', canary, ...more };
  const lines = rolloutText(parseModelDeployment({ ...OBJECT, status })).split('\n');
  expect(lines.slice(2)).toEqual([
    '  canary   version 1 (bbbbbbbbbbbb), 1 pod ready, since 2026-11-21T10:00:00Z',
    '  traffic  none: no version has a ready pod',
    `  steps    ${words}`,
  ]);
});

test('an A/B test: which version each variant is', () => {
  const status = {
    phase: 'Healthy',
    stable: { ...served(1, 'a'), weight: 70 },
    variants: [{ name: 'wide', ...served(2, 'b'), weight: 30 }],
    traffic: [
      { version: 1, weight: 70 },
      { version: 2, weight: 30 },
    ],
  };
  expect(
    rolloutText(parseModelDeployment({ ...OBJECT, status }))
      .split('\n')
      .slice(2),
  ).toEqual([
    '  canary   -',
    '  variant  wide is version 2 (bbbbbbbbbbbb), 2 pods ready',
    '  traffic  version 1 70 %, version 2 30 %',
  ]);
});
