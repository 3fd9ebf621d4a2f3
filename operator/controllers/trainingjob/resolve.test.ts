import { expect, test } from '@jest/globals';
import { runtime } from '../../api/clustertrainingruntime/testing/full-object.ts';
import { parseClusterTrainingRuntime, parseTrainingJob } from '../../api/index.ts';
import { MINIMAL, trainingJob } from '../../api/trainingjob/testing/full-object.ts';
import { runSettings } from './resolve.ts';

const RULES = { elasticWaitMs: 1, fencingMs: 1, restartDelay: { firstMs: 1, mostMs: 1 } };

test.each([
  ['one that trials bound, too', { gpuHours: '2', trials: 9 }, 600_000],
  ['one that only GPUs bound', { gpuHours: '2' }, undefined],
])(
  'a run without room for its GPUs goes on by CPU, but not with a search, here %s, that would never end',
  (_, search, ms) => {
    const { spec: allowed } = parseClusterTrainingRuntime(runtime({ image: 'trainer:1', cpu: {}, gpu: {} }));
    const { spec } = parseTrainingJob(trainingJob({ ...MINIMAL, search: { ...search, parallelism: 1 } }));
    expect(runSettings({ spec }, { runtime: allowed, gpu: true }, RULES).gpuFallbackMs).toBe(ms);
  },
);
