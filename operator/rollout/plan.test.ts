import { describe, expect, test } from '@jest/globals';
import { MINUTE, SECOND, source, World } from './testing/world.ts';
import type { RolloutSettings } from './types.ts';

const CAREFUL: RolloutSettings['steps'] = [
  { shadow: { percent: 100 } },
  { analysis: {} },
  { setWeight: 10 },
  { pause: { durationMs: 30 * MINUTE } },
  { setWeight: 50 },
  { pause: {} },
];

/** Version 1 serves, version 2 is on its way. */
function rolling(settings: Partial<RolloutSettings> = {}): World {
  const world = new World({ steps: CAREFUL, ...settings });
  world.settle();
  world.wanted = source('b');
  world.settle();
  return world;
}

/** Version 2 has replaced version 1. */
function promoted(settings: Partial<RolloutSettings> = {}): World {
  const world = rolling({ steps: [], ...settings });
  expect(world.outcomes()).toBe('1 Replaced, 2 Serving');
  return world;
}

describe('the first version', () => {
  test('gets no traffic before a pod is ready, and takes no steps', () => {
    const world = new World({ steps: CAREFUL });
    expect(world.pass()).toMatchObject({ phase: 'Pending', versions: [{ version: 1, replicas: 4 }] });
    expect(world.traffic).toBe('');
    world.pods.set(1, { replicas: 4, ready: 1, available: 1 });
    expect(world.pass().phase).toBe('Healthy');
    expect(world.traffic).toBe('1:100');
  });

  test('that never gets ready is not given up, since there is nothing to go back to', () => {
    const world = new World();
    world.broken.add(1);
    world.settle();
    const plan = world.after(60 * MINUTE);
    expect(plan).toMatchObject({ phase: 'Pending', versions: [{ version: 1 }] });
    expect(plan.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'False' }));
  });

  test('that never got ready makes way for the next', () => {
    const world = new World();
    world.broken.add(1);
    world.settle();
    world.wanted = source('b');
    world.settle();
    expect(world.traffic).toBe('2:100');
    expect(world.outcomes()).toBe('1 Superseded, 2 Serving');
  });
});

test('a version that is given its first weight in the very plan that would take a pod keeps its pods', () => {
  const world = new World({ steps: [] });
  world.settle();
  world.wanted = source('b');
  world.pass();
  // Without steps it has all pods; one is late, so it is not promoted yet.
  world.pods.set(2, { replicas: 4, ready: 3, available: 3 });
  world.pass();
  world.settings = { ...world.settings, steps: [{ setWeight: 60 }, { pause: {} }] };
  world.pass();
  expect(world.traffic).toBe('1:40 2:60');
  expect(world.pods.get(2)?.replicas).toBe(4);
});

describe('a good version', () => {
  test('is shadowed, judged, weighed and promoted, and stable keeps all its pods until then', () => {
    const world = rolling();
    expect(world.traffic).toBe('1:100 2:0~100');
    expect(world.ordered).toBe('1x4 2x4');
    world.says('Promote');
    world.settle();
    expect(world.traffic).toBe('1:90 2:10~100');
    expect(world.after(29 * MINUTE).phase).toBe('Paused');
    expect(world.traffic).toBe('1:90 2:10~100');
    world.after(MINUTE);
    expect(world.traffic).toBe('1:50 2:50~100');
    world.change({ promote: { version: 2, step: 5 } });
    expect(world.settle().phase).toBe('Healthy');
    expect(world.traffic).toBe('2:100');
    expect(world.ordered).toBe('1x4 2x4');
    expect(world.outcomes()).toBe('1 Replaced, 2 Serving');
    world.after(59 * MINUTE);
    expect(world.ordered).toBe('1x4 2x4');
    world.after(2 * MINUTE);
    expect(world.ordered).toBe('2x4');
  });

  test('gets the pods of its weight, no weight before they are ready, and all of them before it is promoted', () => {
    const world = new World({ replicas: 10, steps: [{ setWeight: 25 }, { pause: {} }] });
    world.settle();
    world.wanted = source('b');
    world.pass();
    expect(world.ordered).toBe('1x10 2x3');
    world.pods.set(2, { replicas: 3, ready: 2, available: 2 });
    world.pass();
    expect(world.traffic).toBe('1:100');
    world.startPods();
    world.pass();
    expect(world.traffic).toBe('1:75 2:25');
    world.change({ promote: { version: 2 } });
    world.pass();
    world.pass();
    expect(world.ordered).toBe('1x10 2x10');
    expect(world.traffic).toBe('1:75 2:25');
    world.startPods();
    world.pass();
    expect(world.traffic).toBe('2:100');
  });

  test('that was promoted by a word for another version is not', () => {
    const world = rolling({ promote: { version: 3 } });
    expect(world.traffic).toBe('1:100 2:0~100');
  });
});

describe('an analysis', () => {
  const steps = [{ analysis: {} }];
  const reasons = (world: World) =>
    world.plan?.conditions
      .filter(({ type }) => type !== 'Ready')
      .map(({ type, reason }) => `${type} ${reason}`);

  test('without a judge is held and says so, whatever the time', () => {
    const world = rolling({ steps });
    world.judge = 'none';
    world.after(1_000 * MINUTE);
    expect(world.plan?.phase).toBe('Paused');
    expect(reasons(world)).toEqual(['Progressing NoJudge', 'Judged NoJudge']);
    world.change({ promote: { version: 2, step: 0 } });
    world.settle();
    expect(world.traffic).toBe('2:100');
  });

  test.each<[string, 'Inconclusive' | undefined, Partial<RolloutSettings['judge']>, string]>([
    ['no verdict, Hold', 'Inconclusive', {}, '1 Serving, 2 Rolling'],
    ['no verdict, Promote', 'Inconclusive', { onInconclusive: 'Promote' }, '1 Replaced, 2 Serving'],
    ['no verdict, Rollback', 'Inconclusive', { onInconclusive: 'Rollback' }, '1 Serving, 2 Aborted'],
    ['no data, Hold', undefined, { onInconclusive: 'Promote' }, '1 Serving, 2 Rolling'],
    ['no data, Rollback', undefined, { onNoData: 'Rollback' }, '1 Serving, 2 Aborted'],
  ])('%s', (_, verdict, judge, outcomes) => {
    const world = new World({ steps });
    world.change({ judge: { ...world.settings.judge, ...judge } });
    world.settle();
    world.wanted = source('b');
    world.settle();
    if (verdict !== undefined) world.says(verdict);
    world.after(59 * MINUTE);
    expect(world.outcomes()).toBe('1 Serving, 2 Rolling');
    world.after(MINUTE);
    expect(world.outcomes()).toBe(outcomes);
  });

  test('an Inconclusive of no labels is no data', () => {
    const world = rolling({ steps });
    world.change({ judge: { maxDurationMs: MINUTE, onInconclusive: 'Promote', onNoData: 'Rollback' } });
    world.says('Inconclusive', 0);
    world.after(MINUTE);
    expect(world.outcomes()).toBe('1 Serving, 2 Aborted');
  });

  test('whatever was scored is no data while a guard is blind', () => {
    const world = rolling({ steps });
    world.change({ judge: { maxDurationMs: MINUTE, onInconclusive: 'Promote', onNoData: 'Rollback' } });
    world.judge = { candidate: 2, baseline: 1, verdict: 'Inconclusive', labels: 700, blind: true };
    world.after(MINUTE);
    expect(world.outcomes()).toBe('1 Serving, 2 Aborted');
  });

  test('a version that goes back says why in the judge’s word', () => {
    const world = rolling({ steps });
    world.judge = {
      candidate: 2,
      baseline: 1,
      verdict: 'Rollback',
      labels: 0,
      reason: 'ErrorsGuardBreached',
      message: 'guard Errors',
    };
    world.settle();
    expect(world.state.history.at(-1)).toMatchObject({
      reason: 'ErrorsGuardBreached',
      message: 'guard Errors',
    });
  });

  test('a verdict about other versions says nothing', () => {
    const world = rolling({ steps });
    world.judge = { candidate: 2, baseline: 7, verdict: 'Promote', labels: 9 };
    world.settle();
    world.judge = { candidate: 1, baseline: 2, verdict: 'Rollback', labels: 9 };
    world.settle();
    expect(world.outcomes()).toBe('1 Serving, 2 Rolling');
  });
});

describe('a bad version', () => {
  test('goes back at any step when the judge says so, and is not revived', () => {
    const world = rolling();
    world.says('Promote');
    world.settle();
    expect(world.traffic).toBe('1:90 2:10~100');
    world.says('Rollback');
    expect(world.pass().phase).toBe('Degraded');
    expect(world.traffic).toBe('1:100');
    expect(world.ordered).toBe('1x4 2x4'); // drains first
    world.after(31 * SECOND);
    expect(world.ordered).toBe('1x4');
    world.after(100 * MINUTE);
    expect(world.outcomes()).toBe('1 Serving, 2 Aborted');
    expect(world.plan?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Progressing', status: 'False', reason: 'JudgedWorse' }),
    );
  });

  test('whose pods crash goes back at the deadline, having touched nothing', () => {
    const world = new World({ steps: CAREFUL });
    world.settle();
    world.broken.add(2);
    world.wanted = source('b');
    world.settle();
    world.after(10 * MINUTE - 1);
    expect(world.outcomes()).toBe('1 Serving, 2 Rolling');
    world.after(1);
    expect(world.outcomes()).toBe('1 Serving, 2 Aborted');
    expect(world.events.map(({ reason }) => reason)).toEqual([
      'RolloutStarted',
      'Promoted',
      'RolloutStarted',
      'CanaryAborted',
    ]);
    expect(world.traffic).toBe('1:100');
  });

  test('whose pods crash with weight loses it at once, and gets it back when they are ready again', () => {
    const world = rolling({ steps: [{ setWeight: 50 }, { pause: {} }] });
    expect(world.traffic).toBe('1:50 2:50');
    world.broken.add(2);
    world.startPods();
    world.pass();
    expect(world.traffic).toBe('1:100');
    world.broken.delete(2);
    world.startPods();
    world.pass();
    expect(world.traffic).toBe('1:50 2:50');
  });

  test('that gets ready and crashes, again and again, goes back though it is never unready for long', () => {
    const world = rolling({ steps: [{ setWeight: 50 }, { pause: {} }] });
    const crash = (restarts: number) => {
      world.pods.set(2, { replicas: 2, ready: 2, available: 2, restarts });
      world.pass();
    };
    crash(2);
    expect(world.outcomes()).toBe('1 Serving, 2 Rolling');
    crash(3);
    expect(world.outcomes()).toBe('1 Serving, 2 Aborted');
    expect(world.traffic).toBe('1:100');
  });

  test('is aborted by a person also while it is paused', () => {
    const world = rolling({ paused: true });
    world.change({ abort: { version: 2 } });
    world.settle();
    expect(world.outcomes()).toBe('1 Serving, 2 Aborted');
  });

  test('is tried anew as a version of its own, once', () => {
    const world = rolling();
    world.change({ abort: { version: 2 } });
    world.settle();
    world.change({ retry: { version: 2 } });
    world.settle();
    expect(world.outcomes()).toBe('1 Serving, 2 Aborted, 3 Rolling');
    world.change({ abort: { version: 3 } });
    world.settle();
    expect(world.outcomes()).toBe('1 Serving, 2 Aborted, 3 Aborted');
  });
});

test('abort with nothing running does nothing', () => {
  const world = new World({ abort: { version: 1 } });
  world.judge = 'none';
  const healthy = promoted();
  const before = structuredClone(healthy.state);
  healthy.change({ abort: { version: 2 } });
  expect(healthy.settle().phase).toBe('Healthy');
  expect(healthy.state).toEqual(before);
});

describe('a third version', () => {
  test('goes back to stable first: no weight of the second is published when the third begins', () => {
    const world = rolling({ steps: [{ setWeight: 50 }, { pause: {} }] });
    world.wanted = source('c');
    world.pass();
    expect(world.traffic).toBe('1:100');
    expect(world.state.canary).toBeUndefined();
    expect(world.outcomes()).toBe('1 Serving, 2 Superseded');
    world.pass();
    expect(world.state.canary?.version).toBe(3);
    world.settle();
    expect(world.traffic).toBe('1:50 3:50');
    world.after(MINUTE);
    expect(world.ordered).toBe('1x4 3x2');
  });

  test('that is the first again ends the rollout', () => {
    const world = rolling();
    world.wanted = source('a');
    expect(world.settle().phase).toBe('Healthy');
    expect(world.outcomes()).toBe('1 Serving, 2 Superseded');
  });

  test('that was given up before ends the rollout too, and does not begin', () => {
    const world = promoted();
    world.change({ steps: CAREFUL });
    world.wanted = source('c');
    world.settle();
    world.change({ abort: { version: 3 } });
    world.settle();
    world.broken.add(1);
    world.startPods();
    world.wanted = source('a');
    world.settle();
    expect(world.outcomes()).toBe('1 Rolling, 2 Serving, 3 Aborted');
    world.wanted = source('c');
    expect(world.settle().phase).toBe('Degraded');
    expect(world.outcomes()).toBe('1 Superseded, 2 Serving, 3 Aborted');
  });

  test('the same file behind another address is the same version', () => {
    const world = rolling();
    world.wanted = { ...source('b'), storageUri: 'gs://elsewhere/b' };
    world.settle();
    expect(world.plan?.versions.find(({ version }) => version === 2)?.storageUri).toBe('gs://elsewhere/b');
    expect(world.state.history).toHaveLength(2);
  });
});

describe('after a promotion', () => {
  test('the version before it serves again at once when the judge says so', () => {
    const world = promoted();
    world.says('Rollback');
    world.pass();
    expect(world.traffic).toBe('1:100');
    expect(world.outcomes()).toBe('1 Serving, 2 RolledBack');
    world.after(31 * SECOND);
    expect(world.ordered).toBe('1x4');
    world.judge = undefined;
    world.after(1_000 * MINUTE);
    expect(world.outcomes()).toBe('1 Serving, 2 RolledBack');
  });

  test('and takes over while the new one has no ready pod', () => {
    const world = promoted();
    world.broken.add(2);
    world.startPods();
    world.pass();
    expect(world.traffic).toBe('1:100');
    expect(world.state.stable).toBe(2);
  });

  test('a model that goes back to what served before takes no steps', () => {
    const world = promoted();
    world.change({ steps: CAREFUL });
    world.wanted = source('a');
    world.settle();
    expect(world.outcomes()).toBe('1 Serving, 2 Replaced');
    expect(world.traffic).toBe('1:100');
  });
});

describe('undo', () => {
  test('goes to a kept version at once and stays there, whatever the model says', () => {
    const world = promoted();
    world.change({ steps: CAREFUL, undo: { version: 2, to: 1 } });
    world.pass();
    world.pass();
    expect(world.traffic).toBe('1:100');
    expect(world.settle().phase).toBe('Degraded');
    expect(world.outcomes()).toBe('1 Serving, 2 Undone');
    world.change({ undo: undefined });
    world.after(1_000 * MINUTE);
    expect(world.outcomes()).toBe('1 Serving, 2 Undone');
  });

  test('ends with the next version', () => {
    const world = promoted();
    world.change({ undo: { version: 2, to: 1 } });
    world.settle();
    world.wanted = source('c');
    world.settle();
    expect(world.outcomes()).toBe('1 Replaced, 2 Undone, 3 Serving');
  });

  test('of a rollout is an abort', () => {
    const world = rolling();
    world.change({ undo: { version: 2, to: 1 } });
    world.settle();
    expect(world.outcomes()).toBe('1 Serving, 2 Undone');
  });

  test('to a version that never served does nothing', () => {
    const world = rolling();
    world.change({ abort: { version: 2 } });
    world.settle();
    world.wanted = source('c');
    world.change({ steps: [] });
    world.settle();
    world.change({ undo: { version: 3, to: 2 } });
    world.settle();
    expect(world.outcomes()).toBe('1 Replaced, 2 Aborted, 3 Serving');
  });
});

test('a pause stops steps and promotion, and time does not pass for the steps behind it', () => {
  const world = rolling({ steps: [{ setWeight: 50 }], paused: true });
  expect(world.after(100 * MINUTE).phase).toBe('Paused');
  expect(world.outcomes()).toBe('1 Serving, 2 Rolling');
  world.change({ paused: false });
  world.settle();
  expect(world.outcomes()).toBe('1 Replaced, 2 Serving');
});

test('a stable that dies does not hand its traffic to a version that never had any', () => {
  const world = rolling({ steps: [{ shadow: { percent: 100 } }, { pause: {} }] });
  world.broken.add(1);
  world.startPods();
  world.pass();
  expect(world.traffic).toBe('');
});

test('nothing new begins while it is not known what is wanted', () => {
  const world = new World();
  world.wanted = undefined;
  expect(world.settle()).toMatchObject({ phase: 'Pending', versions: [] });
});

describe('a version that asks for a GPU', () => {
  const waiting = (world: World) =>
    world.pods.set(1, { replicas: 4, ready: 0, available: 0, unschedulableSinceMs: world.nowMs });

  test('is served by CPU when no node has had room in time, and says so', () => {
    const world = new World({ asksForGpu: true, gpuFallbackMs: 5 * MINUTE });
    const accelerated = () => world.plan?.conditions.find(({ type }) => type === 'Accelerated');
    world.pass();
    expect(accelerated()).toMatchObject({ status: 'True', reason: 'Gpu' });
    waiting(world);
    expect(world.pass().requeueAfterMs).toBe(5 * MINUTE);
    expect(accelerated()).toMatchObject({
      status: 'Unknown',
      reason: 'WaitingForGpu',
      message: 'version 1: no node with a GPU has room; it is served by CPU when none has for 5 minutes',
    });
    world.nowMs += 5 * MINUTE;
    expect(world.pass().versions).toMatchObject([{ version: 1, onCpu: true }]);
    expect(world.events.map(({ reason }) => reason)).toEqual(['RolloutStarted', 'CpuFallback']);
    expect(world.plan?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Accelerated', status: 'False', reason: 'CpuFallback' }),
    );
    world.settle();
    expect(world.traffic).toBe('1:100');
    expect(world.events.filter(({ reason }) => reason === 'CpuFallback')).toHaveLength(1);
  });

  test('waits for ever where nobody lets it fall back', () => {
    const world = new World({ asksForGpu: true });
    world.pass();
    waiting(world);
    world.nowMs += 10_000 * MINUTE;
    const { versions, conditions } = world.pass();
    expect(versions).toMatchObject([{ version: 1, onCpu: false }]);
    expect(conditions).toContainEqual({
      type: 'Accelerated',
      status: 'Unknown',
      reason: 'WaitingForGpu',
      message: 'version 1: no node with a GPU has room',
    });
  });
});

test('history is bounded, and numbers go on', () => {
  const world = new World({ historyLimit: 2, watchMs: MINUTE });
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    world.wanted = source(name);
    world.after(5 * MINUTE);
  }
  world.after(5 * MINUTE);
  expect(world.outcomes()).toBe('3 Replaced, 4 Replaced, 5 Serving');
});
