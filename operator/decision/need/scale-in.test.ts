/**
 * Before a replica goes, the load must fit those that remain: at load L per replica, N - 1 of them carry L * N / (N - 1)
 * each. The need implies it for as many as go at once, since what goes is gone at the window's start; no check
 * of its own stands in the chain, this property stands instead.
 */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { known } from '../../observation.ts';
import { decide } from '../decide.ts';
import { external, forecast, input, MINUTE, NOW, spec, total } from '../fixtures.ts';
import type { DecisionInput, DecisionMemory, LoadPath } from '../types.ts';

const CAPACITY = 50;
const STEPS = 20;

const path = fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: STEPS, maxLength: STEPS }).map(
  (loads): LoadPath => ({
    originMs: NOW,
    stepMs: MINUTE,
    loadMilli: Float64Array.from(loads, (load) => load * 1000),
  }),
);

const remembered = fc.array(
  fc.record({
    replicas: fc.integer({ min: 1, max: 60 }),
    atMs: fc.integer({ min: 0, max: 10 * MINUTE }).map((ago) => NOW - ago),
  }),
  { maxLength: 5 },
);

interface Drawn {
  readonly paths: readonly LoadPath[];
  readonly loads: readonly number[];
  readonly current: number;
  readonly readyAfter: number;
  readonly beyond: number;
  readonly recommendations: DecisionMemory['recommendations'];
}

const drawn: fc.Arbitrary<Drawn> = fc.integer({ min: 1, max: 2 }).chain((metrics) =>
  fc.record({
    paths: fc.array(path, { minLength: metrics, maxLength: metrics }),
    loads: fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: metrics, maxLength: metrics }),
    current: fc.integer({ min: 1, max: 70 }),
    readyAfter: fc.integer({ min: 0, max: 12 }),
    beyond: fc.double({ min: 0, max: 3, noNaN: true }),
    recommendations: remembered,
  }),
);

function decided({ paths, loads, current, readyAfter, beyond, recommendations }: Drawn) {
  const metrics = loads.map(() => ({ ...external('AverageValue', 35), capacityMilli: CAPACITY * 1000 }));
  const base = input(current);
  const window = {
    fromMs: NOW,
    readyMs: NOW + readyAfter * MINUTE,
    toMs: NOW + (readyAfter + beyond) * MINUTE,
  };
  const asked: DecisionInput = {
    ...base,
    spec: spec({ mode: 'Active', objective: 'Efficiency', metrics }),
    readings: loads.map((load) => total(load)),
    forecast: known({ ...forecast(0), paths }, NOW),
    learnedCapacityMilli: metrics.map(() => undefined),
    window,
    memory: { ...(base.memory as DecisionMemory), recommendations },
  };
  return { replicas: decide(asked).desiredReplicas as number, window };
}

/** Highest load, in units, of the minutes that the window touches. */
function highest({ loadMilli }: LoadPath, { toMs }: { toMs: number }): number {
  const last = Math.max(Math.ceil((toMs - NOW) / MINUTE), 1);
  return Math.max(...loadMilli.slice(0, last)) / 1000;
}

describe('scale-in', () => {
  test('leaves enough for the planned load, from now on to the end of the window', () => {
    let lowered = 0;
    fc.assert(
      fc.property(drawn, (one) => {
        const { replicas, window } = decided(one);
        if (replicas >= one.current) return;
        lowered += 1;
        for (const ahead of one.paths)
          expect(highest(ahead, window) / replicas).toBeLessThanOrEqual(CAPACITY * (1 + 1e-6));
      }),
      { numRuns: 2000 },
    );
    expect(lowered).toBeGreaterThan(50);
  });

  test('goes as far as that, and no further is held', () => {
    const flat: LoadPath = {
      originMs: NOW,
      stepMs: MINUTE,
      loadMilli: new Float64Array(STEPS).fill(400_000),
    };
    const one = { paths: [flat], loads: [300], readyAfter: 3, beyond: 1, recommendations: [] };
    expect([20, 9, 8].map((current) => decided({ ...one, current }).replicas)).toEqual([8, 8, 8]);
  });
});
