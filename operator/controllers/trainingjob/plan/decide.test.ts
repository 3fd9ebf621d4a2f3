import { describe, expect, test } from '@jest/globals';
import { PASS, RESULT, SimulatedRun } from '../testing/simulated-run.ts';
import { decide } from './decide.ts';
import type { SeenPod } from './types.ts';

const MINUTE = 60_000;
const training = (settings: ConstructorParameters<typeof SimulatedRun>[0] = {}) =>
  new SimulatedRun(settings).settle().start().settle();
/** Taken down, and past whatever the next one waits for. */
const again = (run: SimulatedRun) =>
  run
    .settle()
    .after(3 * MINUTE)
    .settle()
    .after(6 * MINUTE)
    .settle()
    .start()
    .settle();

test('a run trains, passes the gate and is a version', () => {
  const run = training();
  expect(run.phase).toBe('Training Training');
  run.trained().settle();
  expect(run.phase).toBe('Gating Gating');
  expect(run.state.result).toEqual({ ...RESULT, attempt: 1 });
  run.judged().settle();
  expect(run.phase).toBe('Complete VersionProduced');
  expect(run.state).toMatchObject({ produced: { version: 1 }, restarts: {} });
  expect(run.log).toEqual([
    'AttemptStarted',
    'launch',
    'Trained',
    'startGate',
    'GatePassed',
    'register',
    'RunCompleted',
  ]);
});

test('a claim that takes no checkpoint is named while it trains, and no longer when it takes one', () => {
  const run = training().step(40);
  const say = (checkpointError: string | undefined) => {
    run.progress = { step: 40, total: 100, atMs: run.nowMs, checkpointStep: 20, checkpointError };
    return run.settle();
  };
  expect(say('No space left on device').phase).toBe('Training CheckpointFailed');
  expect(run.last?.now.message).toBe(
    'it trains, but the claim runs takes no checkpoint, the newest is of step 20: No space left on device',
  );
  expect(say(undefined).phase).toBe('Training Training');
});

test('what does not pass the gate makes no version, and says which gates', () => {
  const run = training().trained().settle();
  run.judged({ ...PASS, verdict: 'Fail', failed: ['ForecastScore', 'Leakage'] }).settle();
  expect(run.phase).toBe('Failed GateFailed');
  expect(run.last?.now.message).toContain('ForecastScore, Leakage');
  expect(run.registered).toBe(0);
});

test('a gate’s pod on a node that is lost goes by force, so that its Job can make another', () => {
  const run = training().trained().settle();
  const [pod] = run.gate.pods;
  if (pod === undefined) throw new Error('no pod');
  Object.assign(pod, { goneByMs: run.nowMs, dead: true });
  expect(run.pass().requeueAfterMs).toBe(MINUTE);
  expect(run.after(MINUTE).pass().actions).toEqual([{ kind: 'deletePod', name: 'gate', graceMs: 0 }]);
});

test.each<[string, (run: SimulatedRun) => unknown]>([
  ['while the run is suspended', (run) => run.suspend(true)],
  ['when its Job is going', ({ gate }) => Object.assign(gate.job ?? {}, { deleting: true })],
  ['when its Job is gone', (run) => delete run.gate.job],
])('a gate’s pod on a node that is lost goes by force %s, too', (_, happens) => {
  const run = training().trained().settle();
  const { gate } = run;
  happens(run);
  const [pod] = gate.pods;
  Object.assign(pod ?? {}, { goneByMs: run.nowMs, dead: true });
  // What is left is of a gate that somebody else has already begun to take down.
  run.gate = {
    ...gate,
    ...(run.settings.suspend && gate.job ? { job: { ...gate.job, deleting: true } } : {}),
  };
  run.pass();
  expect(run.pass().requeueAfterMs).toBe(MINUTE);
  expect(run.after(MINUTE).pass().actions).toEqual([{ kind: 'deletePod', name: 'gate', graceMs: 0 }]);
});

test('a file that is not the one that was trained becomes no version', () => {
  const published = { storageUri: 's3://models/loadcast/d', sha256: 'd'.repeat(64) };
  const run = training()
    .trained()
    .settle()
    .judged({ ...PASS, published })
    .settle();
  expect([run.phase, run.registered]).toEqual(['Failed NotPublished', 0]);
  expect(run.last?.now.message).toContain(`${'d'.repeat(64)} to the store, the one that was trained had ccc`);
});

describe('a gate that finds no room on a volume', () => {
  const words = { error: { code: 'ARTIFACT_NO_SPACE', message: 'no space is left in /mnt/pvc/models/web' } };

  test('is held again, later each time, and keeps what was trained', () => {
    const run = training({ backoffLimit: 0 }).trained().settle();
    const { result } = run.state;
    const waits = [1, 2, 3, 4, 5, 6, 7].map((times) => {
      run.gateEnds(74, words).settle();
      expect([run.phase, run.gate.job]).toEqual(['Pending VolumeFull', undefined]);
      expect(run.last?.now.message).toBe(
        'a volume has no room for what the gate writes; pod gate: exit code 74: ARTIFACT_NO_SPACE: ' +
          'no space is left in /mnt/pvc/models/web',
      );
      expect(run.state).toMatchObject({ result, restarts: {}, gateWait: { times } });
      const wait = (run.state.gateWait?.retryAtMs ?? 0) - run.nowMs;
      expect(run.pass().requeueAfterMs).toBe(wait);
      run.after(wait).settle();
      expect(run.phase).toBe('Gating Gating');
      return wait / 1_000;
    });
    expect(waits).toEqual([10, 20, 40, 80, 160, 300, 300]);
    run.judged().settle();
    expect([run.phase, run.registered]).toEqual(['Complete VersionProduced', 1]);
    expect(run.log.filter((each) => each === 'register' || each === 'launch')).toEqual([
      'launch',
      'register',
    ]);
  });

  test('after its verdict has judged all the same', () => {
    const run = training().trained().settle().gateEnds(74, { gate: PASS }).settle();
    expect([run.phase, run.state.gateWait, run.registered]).toEqual([
      'Complete VersionProduced',
      undefined,
      1,
    ]);
  });

  test('waits no longer where its verdict is heard late', () => {
    const run = training().trained().settle().gateEnds(74);
    run.pass();
    expect(run.state.gateWait?.retryAtMs).toBeGreaterThan(run.nowMs);
    Object.assign(run.gate.pods[0] ?? {}, { told: { gate: PASS } });
    run.settle();
    expect([run.phase, run.state.gateWait?.retryAtMs]).toEqual(['Complete VersionProduced', undefined]);
  });

  test('is not held while the run is suspended', () => {
    const run = training().trained().settle().gateEnds(74).settle().suspend(true).after(MINUTE).settle();
    expect([run.phase, run.gate.job]).toEqual(['Suspended Suspended', undefined]);
    run.suspend(false).settle().judged().settle();
    expect(run.phase).toBe('Complete VersionProduced');
  });
});

test('a gate that fails otherwise ends the run', () => {
  const run = training()
    .trained()
    .settle()
    .gateEnds(2, { error: { code: 'DATA_INVALID', message: 'none' } });
  run.settle().after(15_000).settle();
  expect(run.phase).toBe('Failed GateError');
  expect(run.last?.now.message).toBe('the gate could not judge: pod gate: exit code 2: DATA_INVALID: none');
});

test('without an output a model that passes stays where it is', () => {
  expect(training({ registers: false }).trained().settle().judged().settle().phase).toBe('Complete Trained');
});

describe('an attempt that ends', () => {
  test.each<[string, (run: SimulatedRun) => unknown, object]>([
    ['by an error', (run) => run.exit(1, 1), { Error: 1 }],
    ['out of memory', (run) => run.exit(1, 137), { Error: 1 }],
    ['by an eviction', (run) => run.evict(1), { Disruption: 1 }],
    [
      'by an eviction whose errors of other ranks are seen first',
      (run) => run.nodeDies(1).exit(0, 1),
      { Disruption: 1 },
    ],
    [
      'by a node that is lost while a rank waits for it',
      (run) => run.nodeDies(1).after(11 * MINUTE),
      { Disruption: 1 },
    ],
    ['as it was stopped from outside', (run) => run.exit(0, 75), { Disruption: 1 }],
    ['as a newer one has the folder', (run) => run.exit(0, 79), { Fenced: 1 }],
    ['as its volume has no room', (run) => run.exit(0, 74), { VolumeFull: 1 }],
    [
      'as it makes no step',
      (run) =>
        run
          .step(1)
          .after(5 * MINUTE)
          .step(2)
          .after(10 * MINUTE),
      { Stalled: 1 },
    ],
    ['as its Job is deleted', (run) => run.deleteJob(), { Disruption: 1 }],
    ['well, but without a model', (run) => run.trained({}).settle().after(MINUTE), { Error: 1 }],
  ])('%s is followed by the next', (_, happens, restarts) => {
    const run = training();
    happens(run);
    again(run);
    expect(run.state).toMatchObject({ attempt: { number: 2 }, restarts });
    expect(run.phase).toBe('Training Training');
    run.trained().settle().judged().settle();
    expect(run.phase).toBe('Complete VersionProduced');
  });

  test('by its configuration ends the run at once', () => {
    const run = training().exit(1, 78, {
      error: { code: 'DATA_INVALID', message: 'data.uri: no such folder' },
    });
    run.settle();
    expect(run.phase).toBe('Failed ConfigError');
    expect(run.last?.now.message).toBe('node 1: exit code 78: DATA_INVALID: data.uri: no such folder');
    expect(run.log).not.toContain('deleteAttempt');
  });

  test('as its volume is full waits longer each time, names the claim and fails never', () => {
    const run = training({ backoffLimit: 0 });
    const waits: number[] = [];
    for (let i = 0; i < 7; i += 1) {
      run
        .after(2 * MINUTE)
        .exit(0, 74, { error: { code: 'VOLUME_FULL', message: 'no room to write' } })
        .settle()
        .after(3 * MINUTE)
        .settle();
      expect(run.phase).toBe('Pending VolumeFull');
      const { ended } = run.state.attempt ?? {};
      expect(ended?.message).toBe(
        'the claim runs has no room; node 0: exit code 74: VOLUME_FULL: no room to write',
      );
      const wait = (ended?.retryAtMs ?? 0) - run.nowMs;
      waits.push(wait);
      run.after(wait).settle().start().settle();
    }
    expect(waits).toEqual([10, 20, 40, 80, 160, 300, 300].map((seconds) => seconds * 1_000));
    expect(run.phase).toBe('Training Training');
  });

  test('leaves no pod before the next one starts', () => {
    const run = training().exit(0, 1).settle();
    expect(run.gangs.size).toBe(1);
    run.after(MINUTE).settle();
    expect([run.gangs.size, run.state.attempt?.number]).toEqual([1, 1]);
    run.after(MINUTE).settle();
    expect([run.gangs.size, run.state.attempt?.ended?.retryAtMs]).toEqual([0, run.nowMs + 10_000]);
    run.after(10_000).settle();
    expect(run.state.attempt).toMatchObject({ number: 2, after: 'Error' });
  });

  test('by making no step leaves within seconds: it has no checkpoint to write', () => {
    const run = training()
      .step(1)
      .after(10 * MINUTE)
      .settle();
    expect([run.state.attempt?.ended?.cause, run.live()]).toEqual(['Stalled', [1]]);
    run.after(9_000).settle();
    expect(run.gangs.size).toBe(1);
    run.after(1_000).settle();
    expect([run.gangs.size, run.state.attempt?.ended?.retryAtMs]).toEqual([0, run.nowMs + 10_000]);
  });

  test('by making no step is hurried also where its Job was deleted just before', () => {
    const run = training()
      .step(1)
      .after(10 * MINUTE);
    run.pass();
    run.deleteJob();
    const pods = ['run-1-0', 'run-1-1'];
    expect(run.pass().actions).toEqual(pods.map((name) => ({ kind: 'deletePod', name, graceMs: 10_000 })));
    expect(run.pass().actions).toEqual([]);
  });

  test('on a dead node waits for the fence, and its pod goes by force', () => {
    const run = training()
      .nodeDies(1)
      .evict(1)
      .settle()
      .after(2 * MINUTE)
      .settle();
    expect(run.live()).toEqual([1]);
    run.after(MINUTE).settle();
    expect(run.log).toContain('deletePod');
    expect(run.live()).toEqual([]);
  });
});

test('errors beyond the limit end the run, and the pods of the last one keep their logs', () => {
  const run = training({ backoffLimit: 1 }).exit(0, 1);
  again(run)
    .exit(1, 3)
    .settle()
    .after(3 * MINUTE)
    .settle();
  expect(run.phase).toBe('Failed BackoffLimitExceeded');
  expect(run.state.restarts).toEqual({ Error: 2 });
  expect(run.current?.pods).toHaveLength(1);
});

test('the next attempt waits twice as long after each error', () => {
  const run = training({ backoffLimit: 9 });
  const waits = [1, 2, 3, 4].map(() => {
    run
      .exit(0, 1)
      .settle()
      .after(2 * MINUTE)
      .settle();
    const wait = (run.state.attempt?.ended?.retryAtMs ?? 0) - run.nowMs;
    run.after(wait).settle().start().settle();
    return wait / 1000;
  });
  expect(waits).toEqual([10, 20, 40, 80]);
});

describe('suspended', () => {
  test('it stops with a checkpoint and goes on as a new attempt', () => {
    const run = training().suspend(true).settle();
    expect(run.phase).toBe('Suspended Stopping');
    run
      .exit(0, 75)
      .after(2 * MINUTE)
      .settle();
    expect(run.phase).toBe('Suspended Suspended');
    expect(run.gangs.size).toBe(0);
    run.suspend(false).settle().start().settle();
    expect(run.state).toMatchObject({ attempt: { number: 2 }, restarts: { Suspended: 1 } });
    expect(run.phase).toBe('Training Training');
  });

  test('before it began nothing is made', () => {
    const run = new SimulatedRun({ suspend: true }).settle();
    expect([run.phase, run.gangs.size, run.state]).toEqual(['Suspended Suspended', 0, { restarts: {} }]);
    run.suspend(false).settle();
    expect(run.gangs.size).toBe(1);
  });

  test('in the gate, which is made anew', () => {
    const run = training().trained().settle().suspend(true).settle();
    expect([run.phase, run.gate.job]).toEqual(['Suspended Suspended', undefined]);
    run.suspend(false).settle().judged().settle();
    expect(run.phase).toBe('Complete VersionProduced');
  });
});

describe('in a queue', () => {
  test('it waits suspended until it is let go', () => {
    const run = new SimulatedRun({ queued: true }).settle().after(3600_000).settle();
    expect([run.phase, run.current?.pods]).toEqual(['Queued WaitingForQueue', []]);
    run.letGo().settle().start().settle();
    expect(run.phase).toBe('Training Training');
  });

  test('an operator that starts anew leaves it in its place', () => {
    const run = new SimulatedRun({ queued: true }).settle().restart().settle();
    expect([run.phase, run.state.attempt?.number]).toEqual(['Queued WaitingForQueue', 1]);
  });

  test('what its queue takes away again comes back as a new attempt', () => {
    const run = new SimulatedRun({ queued: true }).settle().letGo().settle().start().settle();
    const job = run.current?.job;
    if (job === undefined) throw new Error('no Job');
    job.suspended = true;
    run
      .settle()
      .after(3 * MINUTE)
      .settle();
    expect(run.state).toMatchObject({ restarts: { Disruption: 1 } });
    run.after(MINUTE).settle();
    expect([run.phase, run.state.attempt?.number]).toEqual(['Queued WaitingForQueue', 2]);
  });
});

test('a start that was cut off costs a number and nothing else', () => {
  const run = new SimulatedRun();
  run.cutOff = true;
  run.settle().settle().start().settle();
  expect(run.state.attempt?.number).toBe(2);
  expect(run.phase).toBe('Training Training');
});

describe('without room', () => {
  test('it says what the scheduler says', () => {
    const run = new SimulatedRun().settle().start(0, '0/3 nodes are available: 3 Insufficient cpu.').settle();
    expect(run.last?.now.message).toContain('3 Insufficient cpu');
  });

  test('a claim that is not bound is waited for, and costs no GPUs', () => {
    const run = new SimulatedRun({ gpu: true, gpuFallbackMs: 600_000 }).settle();
    run.start(0, 'pod has unbound immediate PersistentVolumeClaims').after(3600_000).settle();
    expect(run.phase).toBe('Pending WaitingForVolume');
    expect(run.state.attempt).toMatchObject({ number: 1, onCpu: false });
  });

  test('the wait for a claim that is over is no wait for room', () => {
    const claim = 'pod has unbound immediate PersistentVolumeClaims';
    const gpus = '0/3 nodes are available: 3 Insufficient nvidia.com/gpu.';
    const run = new SimulatedRun({ gpu: true, gpuFallbackMs: 10 * MINUTE }).settle();
    run.start(0, claim).after(3600_000).settle().start(0, gpus).restart().settle();
    expect(run.phase).toBe('Pending WaitingForGpu');
    expect(run.pass().requeueAfterMs).toBe(10 * MINUTE);
    run.after(10 * MINUTE - 1).settle();
    expect(run.state.attempt).toMatchObject({ number: 1, onCpu: false });
    run.after(1).settle();
    expect(run.state.attempt).toMatchObject({ number: 2, onCpu: true, after: 'CpuFallback' });
  });

  test('nor is it one for an elastic gang', () => {
    const run = new SimulatedRun({ nodes: 4, minNodes: 2 }).settle();
    run.start(0, 'persistentvolumeclaim "runs" not found').after(3600_000).settle();
    expect(run.phase).toBe('Pending WaitingForVolume');
    run.start(3, '0/3 nodes are available: 3 Insufficient cpu.').settle();
    expect([run.phase, run.state.attempt?.number]).toEqual(['Pending WaitingForRoom', 1]);
    expect(run.pass().requeueAfterMs).toBe(2 * MINUTE);
    run.after(2 * MINUTE).settle();
    expect(run.state.attempt?.ended).toMatchObject({ cause: 'Resized', nextNodes: 3 });
  });

  test('it waits, and says so', () => {
    const run = new SimulatedRun().settle().start(0).settle().after(3600_000).settle();
    expect(run.phase).toBe('Pending WaitingForRoom');
    expect(run.state.attempt?.number).toBe(1);
  });

  test('an elastic one goes on with the pods that have it, and asks for all of them the next time', () => {
    const run = new SimulatedRun({ nodes: 4, minNodes: 2 })
      .settle()
      .start(3)
      .settle()
      .after(2 * MINUTE);
    run
      .settle()
      .after(2 * MINUTE)
      .settle()
      .start()
      .settle();
    expect(run.state).toMatchObject({ attempt: { number: 2, nodes: 3, after: 'Resized' } });
    expect(again(run.evict(0)).state).toMatchObject({ attempt: { number: 3, nodes: 4 } });
  });

  test('one that was shrunk grows when it is suspended and resumed', () => {
    const run = new SimulatedRun({ nodes: 4, minNodes: 2 })
      .settle()
      .start(3)
      .settle()
      .after(2 * MINUTE)
      .settle()
      .after(2 * MINUTE)
      .settle()
      .start()
      .settle();
    expect(run.state.attempt).toMatchObject({ number: 2, nodes: 3 });
    run
      .suspend(true)
      .settle()
      .after(2 * MINUTE)
      .settle()
      .suspend(false)
      .settle()
      .start()
      .settle();
    expect(run.state).toMatchObject({
      attempt: { number: 3, nodes: 4 },
      restarts: { Suspended: 1, Resized: 1 },
    });
  });

  test('with less than it needs an elastic one waits too', () => {
    const run = new SimulatedRun({ nodes: 4, minNodes: 3 })
      .settle()
      .start(2)
      .settle()
      .after(3600_000)
      .settle();
    expect([run.phase, run.state.attempt?.number]).toEqual(['Pending WaitingForRoom', 1]);
  });

  test('one that wants GPUs goes on by CPU in time, and stays there', () => {
    const run = new SimulatedRun({ gpu: true, gpuFallbackMs: 10 * MINUTE }).settle().start(0).settle();
    expect(run.phase).toBe('Pending WaitingForGpu');
    run
      .after(10 * MINUTE)
      .settle()
      .start()
      .settle();
    expect(run.state.attempt).toMatchObject({ number: 2, onCpu: true, after: 'CpuFallback' });
    expect(again(run.evict(0)).state.attempt).toMatchObject({ number: 3, onCpu: true });
  });
});

test('progress is written at most every ten seconds, and not for a time alone', () => {
  const run = training().step(1).settle();
  expect(run.state.progress?.step).toBe(1);
  expect(run.after(5_000).step(2).pass().requeueAfterMs).toBe(5_000);
  expect(run.state.progress?.step).toBe(1);
  run.after(5_000).settle();
  expect(run.state.progress?.step).toBe(2);
  const before = run.state;
  run.after(30_000).step(2).settle();
  expect(run.state).toBe(before);
});

test('an operator that starts anew gives the workers their deadline again', () => {
  const run = training()
    .step(5)
    .settle()
    .after(9 * MINUTE)
    .restart()
    .after(9 * MINUTE)
    .settle();
  expect(run.state.attempt?.number).toBe(1);
  run.after(MINUTE).settle();
  expect(run.state.attempt?.ended?.cause).toBe('Stalled');
});

test('old pods of its name on a node that is lost go by force, and it starts', () => {
  const run = new SimulatedRun().settle();
  const stranger: SeenPod = { name: 'old', done: false, running: true, goneByMs: run.nowMs, told: {} };
  run.state = { ...run.state, attempt: { number: 1, nodes: 2, onCpu: true, createdAtMs: run.nowMs } };
  run.gangs.clear();
  const observed = { ...run.observed(), strangers: [stranger] };
  expect(decide(observed)).toMatchObject({
    now: { reason: 'WaitingForOldPods' },
    actions: [],
    requeueAfterMs: MINUTE,
  });
  expect(decide({ ...observed, nowMs: run.nowMs + MINUTE }).actions).toEqual([
    { kind: 'deletePod', name: 'old', graceMs: 0 },
  ]);
});

test('what is refused for a while begins no attempt, and goes on with the GPUs that it had', () => {
  const refusal = { reason: 'RuntimeNotFound', message: 'there is none' };
  const run = training({ gpu: true });
  run.settings = { ...run.settings, gpu: false, refusal };
  run.settle();
  expect(run.phase).toBe('Training Training');
  again(run.evict(0));
  expect([run.phase, run.state.attempt?.number]).toEqual(['Pending RuntimeNotFound', 1]);
  run.settings = { ...run.settings, gpu: true, refusal: undefined };
  expect(run.settle().state.attempt).toMatchObject({ number: 2, onCpu: false });
});

test('a Job of another attempt that nobody knows of is taken down before anything starts', () => {
  const run = training();
  run.state = { restarts: {} };
  run
    .settle()
    .after(3 * MINUTE)
    .settle();
  expect(run.state.attempt?.number).toBe(2);
  expect([...run.gangs.keys()]).toEqual([2]);
});

test('a finished run is deleted when its time is over', () => {
  const run = training({ ttlMs: MINUTE }).trained().settle().judged().settle();
  expect([run.deleted, run.last?.requeueAfterMs]).toEqual([false, MINUTE]);
  run.after(MINUTE).pass();
  expect(run.deleted).toBe(true);
});
