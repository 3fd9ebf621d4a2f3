import { expect, test } from '@jest/globals';
import type { PodView } from '../../decision/types.ts';
import { known, type PodSample, unknown } from '../../observation.ts';
import { absoluteLoad } from './load.ts';

function pod(name: string, ready: boolean, deleting = false): PodView {
  return {
    name,
    phase: 'Running',
    deleting,
    ready: { status: ready ? 'True' : 'False', lastTransitionMs: 0 },
    containers: [],
  };
}

function perPod(milli: Record<string, number>) {
  const samples = new Map<string, PodSample>();
  for (const [name, value] of Object.entries(milli)) samples.set(name, { milli: value, at: 0, windowMs: 0 });
  return known({ form: 'perPod' as const, samples }, 0);
}

test('a total is the load already', () => {
  expect(absoluteLoad(known({ form: 'total', milli: 1500, series: 2 }, 0), [])).toBe(1.5);
});

test('samples of pods add up', () => {
  expect(absoluteLoad(perPod({ a: 500, b: 700 }), [pod('a', true), pod('b', true)])).toBeCloseTo(1.2);
});

test('a ready pod without a sample carries what the others carry; an unready or leaving one nothing', () => {
  const pods = [pod('a', true), pod('b', true), pod('c', true), pod('d', false), pod('e', true, true)];
  expect(absoluteLoad(perPod({ a: 400, b: 600 }), pods)).toBeCloseTo(1.5);
});

test('no sample at all is unknown, not zero', () => {
  expect(absoluteLoad(perPod({}), [pod('a', true)])).toBeUndefined();
  expect(absoluteLoad(unknown('Timeout', 'no answer in 10 s', 0), [])).toBeUndefined();
});
