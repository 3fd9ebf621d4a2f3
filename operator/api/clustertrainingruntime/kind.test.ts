import { expect, test } from '@jest/globals';
import { describeKind } from '../testing/kind-suite.ts';
import { parseClusterTrainingRuntime } from './kind.ts';
import { MINIMAL, runtime } from './testing/full-object.ts';
import { clusterTrainingRuntimeSubject } from './testing/subject.ts';

describeKind(clusterTrainingRuntimeSubject);

test('a minimal object gets the defaults that the documentation promises', () => {
  expect(parseClusterTrainingRuntime(runtime({ image: 'trainer', gpu: {} })).spec).toEqual({
    image: 'trainer',
    command: ['foresail-train', '--config', '/etc/foresail/train.json'],
    maxNodes: 8,
    maxProcsPerNode: 8,
    gpu: { resourceNames: ['nvidia.com/gpu'] },
    searchScratch: { sizeLimit: '10Gi' },
    security: {},
    gate: {},
  });
  expect(parseClusterTrainingRuntime(runtime(MINIMAL)).spec.gpu).toBeUndefined();
});
