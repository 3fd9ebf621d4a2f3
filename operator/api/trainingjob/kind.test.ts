import { expect, test } from '@jest/globals';
import { describeKind } from '../testing/kind-suite.ts';
import { MAX_NAME, MAX_REPEATING_NAME, parseTrainingJob } from './kind.ts';
import { MINIMAL, trainingJob } from './testing/full-object.ts';
import { trainingJobSubject } from './testing/subject.ts';
import { triggersOf } from './triggers.ts';

describeKind(trainingJobSubject);

test('a minimal object gets the defaults that the documentation promises', () => {
  expect(parseTrainingJob(trainingJob(MINIMAL)).spec).toEqual({
    runtimeRef: { name: 'forecaster' },
    data: {
      predictiveScalers: { selector: {}, allNamespaces: false },
      window: '1440h',
      sampling: 'uniform',
    },
    model: { family: 'patch-mixer' },
    seed: 1,
    workers: { nodes: 1, procsPerNode: 1, accelerator: 'auto' },
    checkpoint: { claimName: 'training', every: '5m', keep: 3 },
    gate: { minImprovement: '0.01' },
    suspend: false,
    backoffLimit: 3,
    progressDeadline: '10m',
  });
});

test('names as long as allowed', () => {
  const schedule = '0 3 * * *';
  const longest = trainingJob(MINIMAL, 'a'.repeat(MAX_NAME));
  const repeating = trainingJob({ ...MINIMAL, schedule }, 'a'.repeat(MAX_REPEATING_NAME));
  for (const object of [longest, repeating]) expect(() => parseTrainingJob(object)).not.toThrow();
});

test('what repeats has its defaults, and a single run has none', () => {
  const { spec } = parseTrainingJob(trainingJob({ ...MINIMAL, triggers: { drift: true } }));
  expect(triggersOf(spec)).toEqual({
    schedule: undefined,
    timeZone: 'UTC',
    startingDeadlineMs: Infinity,
    jitter: '0s',
    drift: true,
    scoreBreach: false,
    breachFactor: 2,
    budget: undefined,
    coolDown: '24h',
    concurrencyPolicy: 'Forbid',
    successfulHistoryLimit: 3,
    failedHistoryLimit: 3,
  });
  expect(triggersOf(parseTrainingJob(trainingJob(MINIMAL)).spec)).toBeUndefined();
});
