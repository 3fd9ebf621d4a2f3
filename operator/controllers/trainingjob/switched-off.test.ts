import { describe, expect, test } from '@jest/globals';
import type { TrainingJobStatus } from '../../api/index.ts';
import { parseTrainingJob } from '../../api/index.ts';
import { MINIMAL, trainingJob } from '../../api/trainingjob/testing/full-object.ts';
import type { IndexedStore, KubeObject } from '../../runtime/index.ts';
import { createRunStatusWriter } from './status.ts';
import { disabledStatus, tell } from './switched-off.ts';
import { KEY, NAME, Stage } from './testing/stage.ts';

const NOW = Date.UTC(2026, 10, 22);
const stored = (status?: TrainingJobStatus) => ({
  ...trainingJob(MINIMAL),
  metadata: { ...trainingJob(MINIMAL).metadata, generation: 4 },
  ...(status === undefined ? {} : { status }),
});

describe('a TrainingJob where nothing is trained', () => {
  test('is told so, with the name of the switch', () => {
    const status = disabledStatus(stored(), NOW);
    expect(status).toEqual({
      observedGeneration: 4,
      phase: 'Pending',
      conditions: [
        {
          type: 'Progressing',
          status: 'False',
          reason: 'TrainingDisabled',
          message: expect.stringContaining('config.training.enabled in the values of the chart'),
          observedGeneration: 4,
          lastTransitionTime: '2026-11-22T00:00:00Z',
        },
      ],
    });
    // The API server takes it, or nobody is told anything.
    expect(parseTrainingJob({ ...stored(), status }).status).toEqual(status);
  });

  test.each(['Complete', 'Failed'] as const)('that is %s stays so', (phase) => {
    expect(disabledStatus(stored({ phase }), NOW)).toBeUndefined();
  });

  test('promises no next run', () => {
    const before = { phase: 'Scheduled', nextScheduleTime: '2026-11-23T03:00:00Z', runs: [] } as const;
    const status = disabledStatus(stored({ ...before, runs: [] }), NOW);
    expect(status).toMatchObject({ phase: 'Pending', runs: [] });
    expect(status).not.toHaveProperty('nextScheduleTime');
  });
});

test('a run goes on where it was once training is on again', async () => {
  const stage = new Stage();
  await stage.settle();
  const before = stage.status;
  const objects = stage.api.of('trainingjobs') as unknown as IndexedStore<KubeObject>;
  const off = tell(objects, createRunStatusWriter(stage.api.client), () => stage.clock.now());
  const pass = () => off(KEY, new AbortController().signal);
  await pass();
  expect(stage.status).toMatchObject({ phase: 'Pending', attempt: before.attempt });
  expect(stage.condition('Progressing')?.reason).toBe('TrainingDisabled');
  const { length } = stage.api.writes;
  await pass();
  expect(stage.api.writes).toHaveLength(length);

  stage.restart();
  await stage.settle();
  expect(stage.status).toMatchObject({ phase: 'Training', attempt: before.attempt });
  expect(stage.condition('Progressing')?.reason).toBe('Training');
  stage.trained();
  await stage.settle();
  expect(stage.names('jobs')).toEqual([`${NAME}-1`, `${NAME}-gate`]);
});

test('one that is gone, or on its way, is left alone', async () => {
  const stage = new Stage();
  const objects = stage.api.of('trainingjobs') as unknown as IndexedStore<KubeObject>;
  const off = tell(objects, createRunStatusWriter(stage.api.client), () => stage.clock.now());
  await off('shop/nobody', new AbortController().signal);
  const object = stage.object as unknown as KubeObject;
  const deletionTimestamp = new Date(NOW).toISOString();
  stage.api.put('trainingjobs', {
    ...object,
    metadata: { ...object.metadata, deletionTimestamp },
  } as never);
  await off(KEY, new AbortController().signal);
  expect(stage.api.writes).toEqual([]);
});
