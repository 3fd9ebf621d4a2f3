import { describe, expect, test } from '@jest/globals';
import { parseTrainingJob, type TrainingJob, type TrainingJobStatus } from '../api/index.ts';
import { MINIMAL, trainingJob } from '../api/trainingjob/testing/full-object.ts';
import { manualRun } from './train-now.ts';
import { progressText, trainList, trainText } from './train-text.ts';

const NOW = Date.UTC(2026, 10, 22, 1, 30, 12);
const minute = Math.floor(NOW / 60_000);

function object(spec: object = {}, status?: TrainingJobStatus): TrainingJob {
  return { ...parseTrainingJob(trainingJob({ ...MINIMAL, ...spec })), status };
}

const going = {
  name: 'loadcast-1',
  cause: 'Schedule',
  phase: 'Training',
  startedAt: '2026-11-22T01:00:00Z',
} as const;

describe('now', () => {
  test('makes a run of its own, called after the minute', () => {
    const { run, replaced } = manualRun(object({ schedule: '0 3 * * *', suspend: true }), NOW);
    expect(run.metadata).toMatchObject({
      name: `loadcast-${minute}`,
      annotations: { 'foresail.io/training-cause': 'Manual' },
      ownerReferences: [{ kind: 'TrainingJob', controller: true }],
    });
    expect(run.spec).not.toHaveProperty('schedule');
    expect(run.spec).not.toHaveProperty('suspend');
    expect(replaced).toEqual([]);
  });

  test('leaves a run that goes on alone, unless it may be replaced', () => {
    const schedule = '0 3 * * *';
    expect(() => manualRun(object({ schedule }, { runs: [going] }), NOW)).toThrow('loadcast-1 goes on');
    const replaces = object({ schedule, concurrencyPolicy: 'Replace' }, { runs: [going] });
    expect(manualRun(replaces, NOW).replaced).toEqual(['loadcast-1']);
    const over = object({ schedule }, { runs: [{ ...going, endedAt: '2026-11-22T01:20:00Z' }] });
    expect(manualRun(over, NOW).replaced).toEqual([]);
  });

  test('is refused where nothing is trained, in the operator’s own words', () => {
    const conditions = [
      {
        type: 'Progressing',
        status: 'False',
        reason: 'TrainingDisabled',
        message: 'training is switched off',
        lastTransitionTime: going.startedAt,
      },
    ] as const;
    const off = object({ schedule: '0 3 * * *' }, { phase: 'Pending', conditions: [...conditions] });
    expect(() => manualRun(off, NOW)).toThrow('training is switched off');
  });

  test('is refused by one that is a run itself', () => {
    expect(() => manualRun(object(), NOW)).toThrow('neither schedule nor triggers');
  });
});

describe('status', () => {
  test('of an object that nobody has looked at yet', () => {
    expect(trainText(object(), NOW)).toBe(
      'foresail.io/v1alpha1 TrainingJob shop/loadcast: not looked at yet',
    );
  });

  test('of a run: attempts, progress, gate and version', () => {
    const status: TrainingJobStatus = {
      phase: 'Complete',
      attempt: { number: 3, nodes: 2, accelerator: 'cpu', cause: 'disruption', startedAt: going.startedAt },
      workers: { nodes: 2, ready: 1 },
      restarts: { error: 1, disruption: 1, stalled: 0 },
      progress: { step: 100, total: 300, device: 'cpu', eta: '1m30s', loss: '0.31', checkpointStep: 80 },
      candidate: { digest: 'c'.repeat(64), sizeBytes: 1000, path: 'pvc://training/foresail/a/out' },
      gate: { verdict: 'Fail', failed: ['ForecastScore'], scores: { lossVsIncumbent: '1.02', loss: '0.3' } },
      producedVersion: {
        registry: 'loadcast',
        version: 7,
        alias: 'candidate',
        digest: 'c'.repeat(64),
        storageUri: 's3://c',
        time: going.startedAt,
      },
      conditions: [
        {
          type: 'Complete',
          status: 'True',
          reason: 'VersionProduced',
          message: 'version 7',
          lastTransitionTime: going.startedAt,
        },
      ],
    };
    expect(trainText(object({}, status), NOW).split('\n').slice(1)).toEqual([
      '  attempt   3: 2 pods by cpu, after disruption, 1 of 2 pods run',
      '  restarts  error 1, disruption 1',
      '  progress  ████████░░░░░░░░░░░░░░░░ 33 %, step 100 of 300, on cpu, 1m30s left, loss 0.31, checkpoint of step 80',
      '  model     cccccccccccc, 1000 bytes, pvc://training/foresail/a/out',
      '  gate      Fail: ForecastScore',
      '    score            value',
      '    lossVsIncumbent   1.02',
      '    loss               0.3',
      '  version   7 of loadcast, which candidate means (cccccccccccc)',
      '  ✓ Complete=True VersionProduced: version 7',
    ]);
  });

  test('of one pod', () => {
    const attempt = { number: 1, nodes: 1, accelerator: 'cpu', startedAt: going.startedAt } as const;
    const status: TrainingJobStatus = { phase: 'Training', attempt, workers: { nodes: 1, ready: 1 } };
    expect(trainText(object({}, status), NOW)).toContain('  attempt   1: 1 pod by cpu, 1 of 1 pod run');
  });

  test('of a schedule: its runs', () => {
    const status: TrainingJobStatus = {
      phase: 'Scheduled',
      nextScheduleTime: '2026-11-23T03:00:00Z',
      runs: [going, { ...going, name: 'loadcast-0', phase: 'Failed', reason: 'GateFailed', endedAt: 'x' }],
    };
    const text = trainText(object({ schedule: '0 3 * * *' }, status), NOW);
    expect(text).toContain('  schedule  0 3 * * * (UTC), next 2026-11-23T03:00:00Z');
    expect(text).toContain('    loadcast-1  Schedule  Training');
    expect(text).toContain('    loadcast-0  Schedule  Failed (GateFailed)');
  });

  test.each<[string, object, TrainingJobStatus | undefined, string]>([
    ['without a budget', {}, undefined, 'drift, cool-down 24h'],
    [
      'of which none is spent',
      { budget: { runs: 3, per: '168h' } },
      undefined,
      'drift, cool-down 24h, 0 of 3 runs within 168h',
    ],
    [
      'that is spent',
      { budget: { runs: 2, per: '24h' } },
      {
        triggerHistory: {
          startedAt: ['2026-11-22T01:00:00Z', '2026-11-21T02:00:00Z', '2026-11-20T01:00:00Z'],
        },
      },
      'drift, cool-down 24h, 2 of 2 runs within 24h: none before 2026-11-22T02:00:00.000Z',
    ],
    [
      'of which not all is known',
      { budget: { runs: 2, per: '24h' } },
      { triggerHistory: { startedAt: ['2026-11-22T01:00:00Z'], unknownBefore: '2026-11-22T01:00:00Z' } },
      'drift, cool-down 24h, 1 or more runs of 2 within 24h: none before 2026-11-23T01:00:00.000Z',
    ],
  ])('of triggers, with a budget %s', (_, more, status, words) => {
    const lines = trainText(object({ triggers: { drift: true, ...more } }, status), NOW).split('\n');
    expect(lines).toContain(`  triggers  ${words}`);
  });

  test.each([
    [{ step: 0, total: 0 }, '░'.repeat(24), '0 %'],
    [{ step: 400, total: 300 }, '█'.repeat(24), '100 %'],
  ])('a bar of %j has its width', (progress, bar, percent) => {
    expect(progressText(progress)).toContain(`${bar} ${percent}`);
  });
});

test('the list', () => {
  expect(trainList([])).toBe('no TrainingJobs');
  const status = { phase: 'Training', progress: { step: 1, total: 3 } } as const;
  expect(trainList([object({}, status)]).split('\n')[1]).toMatch(/^loadcast +Training +patch-mixer +33 %/);
});
