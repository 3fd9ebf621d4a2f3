/** What no sequence of events may break: weights, pods behind them, stable's capacity, the record of versions. */
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { MINUTE, SECOND, source, World } from './testing/world.ts';
import type { Step } from './types.ts';

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.integer({ min: 0, max: 100 }).map((percent) => ({ shadow: { percent } })),
  fc.constant({ analysis: {} }),
  fc.constantFrom({ pause: {} }, { pause: { durationMs: MINUTE } }),
  fc.integer({ min: 0, max: 100 }).map((setWeight) => ({ setWeight })),
);
const steps = fc
  .array(step, { maxLength: 6 })
  .map((list) => list.sort((a, b) => (a.setWeight ?? 0) - (b.setWeight ?? 0)));

const version = fc.integer({ min: 1, max: 6 });
type Act = (world: World) => void;
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.constantFrom('a', 'b', 'c', 'd').map(
    (name): Act =>
      (world) => {
        world.wanted = source(name);
      },
  ),
  fc.constantFrom(SECOND, 31 * SECOND, MINUTE, 11 * MINUTE, 61 * MINUTE).map(
    (ms): Act =>
      (world) => {
        world.nowMs += ms;
      },
  ),
  fc.constant<Act>((world) => world.startPods()),
  fc.tuple(version, fc.integer({ min: 0, max: 3 })).map(
    ([of, ready]): Act =>
      (world) => {
        const pods = world.pods.get(of);
        if (pods !== undefined)
          world.pods.set(of, {
            ...pods,
            ready: Math.min(ready, pods.replicas),
            available: Math.min(ready, pods.replicas),
          });
      },
  ),
  fc.constantFrom('Promote', 'Rollback', 'Inconclusive').map(
    (verdict): Act =>
      (world) => {
        world.says(verdict);
      },
  ),
  fc.constantFrom<Act>(
    (world) => {
      world.judge = 'none';
    },
    (world) => {
      world.judge = undefined;
    },
  ),
  fc.boolean().map(
    (paused): Act =>
      (world) =>
        world.change({ paused }),
  ),
  fc.integer({ min: 1, max: 12 }).map(
    (replicas): Act =>
      (world) =>
        world.change({ replicas }),
  ),
  steps.map(
    (list): Act =>
      (world) =>
        world.change({ steps: list }),
  ),
  version.map(
    (of): Act =>
      (world) =>
        world.change({ abort: { version: of } }),
  ),
  version.map(
    (of): Act =>
      (world) =>
        world.change({ retry: { version: of } }),
  ),
  fc.tuple(version, fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined })).map(
    ([of, at]): Act =>
      (world) =>
        world.change({ promote: { version: of, step: at } }),
  ),
  fc.subarray(['x', 'y', 'b']).map(
    (names): Act =>
      (world) =>
        world.change({ variants: names.map((name) => ({ name, weight: 20, ...source(name) })) }),
  ),
  fc.tuple(version, version).map(
    ([of, to]): Act =>
      (world) =>
        world.change({ undo: { version: of, to } }),
  ),
);

test('I5 and its kin hold whatever happens', () => {
  fc.assert(
    fc.property(steps, fc.array(act, { minLength: 5, maxLength: 60 }), (list, acts) => {
      const world = new World({ steps: list });
      for (const each of acts) {
        each(world);
        const before = world.state;
        const seen = new Map(world.pods);
        const plan = world.pass();
        const { traffic, stable, canary, history } = plan.state;

        const weights = traffic.map(({ weight }) => weight);
        if (traffic.length > 0) expect(weights.reduce((sum, weight) => sum + weight, 0)).toBe(100);
        for (const { version: of, weight, mirrorPercent } of traffic) {
          expect(Number.isInteger(weight) && weight >= 0 && weight <= 100).toBe(true);
          // only ready backends
          expect(seen.get(of)?.ready ?? 0).toBeGreaterThan(0);
          expect(weight + mirrorPercent).toBeGreaterThan(0);
        }
        // whoever has weight, by what was published or is now, keeps its pods; stable keeps all that traffic needs
        for (const { version: of, weight } of [...before.traffic, ...traffic]) {
          if (weight === 0 || of === stable) continue;
          const [was, is] = [seen.get(of)?.replicas ?? 0, world.pods.get(of)?.replicas ?? 0];
          expect(is).toBeGreaterThanOrEqual(Math.min(was, world.settings.replicas));
          if (was > 0) expect(is).toBeGreaterThan(0);
        }
        if (stable !== undefined) expect(world.pods.get(stable)?.replicas).toBe(world.settings.replicas);
        if (stable !== undefined && (seen.get(stable)?.ready ?? 0) > 0) {
          const mine = traffic.find(({ version: of }) => of === canary?.version)?.weight ?? 0;
          const asked = Math.max(0, ...world.settings.steps.map(({ setWeight = 0 }) => setWeight));
          expect(mine).toBeLessThanOrEqual(asked);
        }
        // one version at a time beside stable, and each with a record
        expect(canary?.version === undefined || canary.version !== stable).toBe(true);
        const numbers = history.map(({ version: of }) => of);
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
        for (const { version: of } of plan.versions) expect(numbers).toContain(of);
        // a version that was given up is not live without a person's or the model's word
        for (const record of history)
          if (record.version === stable) expect([record.outcome, record.proven]).toEqual(['Serving', true]);
        expect(history.filter(({ outcome }) => outcome === 'Rolling').map(({ version: of }) => of)).toEqual(
          canary === undefined ? [] : [canary.version],
        );
      }
    }),
    { numRuns: 400 },
  );
});

test('the same input gives the same plan, and a second pass without news changes nothing', () => {
  fc.assert(
    fc.property(steps, fc.array(act, { maxLength: 20 }), (list, acts) => {
      const world = new World({ steps: list });
      for (const each of acts) {
        each(world);
        world.pass();
      }
      world.settle(60);
      const rest = structuredClone(world.state);
      const events = world.events.length;
      world.pass();
      expect(world.state).toEqual(rest);
      expect(world.events).toHaveLength(events);
    }),
    { numRuns: 100 },
  );
});
