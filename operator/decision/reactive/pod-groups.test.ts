import { describe, expect, test } from '@jest/globals';
import type { PodSample } from '../../observation.ts';
import { MINUTE, NOW, pod, SECOND } from '../fixtures.ts';
import type { PodView } from '../types.ts';
import { countReadyPods, groupPods } from './pod-groups.ts';
import { HPA_DEFAULTS } from './tuning.ts';

const sampled: PodSample = { milli: 1, at: NOW - 15 * SECOND, windowMs: 30 * SECOND };

function groupOf(change: Partial<PodView>, resource = 'cpu'): string {
  const groups = groupPods([pod('p', change)], new Map([['p', sampled]]), resource, HPA_DEFAULTS, NOW);
  if (groups.dropped.has('p')) return 'dropped';
  if (groups.unready.has('p')) return 'unready';
  if (groups.missing.has('p')) return 'missing';
  return groups.readyCount === 1 ? 'ready' : 'lost';
}

const readyAt = (ago: number) => ({ status: 'True', lastTransitionMs: NOW - ago });
const notReadyAt = (ago: number) => ({ status: 'False', lastTransitionMs: NOW - ago });
const young = { startTimeMs: NOW - MINUTE };
const old = { startTimeMs: NOW - 10 * MINUTE };

describe('a pod belongs to', () => {
  test.each<[string, Partial<PodView>, string]>([
    ['one that goes away', { deleting: true }, 'dropped'],
    ['one that failed', { phase: 'Failed' }, 'dropped'],
    ['one that is pending, sample or not', { phase: 'Pending' }, 'unready'],
    ['young and ready since a whole window', { ...young, ready: readyAt(45 * SECOND) }, 'ready'],
    [
      'young, and ready for less than a window before the sample',
      { ...young, ready: readyAt(44 * SECOND) },
      'unready',
    ],
    ['young and not ready', { ...young, ready: notReadyAt(50 * SECOND) }, 'unready'],
    ['old, was ready once, not now', { ...old, ready: notReadyAt(MINUTE) }, 'ready'],
    ['old, never ready', { ...old, ready: notReadyAt(10 * MINUTE - 29 * SECOND) }, 'unready'],
    ['old, changed 30 s after its start', { ...old, ready: notReadyAt(10 * MINUTE - 30 * SECOND) }, 'ready'],
    [
      'exactly as old as the initialisation period',
      { startTimeMs: NOW - 5 * MINUTE, ready: readyAt(0) },
      'ready',
    ],
    [
      'a readiness that nobody knows',
      { ...young, ready: { status: 'Unknown', lastTransitionMs: 0 } },
      'ready',
    ],
  ])('%s', (_, change, expected) => {
    expect(groupOf(change)).toBe(expected);
  });

  test('without a Ready condition or a start time CPU does not count', () => {
    const { ready: _r, ...withoutReady } = pod('p');
    const { startTimeMs: _s, ...withoutStart } = pod('p');
    const samples = new Map([['p', sampled]]);
    for (const view of [withoutReady, withoutStart]) {
      expect(groupPods([view], samples, 'cpu', HPA_DEFAULTS, NOW).unready.has('p')).toBe(true);
      expect(groupPods([view], samples, 'memory', HPA_DEFAULTS, NOW).readyCount).toBe(1);
    }
  });

  test.each(['memory', ''])('only CPU waits for readiness, not %p', (resource) => {
    expect(groupOf({ ...young, ready: notReadyAt(0) }, resource)).toBe('ready');
  });

  test('no sample is missing', () => {
    expect(groupPods([pod('p')], new Map(), 'cpu', HPA_DEFAULTS, NOW).missing.has('p')).toBe(true);
  });
});

test('Value targets count pods that run and are Ready, even those that go away', () => {
  const views = [
    pod('a'),
    pod('b', { phase: 'Pending' }),
    pod('c', { ready: notReadyAt(0) }),
    pod('d', { deleting: true }),
  ];
  expect(countReadyPods(views)).toBe(2);
});
