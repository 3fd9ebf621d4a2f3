import { expect, test } from '@jest/globals';
import { describeKind } from '../testing/kind-suite.ts';
import { parseModelDeployment } from './kind.ts';
import { MINIMAL, modelDeployment } from './testing/full-object.ts';
import { modelDeploymentSubject } from './testing/subject.ts';

describeKind(modelDeploymentSubject);

test('a minimal object gets the defaults that the documentation promises', () => {
  expect(parseModelDeployment(modelDeployment(MINIMAL)).spec).toEqual({
    ...MINIMAL,
    task: 'forecast',
    server: { replicas: 1, accelerator: 'auto' },
    rollout: {
      steps: [],
      judge: {
        margin: '0.02',
        minLabels: 500,
        maxDuration: '48h',
        onInconclusive: 'Hold',
        onNoData: 'Hold',
      },
      progressDeadline: '10m',
      postPromotionWatch: '24h',
      paused: false,
    },
    revisionHistoryLimit: 10,
  });
});
