import { describe, expect, test } from '@jest/globals';
import { type ModelDeployment, type ModelDeploymentStatus, parseModelDeployment } from '../api/index.ts';
import { MINIMAL, modelDeployment } from '../api/modeldeployment/testing/full-object.ts';
import { rolloutText } from './rollout-text.ts';
import { type Verb, type VerbFlags, wordOf } from './rollout-verbs.ts';

type History = NonNullable<ModelDeploymentStatus['history']>;

const at = { startedAt: '2026-11-21T10:00:00Z', digest: 'a'.repeat(64), storageUri: 's3://a' };
const served: History = [
  { ...at, version: 1, outcome: 'Replaced', proven: true },
  { ...at, version: 2, outcome: 'Aborted' },
  { ...at, version: 3, outcome: 'Serving', proven: true },
];
const stable = { version: 3, digest: 'a'.repeat(64), readyReplicas: 2, weight: 100 };
const canary = {
  version: 4,
  digest: 'b'.repeat(64),
  readyReplicas: 1,
  weight: 10,
  startedAt: '2026-11-21T11:00:00Z',
  step: 1,
  steps: 3,
  stepStartedAt: '2026-11-21T11:05:00Z',
};
const RESTING: ModelDeploymentStatus = { phase: 'Healthy', stable, history: served };
const ROLLING: ModelDeploymentStatus = {
  phase: 'Progressing',
  stable: { ...stable, weight: 90 },
  canary,
  traffic: [
    { version: 3, weight: 90 },
    { version: 4, weight: 10, mirrorPercent: 100 },
  ],
  history: [...served, { ...at, version: 4, outcome: 'Rolling' }],
};
const GAVE_UP: ModelDeploymentStatus = {
  ...RESTING,
  history: [...served, { ...at, version: 4, outcome: 'Aborted', message: 'judged worse' }],
};

const steps = [{ shadow: { percent: 100 } }, { analysis: {} }, { pause: { duration: '5m' } }];

function object(status?: ModelDeploymentStatus): ModelDeployment {
  return { ...parseModelDeployment(modelDeployment({ ...MINIMAL, rollout: { steps } })), status };
}

const NONE = { promote: null, abort: null, retry: null, undo: null };

describe('a word is about the version that it is about, and takes back the one before', () => {
  test.each<[Verb, ModelDeploymentStatus, VerbFlags, object]>([
    ['promote', ROLLING, {}, { ...NONE, promote: { version: 4, step: 1 } }],
    ['promote', ROLLING, { full: true }, { ...NONE, promote: { version: 4, step: null } }],
    [
      'promote',
      { ...ROLLING, canary: { ...canary, step: 3 } },
      {},
      { ...NONE, promote: { version: 4, step: null } },
    ],
    ['abort', ROLLING, {}, { ...NONE, abort: { version: 4 } }],
    ['retry', GAVE_UP, {}, { ...NONE, retry: { version: 4 } }],
    ['undo', ROLLING, {}, { ...NONE, undo: { version: 4, to: 3 } }],
    ['undo', ROLLING, { to: 1 }, { ...NONE, undo: { version: 4, to: 1 } }],
    ['undo', RESTING, {}, { ...NONE, undo: { version: 3, to: 1 } }],
    ['pause', RESTING, {}, { paused: true }],
    ['resume', RESTING, {}, { paused: false }],
  ])('%s', (verb, status, flags, patch) => {
    expect(wordOf(verb, object(status), flags).patch).toEqual(patch);
  });
});

describe('where there is nothing to say it about, it is refused', () => {
  test.each<[Verb, ModelDeploymentStatus | undefined, VerbFlags, string]>([
    ['promote', RESTING, {}, 'nothing to promote'],
    ['abort', undefined, {}, 'nothing to abort'],
    ['retry', RESTING, {}, 'did not go back'],
    ['retry', undefined, {}, 'did not go back'],
    ['undo', undefined, {}, 'no version has begun'],
    ['undo', RESTING, { to: 2 }, 'version 2 cannot be returned to; these can: 1'],
    [
      'undo',
      { ...RESTING, history: served.slice(2) },
      {},
      'no version before version 3 can serve again, so there is nothing to undo',
    ],
    ['undo', { ...RESTING, history: served.slice(1) }, { to: 2 }, 'nothing to undo'],
    ['undo', { phase: 'Pending', canary, history: served.slice(2) }, {}, 'nothing to undo'],
  ])('%s', (verb, status, flags, message) => {
    expect(() => wordOf(verb, object(status), flags)).toThrow(message);
  });
});

test('status is told in lines', () => {
  const text = rolloutText(object(ROLLING));
  expect(text).toContain('ModelDeployment default/loadcast: Progressing');
  expect(text).toContain('stable   version 3 (aaaaaaaaaaaa), 2 pods ready');
  expect(text).toContain('traffic  version 3 90 %, version 4 10 % (100 % copied to it)');
  expect(text).toContain('✓ 0 shadow 100 % of the requests');
  expect(text).toContain('▸ 1 wait for the judge');
  expect(text).toContain('  2 wait 5m');
  expect(rolloutText(object())).toContain('not looked at yet');
});
