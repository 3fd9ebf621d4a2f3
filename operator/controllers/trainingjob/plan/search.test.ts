import { describe, expect, test } from '@jest/globals';
import { SimulatedRun } from '../testing/simulated-run.ts';
import type { BestTrial } from './types.ts';

const MINUTE = 60_000;
const BEST: BestTrial = { number: 4, score: '0.9', hyperparameters: { clip: '1' }, trials: 6 };
const searching = (settings: ConstructorParameters<typeof SimulatedRun>[0] = {}) =>
  new SimulatedRun({ searchNodes: 3, ...settings }).settle().start(3).settle();
const again = (run: SimulatedRun) =>
  run
    .settle()
    .after(3 * MINUTE)
    .settle()
    .after(6 * MINUTE)
    .settle()
    .start(3)
    .settle();

test('a run searches first, trains what was found with a new number, and passes the gate', () => {
  const run = searching();
  expect(run.phase).toBe('Searching Searching');
  expect(run.state.attempt).toMatchObject({ number: 1, searches: true, nodes: 3 });
  run.step(90).settle().trained({ best: BEST }).settle().start().settle();
  expect(run.phase).toBe('Training Training');
  expect(run.state).toMatchObject({ attempt: { number: 2, nodes: 2 }, best: BEST, restarts: {} });
  expect(run.state.attempt?.searches).toBeUndefined();
  expect([...run.gangs.keys()]).toEqual([2]);
  run.trained().settle().judged().settle();
  expect(run.phase).toBe('Complete VersionProduced');
  expect(run.state.best).toEqual(BEST);
});

test('steps of the search are none of training', () => {
  const run = searching().step(90).settle();
  expect(run.state.progress?.step).toBe(90);
  run.trained({ best: BEST }).restart().settle();
  expect(run.state.attempt?.number).toBe(2);
  expect(run.state.progress).toBeUndefined();
});

test('that the workers have ended well is enough: what they said may be lost', () => {
  const run = searching().trained({}).restart().settle().start().settle();
  expect(run.phase).toBe('Training Training');
  expect(run.state.best).toBeUndefined();
});

const workersOf = (run: SimulatedRun) =>
  (run.current?.pods ?? []).filter(({ state }) => state === 'Running').map(({ name }) => name);

describe('a worker that ends is started again, alone', () => {
  test.each<[string, (run: SimulatedRun) => unknown, object]>([
    ['by an error', (run) => run.exit(1, 1), { Error: 1 }],
    ['out of memory', (run) => run.exit(1, 137), { Error: 1 }],
    ['as it was stopped from outside', (run) => run.exit(1, 75), {}],
    ['by an eviction', (run) => run.evict(1), {}],
    ['by an eviction that it does not outlive', (run) => run.evict(1).exit(1, 137), {}],
    ['with its node', (run) => run.nodeDies(1).evict(1), {}],
  ])('%s', (_, happens, restarts) => {
    const run = searching();
    happens(run);
    run.settle();
    expect(run.phase).toBe('Searching Searching');
    run
      .after(2 * MINUTE)
      .settle()
      .after(MINUTE)
      .settle()
      .after(MINUTE)
      .settle()
      .start(3)
      .settle();
    expect(run.state).toMatchObject({ attempt: { number: 1, searches: true, nodes: 3 }, restarts });
    expect(Object.keys(run.state.restarts)).toEqual(Object.keys(restarts));
    expect(workersOf(run)).toEqual(['run-1-0', 'run-1-2', expect.stringMatching(/^again-.*-1$/)]);
    expect(run.last?.now).toMatchObject({ reason: 'Searching', message: '3 of 3 nodes search' });
    run.trained({ best: BEST }).settle().start().settle();
    expect(run.phase).toBe('Training Training');
    expect(run.state.best).toEqual(BEST);
  });

  test('and is counted once, whoever counts', () => {
    const run = searching();
    run.exit(1, 1).pass();
    expect(run.log.filter((word) => word === 'WorkerFailed')).toHaveLength(1);
    run.restart().settle().after(MINUTE).settle().start(3).restart().settle();
    expect(run.state).toMatchObject({ restarts: { Error: 1 }, attempt: { failures: 1 } });
    run.after(1000).exit(2, 1, { error: { code: 'FAILED', message: 'first' } });
    run.after(1000).exit(0, 1, { error: { code: 'FAILED', message: 'second' } });
    run.pass();
    expect(run.last?.now.message).toContain('node 2: exit code 1: FAILED: first');
    run.pass();
    expect(run.last?.now.message).toContain('node 0: exit code 1: FAILED: second');
    run.settle();
    expect(run.state).toMatchObject({ restarts: { Error: 3 }, attempt: { number: 1, failures: 3 } });
  });

  test('as often as the limit says, and then the run has failed', () => {
    const run = searching({ backoffLimit: 1 });
    run.exit(1, 1).settle().after(MINUTE).settle().start(3).settle();
    expect(run.phase).toBe('Searching Searching');
    run
      .exit(1, 1)
      .settle()
      .after(3 * MINUTE)
      .settle();
    expect(run.phase).toBe('Failed BackoffLimitExceeded');
    expect(run.last?.now.message).toContain('2 of 2 failures, spec.backoffLimit is 1; the last: node 1');
    expect(run.live()).toEqual([]);
  });

  test('while all wait to be started again it has not begun', () => {
    const run = searching();
    for (const index of [0, 1, 2]) run.exit(index, 1);
    run.settle();
    expect(run.phase).toBe('Pending Starting');
    run.after(MINUTE).settle().start(3).settle();
    expect(run.phase).toBe('Searching Searching');
  });
});

test('a worker that hangs when all trials have ended costs nothing: the search is over', () => {
  const run = searching({ backoffLimit: 0, progressDeadlineMs: MINUTE });
  run.exit(0, 0).exit(1, 0).settle();
  expect(run.phase).toBe('Searching Searching');
  run.after(MINUTE).settle();
  expect(run.state.attempt?.ended?.cause).toBe('Searched');
  run.after(3 * MINUTE).settle();
  expect(run.state).toMatchObject({ attempt: { number: 2 }, restarts: {} });
});

describe('a search that is interrupted is searched on, with a new number', () => {
  test.each<[string, (run: SimulatedRun) => unknown, object]>([
    ['by its deletion', (run) => run.deleteJob(), { Disruption: 1 }],
    ['by a full claim', (run) => run.exit(1, 74), { VolumeFull: 1 }],
    ['by a newer one', (run) => run.exit(1, 79), { Fenced: 1 }],
    [
      'by a hang',
      (run) =>
        run
          .step(1)
          .settle()
          .after(11 * MINUTE),
      { Stalled: 1 },
    ],
    [
      'by a hang of the workers that have room',
      (run) =>
        run
          .exit(1, 1)
          .settle()
          .after(MINUTE)
          .settle()
          .start(1)
          .after(11 * MINUTE),
      { Error: 1, Stalled: 1 },
    ],
  ])('%s', (_, happens, restarts) => {
    const run = searching();
    happens(run);
    again(run);
    expect(run.phase).toBe('Searching Searching');
    expect(run.state).toMatchObject({ attempt: { number: 2, searches: true, nodes: 3 }, restarts });
    expect(run.state.attempt?.failures).toBeUndefined();
    run.trained({ best: BEST }).settle().start().settle();
    expect(run.phase).toBe('Training Training');
  });

  test('by suspension', () => {
    const run = searching().suspend(true).settle();
    expect(run.phase).toMatch(/^Suspended/);
    run
      .after(3 * MINUTE)
      .settle()
      .suspend(false)
      .settle()
      .start(3)
      .settle();
    expect(run.phase).toBe('Searching Searching');
    expect(run.state.attempt?.number).toBe(2);
  });
});

test('suspended when the search has just ended, it trains later and does not search again', () => {
  const run = searching().trained({ best: BEST }).suspend(true).settle();
  expect(run.phase).toMatch(/^Suspended/);
  run.suspend(false).settle().start().settle();
  expect(run.phase).toBe('Training Training');
});

test('training that fails is trained again, not searched', () => {
  const run = searching().trained({ best: BEST }).settle().start().settle();
  run.exit(0, 1);
  again(run);
  expect(run.phase).toBe('Training Training');
  expect(run.state).toMatchObject({ attempt: { number: 3, nodes: 2 }, restarts: { Error: 1 } });
});

test('workers that find no room are done without, and those that have it go on', () => {
  const run = new SimulatedRun({ searchNodes: 3 }).settle().start(1).settle();
  const message = '1 of 3 nodes search; no node has room for 2';
  expect(run.last?.now).toMatchObject({ phase: 'Searching', message });
  run
    .after(5 * MINUTE)
    .settle()
    .step(9)
    .settle();
  expect(run.last?.now).toMatchObject({ phase: 'Searching', message });
  expect(run.state.attempt).toMatchObject({ number: 1, nodes: 3 });
  run.trained({ best: BEST }).settle().start().settle();
  expect(run.phase).toBe('Training Training');
  expect(run.state).toMatchObject({ attempt: { number: 2, nodes: 2 }, best: BEST, restarts: {} });
});

test('a search none of whose workers has room waits for it, and by CPU where a GPU cannot be had', () => {
  const run = new SimulatedRun({ searchNodes: 3, gpu: true, gpuFallbackMs: 5 * MINUTE })
    .settle()
    .start(0)
    .settle();
  expect(run.phase).toBe('Pending WaitingForGpu');
  run
    .after(5 * MINUTE)
    .settle()
    .after(MINUTE)
    .settle()
    .start(3)
    .settle();
  expect(run.state.attempt).toMatchObject({ number: 2, searches: true, nodes: 3, onCpu: true });
});

test('a configuration that cannot be searched is not tried again', () => {
  const run = searching();
  run.exit(0, 78, { error: { code: 'CONFIG_INVALID', message: 'search.space: nothing is left' } }).settle();
  expect(run.phase).toBe('Failed ConfigError');
  expect(run.last?.now.message).toContain('search.space');
});
