/** Pods whose Secret is missing wait for whoever makes it, as others wait for room. */
import { describe, expect, test } from '@jest/globals';
import { SETTINGS, SimulatedRun } from '../testing/simulated-run.ts';
import { decide } from './decide.ts';
import type { Plan, SeenPod } from './types.ts';

const MISSING = 'container trainer: CreateContainerConfigError: secret "search" not found';
const WITHOUT_KEY =
  "container trainer: CreateContainerConfigError: couldn't find key url in Secret shop/search";
const OTHERS = [
  'container trainer: CreateContainerConfigError: container has runAsNonRoot and image will run as root',
  'container trainer: ImagePullBackOff: pull secret of the registry refused',
];
const DEADLINE_MS = SETTINGS.progressDeadlineMs;

/** What is planned when the pods of the current attempt are as they are said to be. */
function planned(run: SimulatedRun, words: readonly (Partial<SeenPod> | undefined)[]): Plan {
  const observed = run.observed();
  const attempts = observed.attempts.map((attempt) => ({
    ...attempt,
    pods: attempt.pods.map((pod, i) => ({ ...pod, ...words[i] })),
  }));
  return decide({ ...observed, attempts });
}

const held = (waiting: string, more: Partial<SeenPod> = {}): Partial<SeenPod> => ({
  waiting,
  running: false,
  ...more,
});

describe.each([
  ['a gang', {}],
  ['a search', { searchNodes: 2, searchScratch: true }],
])('%s', (_, settings) => {
  test.each([MISSING, WITHOUT_KEY])('waits for it, however long it takes: %s', (words) => {
    const run = new SimulatedRun(settings).settle().start().settle();
    for (const ms of [0, 10 * DEADLINE_MS]) {
      const { state, now } = planned(run.after(ms), [held(words), held(words)]);
      expect(now).toMatchObject({ phase: 'Pending', reason: 'WaitingForSecret' });
      expect(now.message).toContain(words);
      expect(state.attempt?.ended).toBeUndefined();
    }
  });

  test.each(OTHERS)('is stalled by what is no Secret of its own: %s', (words) => {
    const run = new SimulatedRun(settings).settle().start().settle();
    expect(planned(run, [held(words), held(words)]).now.reason).toBe('Starting');
    const { state } = planned(run.after(DEADLINE_MS), [held(words), held(words)]);
    expect(state.attempt?.ended?.cause).toBe('Stalled');
  });

  test('has its whole time for a step once it runs', () => {
    const run = new SimulatedRun(settings).settle().start().settle().after(DEADLINE_MS);
    const began = [{ startedAtMs: run.nowMs }, { startedAtMs: run.nowMs }];
    expect(planned(run, began).state.attempt?.ended).toBeUndefined();
    run.after(DEADLINE_MS - 1);
    expect(planned(run, began).state.attempt?.ended).toBeUndefined();
    expect(planned(run.after(1), began).state.attempt?.ended?.cause).toBe('Stalled');
  });
});

test('of a search the others go on, and are watched', () => {
  const run = new SimulatedRun({ searchNodes: 2, searchScratch: true }).settle().start().settle();
  const { now } = planned(run, [undefined, held(MISSING)]);
  expect(now).toMatchObject({ phase: 'Searching', reason: 'Searching' });
  expect(now.message).toContain(MISSING);
  const { state } = planned(run.after(DEADLINE_MS), [undefined, held(MISSING)]);
  expect(state.attempt?.ended?.cause).toBe('Stalled');
});

test.each([
  [true, 'the disk of a node has no room'],
  [false, 'the claim runs has no room'],
])('a search without room says where (in folders of its pods: %s)', (searchScratch, words) => {
  const run = new SimulatedRun({ searchNodes: 2, searchScratch }).settle().start().settle();
  run.exit(0, 74).pass();
  expect(run.state.attempt?.ended).toMatchObject({
    cause: 'VolumeFull',
    message: expect.stringContaining(words),
  });
});
