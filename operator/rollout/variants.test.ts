import { describe, expect, test } from '@jest/globals';
import { MINUTE, source, World } from './testing/world.ts';
import type { RolloutSettings, Variant } from './types.ts';

const variant = (name: string, weight: number, file = name): Variant => ({ name, weight, ...source(file) });

/** Version 1 serves, version 2 is variant b, version 3 variant c. */
function tested(settings: Partial<RolloutSettings> = {}): World {
  const world = new World(settings);
  world.settle();
  world.change({ variants: [variant('b', 30), variant('c', 20)] });
  world.settle();
  return world;
}

describe('variants', () => {
  test('answer their shares beside stable, which keeps all its pods', () => {
    const world = tested();
    expect(world.traffic).toBe('1:50 2:30 3:20');
    expect(world.ordered).toBe('1x4 2x2 3x1');
    expect(world.outcomes()).toBe('1 Serving, 2 Testing, 3 Testing');
    expect(world.plan?.phase).toBe('Healthy');
    expect(world.plan?.conditions).toContainEqual({
      type: 'Testing',
      status: 'True',
      reason: 'Running',
      message: 'b is version 2, c is version 3',
    });
  });

  test('are never promoted, however long they run', () => {
    const world = tested({ steps: [] });
    world.after(1_000 * MINUTE);
    expect(world.traffic).toBe('1:50 2:30 3:20');
    expect(world.state.stable).toBe(1);
  });

  test('that are not warm leave their share to stable, and take it when they are', () => {
    const world = new World();
    world.settle();
    world.broken.add(2);
    world.change({ variants: [variant('b', 30), variant('c', 20)] });
    world.settle();
    expect(world.traffic).toBe('1:80 3:20');
    expect(world.plan?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Testing', status: 'Unknown', reason: 'WaitingForPods' }),
    );
    world.broken.clear();
    world.settle();
    expect(world.traffic).toBe('1:50 2:30 3:20');
  });

  test('wait for the first version, and for the end of a rollout', () => {
    const world = new World({ steps: [{ setWeight: 10 }, { pause: {} }] });
    world.change({ variants: [variant('x', 30)] });
    world.settle();
    expect(world.outcomes()).toBe('1 Serving, 2 Testing');
    const other = new World({ steps: [{ setWeight: 10 }, { pause: {} }] });
    other.settle();
    other.wanted = source('b');
    other.settle();
    other.change({ variants: [variant('x', 30)] });
    expect(other.settle().conditions).toContainEqual(
      expect.objectContaining({ type: 'Testing', reason: 'WaitingForRollout' }),
    );
    expect(other.traffic).toBe('1:90 2:10');
    other.change({ promote: { version: 2 } });
    other.settle();
    expect(other.traffic).toBe('2:70 3:30');
  });

  test('hold another file back until they are taken away', () => {
    const world = tested();
    world.wanted = source('d');
    expect(world.settle()).toMatchObject({ phase: 'Paused' });
    expect(world.plan?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Progressing', status: 'Unknown', reason: 'TestRunning' }),
    );
    expect(world.outcomes()).toBe('1 Serving, 2 Testing, 3 Testing');
    world.change({ variants: undefined });
    world.settle();
    expect(world.traffic).toBe('4:100');
    expect(world.outcomes()).toBe('1 Replaced, 2 Tested, 3 Tested, 4 Serving');
  });

  test('that won become stable as the version that they were, by the steps', () => {
    const world = tested({ steps: [{ setWeight: 60 }, { pause: {} }] });
    world.wanted = source('b');
    world.change({ variants: undefined });
    world.settle();
    expect(world.traffic).toBe('1:40 2:60');
    world.change({ promote: { version: 2 } });
    world.settle();
    expect(world.outcomes()).toBe('1 Replaced, 2 Serving, 3 Tested');
  });

  test('taken away keep their pods until nobody sends to them', () => {
    const world = tested();
    world.change({ variants: [variant('c', 20)] });
    world.pass();
    expect(world.traffic).toBe('1:80 3:20');
    expect(world.ordered).toBe('1x4 2x2 3x1');
    world.after(MINUTE);
    expect(world.ordered).toBe('1x4 3x1');
  });

  test('with another file are another version under the same name', () => {
    const world = tested();
    world.change({ variants: [variant('b', 30, 'b2'), variant('c', 20)] });
    world.settle();
    expect(world.traffic).toBe('1:50 3:20 4:30');
    expect(world.state.variants).toEqual([
      { name: 'c', version: 3 },
      { name: 'b', version: 4 },
    ]);
  });

  test('take over while stable has no ready pod', () => {
    const world = tested();
    world.pods.set(1, { replicas: 4, ready: 0, available: 0 });
    world.pass();
    expect(world.traffic).toBe('2:60 3:40');
  });

  test('a test does not revive a version that was given up', () => {
    const world = new World({ steps: [{ setWeight: 10 }, { pause: {} }] });
    world.settle();
    world.wanted = source('bad');
    world.settle();
    world.change({ abort: { version: 2 } });
    world.settle();
    world.change({ variants: [variant('b', 30)] });
    world.settle();
    world.change({ variants: [] });
    world.after(MINUTE);
    expect(world.outcomes()).toBe('1 Serving, 2 Aborted, 3 Tested');
  });
});
