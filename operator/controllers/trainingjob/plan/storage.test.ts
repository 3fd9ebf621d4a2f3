import { describe, expect, test } from '@jest/globals';
import { TRAINING_EXIT } from '../../../api/index.ts';
import { RESULT, SimulatedRun } from '../testing/simulated-run.ts';
import type { Told } from './types.ts';

const MINUTE = 60_000;
const { away } = TRAINING_EXIT;
const AWAY: Told = {
  error: { code: 'STORAGE_AWAY', message: 'the database was waited for: connection refused' },
};
const SEARCH = { searchNodes: 2, searchScratch: true, backoffLimit: 1 };

describe('a search whose database is away', () => {
  test('counts no worker that gave up, says what keeps it, and goes on when one makes progress', () => {
    const run = new SimulatedRun(SEARCH).settle().start().settle();
    for (let time = 0; time < 5; time += 1) {
      run.after(MINUTE).exit(0, away, AWAY).exit(1, away, AWAY).settle();
      expect(run.phase).toBe('Pending StorageAway');
      expect(run.last?.now.message).toContain('connection refused');
      // Its Job starts them again, and they wait anew.
      run.after(MINUTE).start().settle();
      expect(run.phase).toBe('Pending StorageAway');
    }
    expect(run.state).toMatchObject({ attempt: { number: 1 }, restarts: {} });
    run.after(MINUTE).step(1).settle();
    expect(run.phase).toBe('Searching Searching');
  });

  test('says nothing of one that is cut off alone', () => {
    const run = new SimulatedRun(SEARCH).settle().start().settle().after(MINUTE);
    run.exit(0, away, AWAY).settle();
    expect(run.phase).toBe('Searching Searching');
    expect(run.state.restarts).toEqual({});
  });

  test('still counts what fails by itself', () => {
    const run = new SimulatedRun(SEARCH).settle().start().settle();
    run.exit(0, away, AWAY).exit(1, 1).settle();
    expect(run.state.restarts).toEqual({ Error: 1 });
  });

  test('says rather that nobody has room to ask it', () => {
    const run = new SimulatedRun(SEARCH).settle().start().settle();
    run.exit(0, away, AWAY).exit(1, away, AWAY).settle().after(MINUTE).start(0).settle();
    expect(run.phase).toBe('Pending WaitingForRoom');
  });
});

test('training asks for what was found until it gets it, ever more seldom, and its limit is not about that', () => {
  const run = new SimulatedRun({ ...SEARCH, backoffLimit: 0 }).settle().start().settle();
  run.trained({}).settle();
  for (let number = 2; number < 12; number += 1) {
    run.start().settle().after(MINUTE);
    expect(run.state.attempt?.number).toBe(number);
    run.exit(0, away, AWAY).settle();
    expect(run.state.attempt?.ended?.cause).toBe('StorageAway');
    const { retryAtMs = 0 } = run.after(2 * MINUTE).settle().state.attempt?.ended ?? {};
    run.after(Math.max(0, retryAtMs - run.nowMs)).settle();
  }
  expect(run.state.restarts).toEqual({ StorageAway: 10 });
  run.start().settle().trained({ result: RESULT }).settle();
  expect(run.phase).toBe('Gating Gating');
});
