import { expect, test } from '@jest/globals';
import { runtime } from '../../../api/clustertrainingruntime/testing/full-object.ts';
import { parseClusterTrainingRuntime, parseTrainingJob } from '../../../api/index.ts';
import { MINIMAL, trainingJob } from '../../../api/trainingjob/testing/full-object.ts';
import { gangJob } from './gang.ts';

function jobOf(searches?: true) {
  const { spec } = parseClusterTrainingRuntime(runtime({ image: 'trainer:1', cpu: {} }));
  const run = parseTrainingJob(trainingJob({ ...MINIMAL, search: { trials: 6 } }));
  const attempt = { number: 1, nodes: 2, onCpu: true, createdAtMs: 0, searches };
  return gangJob({ run, runtime: spec, attempt, settings: {} }, 'a'.repeat(64)).spec as object;
}

const config = { action: 'FailJob', onExitCodes: { containerName: 'trainer', operator: 'In', values: [78] } };
const onPodConditions = [{ type: 'DisruptionTarget', status: 'True' }];

test('a gang ends with the first pod that does', () => {
  expect(jobOf()).toMatchObject({
    completions: 2,
    backoffLimit: 0,
    podReplacementPolicy: 'Failed',
    podFailurePolicy: { rules: [config, { action: 'FailJob', onPodConditions }] },
  });
  expect(jobOf()).not.toHaveProperty('backoffLimitPerIndex');
});

test('those that search are started again one by one, but by what no second try mends', () => {
  const stopped = { ...config.onExitCodes, values: [75] };
  expect(jobOf(true)).toMatchObject({
    completions: 2,
    backoffLimit: 2 ** 31 - 1,
    backoffLimitPerIndex: 2 ** 31 - 1,
    podReplacementPolicy: 'Failed',
    podFailurePolicy: {
      rules: [config, { action: 'Ignore', onPodConditions }, { action: 'Ignore', onExitCodes: stopped }],
    },
  });
});
