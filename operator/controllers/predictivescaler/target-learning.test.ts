import { describe, expect, test } from '@jest/globals';
import { podView } from '../../decision/pod-view.ts';
import type { MetricPlan } from '../../decision/types.ts';
import { leadTimeOf } from './lead-time.ts';
import { Learned } from './learned.ts';
import { type Pod, podStart } from './pods.ts';
import { learnedCapacities, learnFromTarget, type PodsSeen } from './target-learning.ts';
import { readyPod } from './testing/stage.ts';

const MINUTE = 60_000;
const plan: MetricPlan = { type: 'External', name: 'q', target: { kind: 'AverageValue', milli: 100_000 } };
const two = [readyPod('shop', 'web', 0), readyPod('shop', 'web', 1)];

function restarted(pod: Pod): Pod {
  return { ...pod, status: { ...pod.status, containerStatuses: [{ restartCount: 1 }] } };
}

/** Looks at the pods of each step; the load is what two pods carry at 150 each. */
function learn(steps: readonly (readonly Pod[])[], load: number | undefined = 300) {
  const learned = new Learned();
  let before: PodsSeen | undefined;
  for (const [i, pods] of steps.entries())
    before = learnFromTarget({
      learned,
      before,
      pods,
      views: pods.map(podView),
      plans: [plan],
      loads: [load],
      nowMs: i * MINUTE,
      stepMs: MINUTE,
      startOf: podStart,
    });
  return learnedCapacities(learned, [plan], two.map(podView))[0];
}

describe('what a replica can carry', () => {
  test('is what replicas have carried, once there is enough of it', () => {
    expect(learn(Array.from({ length: 50 }, () => two))).toBeUndefined();
    expect(learn(Array.from({ length: 70 }, () => two))).toBe(150_000);
  });

  test('is not learned from an unknown load', () => {
    expect(
      learn(
        Array.from({ length: 70 }, () => two),
        Number.NaN,
      ),
    ).toBeUndefined();
  });

  test('is bounded by what made a pod fail', () => {
    const steps = Array.from({ length: 70 }, () => two as readonly Pod[]);
    steps.push([two[0] as Pod, restarted(two[1] as Pod)]);
    expect(learn(steps)).toBe(135_000);
  });

  test('counts each step once, and only pods that were there at both of its ends', () => {
    const learned = new Learned();
    let before: PodsSeen | undefined;
    for (let i = 0; i < 200; i++) {
      // Every look has a pod that has just become ready.
      const pods = [two[0] as Pod, readyPod('shop', 'web', i + 2)];
      const shared = { learned, before, pods, views: pods.map(podView), plans: [plan], loads: [300] };
      before = learnFromTarget({ ...shared, nowMs: i * MINUTE, stepMs: MINUTE, startOf: podStart });
    }
    expect(learnedCapacities(learned, [plan], two.map(podView))).toEqual([undefined]);
  });
});

describe('the lead time in force', () => {
  const learned = { p50Ms: 9_000, p90Ms: 20_000, samples: 3 };
  test.each([
    ['the user’s', '90s', learned, 90_000, 'Configured'],
    ['the learned one', undefined, learned, 20_000, 'Learned'],
    ['two starts are an anecdote', undefined, { ...learned, samples: 2 }, 60_000, 'Assumed'],
    ['nothing seen', undefined, undefined, 60_000, 'Assumed'],
  ])('%s', (_what, configured, seen, ms, source) => {
    expect(leadTimeOf(configured, seen, 60_000)).toEqual({ ms, source, learned: seen });
  });
});
