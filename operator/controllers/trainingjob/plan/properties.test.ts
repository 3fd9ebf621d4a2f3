/** Whatever happens in whichever order: one gang at a time, and only what is the run's own fault is held against it. */
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { PASS, SimulatedRun } from '../testing/simulated-run.ts';

type Event = readonly [name: string, happens: (run: SimulatedRun) => unknown];

const index = fc.integer({ min: 0, max: 1 });
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Event>(['start', (run) => run.start()]) },
  fc.constant<Event>(['start one', (run) => run.start(1)]),
  {
    weight: 4,
    arbitrary: fc
      .constantFrom(1_000, 61_000, 130_000, 700_000)
      .map((ms): Event => [`after ${ms}`, (run) => run.after(ms)]),
  },
  fc
    .tuple(index, fc.constantFrom(1, 137))
    .map(([i, code]): Event => [`exit ${i} ${code}`, (run) => run.exit(i, code)]),
  index.map((i): Event => [`zombie ${i}`, (run) => run.exit(i, 79)]),
  index.map((i): Event => [`stopped ${i}`, (run) => run.exit(i, 75)]),
  index.map((i): Event => [`evict ${i}`, (run) => run.evict(i)]),
  index.map((i): Event => [`node dies ${i}`, (run) => run.nodeDies(i)]),
  fc.constant<Event>(['Job deleted', (run) => run.deleteJob()]),
  fc.boolean().map((on): Event => [`suspend ${on}`, (run) => run.suspend(on)]),
  fc.constant<Event>(['operator restarts', (run) => run.restart()]),
  fc.constant<Event>(['launch cut off', (run) => void (run.cutOff = true)]),
  fc.nat(50).map((step): Event => [`step ${step}`, (run) => run.step(step)]),
);
/** A pass, several, or none before the next event. */
const story = fc.array(fc.tuple(event, fc.integer({ min: 0, max: 4 })), { maxLength: 60 });

function play(events: readonly (readonly [Event, number])[], run: SimulatedRun): void {
  for (const [[, happens], passes] of events) {
    happens(run);
    for (let i = 0; i < passes; i += 1) {
      run.pass();
      expect(run.live().length).toBeLessThanOrEqual(1);
    }
    expect(run.live().length).toBeLessThanOrEqual(1);
  }
}

/** Workers of a search before it trains, or none. */
const searchNodes = fc.constantFrom(undefined, 1, 2, 3);

const own = (run: SimulatedRun) => (run.state.restarts.Error ?? 0) + (run.state.restarts.Stalled ?? 0);

test('there is never more than one live attempt, and numbers only grow', () => {
  fc.assert(
    fc.property(story, fc.boolean(), searchNodes, (events, queued, nodes) => {
      const run = new SimulatedRun({ queued, searchNodes: nodes, backoffLimit: 100 });
      const numbers: number[] = [];
      const watched = events.map(
        ([[name, happens], passes]) =>
          [
            [
              name,
              (each: SimulatedRun) => {
                if (each.state.attempt !== undefined) numbers.push(each.state.attempt.number);
                return happens(each.letGo());
              },
            ],
            passes,
          ] as const,
      );
      play(watched, run);
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    }),
    { numRuns: 300 },
  );
});

test('what others do to a run never counts against it', () => {
  const others = story.map((events) =>
    events.filter(([[name]]) => !name.startsWith('exit') && name !== 'after 700000'),
  );
  fc.assert(
    fc.property(others, searchNodes, (events, nodes) => {
      const run = new SimulatedRun({ searchNodes: nodes, backoffLimit: 0 });
      play(events, run);
      expect([own(run), run.state.outcome]).toEqual([0, undefined]);
    }),
    { numRuns: 200 },
  );
});

test('whatever happened, it trains in the end where it is left alone', () => {
  fc.assert(
    fc.property(story, searchNodes, (events, nodes) => {
      const run = new SimulatedRun({ searchNodes: nodes, backoffLimit: 100 });
      play(events, run);
      run.suspend(false);
      for (let i = 0; i < 40 && run.state.outcome === undefined; i += 1) {
        run.after(200_000).settle().start().settle().trained().settle().judged().settle();
        expect(run.live().length).toBeLessThanOrEqual(1);
      }
      expect(run.phase).toBe('Complete VersionProduced');
      expect(run.registered).toBe(1);
    }),
    { numRuns: 200 },
  );
});

const atTheGate: fc.Arbitrary<Event> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Event>(['full', (run) => run.gateEnds(74)]) },
  fc.constant<Event>(['full after its verdict', (run) => run.gateEnds(74, { gate: PASS })]),
  fc.constant<Event>(['judged', (run) => run.judged()]),
  fc.constant<Event>(['Job deleted', (run) => run.deleteGate()]),
  fc.boolean().map((on): Event => [`suspend ${on}`, (run) => run.suspend(on)]),
  fc.constant<Event>(['operator restarts', (run) => run.restart()]),
  {
    weight: 3,
    arbitrary: fc
      .constantFrom(1_000, 14_000, 61_000, 400_000)
      .map((ms): Event => [`after ${ms}`, (run) => run.after(ms)]),
  },
);

test('whatever happens at its gate, what was trained is kept and becomes one version', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(atTheGate, fc.integer({ min: 0, max: 4 })), { maxLength: 40 }),
      (events) => {
        const run = new SimulatedRun({ backoffLimit: 0 }).settle().start().settle().trained().settle();
        const { result } = run.state;
        play(events, run);
        run.suspend(false).settle().after(400_000).settle().judged().settle();
        expect([run.phase, run.registered]).toEqual(['Complete VersionProduced', 1]);
        expect(run.state).toMatchObject({ result, restarts: {}, attempt: { number: 1 } });
      },
    ),
    { numRuns: 300 },
  );
});

test('a configuration error ends it, whatever else happens with it', () => {
  fc.assert(
    fc.property(story, index, (events, i) => {
      const run = new SimulatedRun({ backoffLimit: 100 }).settle().start().settle();
      run.evict(1 - i).exit(i, 78);
      run.pass();
      expect(run.state.outcome).toMatchObject({ type: 'Failed', reason: 'ConfigError' });
      play(events, run);
      expect(run.state.outcome?.reason).toBe('ConfigError');
      run.settle().after(1_000_000).settle().after(1_000_000).settle();
      expect(run.live()).toEqual([]);
    }),
    { numRuns: 100 },
  );
});
