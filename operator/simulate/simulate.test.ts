import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { decide } from '../decision/decide.ts';
import { HPA_DEFAULTS } from '../decision/reactive/tuning.ts';
import type { DecisionMemory } from '../decision/types.ts';
import { known, unknown } from '../observation.ts';
import { calibrate } from './band.ts';
import { foresailPolicy, hpaPolicy, shadowPolicy, specFor } from './policies/decided.ts';
import { oraclePolicy, profilePolicy, staticPolicy } from './policies/simple.ts';
import { type Policy, type SimulateOptions, simulate, tickMsOf } from './simulate.ts';
import { MINUTE_MS, noise, quickTape, shortTrace, traceOf } from './testing/loads.ts';
import type { Trace } from './trace.ts';

const CAPACITY = 10;

function whole(trace: Trace, change: Partial<SimulateOptions> = {}): SimulateOptions {
  return {
    startUpMs: 120_000,
    metricDelayMs: 60_000,
    capacity: CAPACITY,
    scored: { from: 0, to: trace.values.length },
    record: true,
    ...change,
  };
}

/** Orders by decision, and what it saw. */
function orders(trace: Trace, policy: Policy, options: SimulateOptions): number[] {
  const seen: number[] = [];
  const watched: Policy = {
    name: policy.name,
    begin(...args) {
      const order = policy.begin(...args);
      return (moment) => {
        const replicas = order(moment);
        seen.push(replicas);
        return replicas;
      };
    },
  };
  simulate(trace, watched, options);
  return seen;
}

describe('the virtual clock', () => {
  test('a step is seen one metric delay after its end, and what is ordered serves one start-up time later', () => {
    const trace = traceOf([10, 50, 50, 50, 50, 50, 50, 50, 50, 50]);
    const seen: number[] = [];
    const policy: Policy = {
      name: 'hpa',
      begin: (own) => (moment) => {
        seen.push(moment.newest);
        return Math.ceil((own.values[Math.max(moment.newest, 0)] ?? 0) / CAPACITY);
      },
    };
    const { ready, underProvisionedMinutes } = simulate(trace, policy, whole(trace));
    // Four decisions a minute; minute 1 ends at minute 2 and is seen at minute 3.
    expect(seen.filter((_, i) => i % 4 === 0)).toEqual([-2, -1, 0, 1, 2, 3, 4, 5, 6, 7]);
    // Ordered at minute 3, ready at minute 5.
    expect([...(ready ?? [])].filter((_, i) => i % 4 === 0)).toEqual([1, 1, 1, 1, 1, 5, 5, 5, 5, 5]);
    expect(underProvisionedMinutes).toBe(4);
  });

  test('steps shorter than a decision are scored one by one', () => {
    const trace = traceOf([10, 20, 10, 20, 10, 20], 'ten seconds', 10_000);
    expect(tickMsOf(trace)).toBe(5000);
    const { tauU, steps } = simulate(trace, { name: 'static', begin: () => () => 1 }, whole(trace));
    expect(tauU).toBeCloseTo(50, 9);
    expect(steps).toBe(12);
  });

  test('an unknown load is not scored, and nothing goes down on it', () => {
    const values = Array.from({ length: 40 }, () => 50).fill(Number.NaN, 10, 30);
    const trace = traceOf(values);
    const outcome = simulate(trace, hpaPolicy({ target: 0.7 }), whole(trace));
    expect(outcome.minutes).toBe(20);
    const at = (minute: number) => outcome.ready?.[minute * 4];
    expect(at(29)).toBe(at(10));
  });

  test('a step that no decision fits is refused', () => {
    expect(() => tickMsOf(traceOf([1], 'odd', 1500.5))).toThrow('does not fit');
  });
});

describe('the policies', () => {
  test('hpa is mode Reactive of the operator, decision by decision', () => {
    const trace = shortTrace('generated_steps', 1);
    const options = whole(trace);
    const spec = specFor('Reactive', 'availability', 0.7, CAPACITY);
    let memory: DecisionMemory | undefined;
    let current = Math.ceil((trace.values[0] ?? 0) / CAPACITY);
    const expected = Array.from({ length: trace.values.length * 4 }, (_, i) => {
      const nowMs = trace.startMs + i * 15_000;
      const step = Math.floor(i / 4) - 2;
      const load = trace.values[step];
      const decision = decide({
        id: String(i),
        nowMs,
        spec,
        specReplicas: current,
        statusReplicas: current,
        pods: [],
        readings: [
          load === undefined
            ? unknown('NoData', 'not yet', trace.startMs)
            : known({ form: 'total', milli: load * 1000, series: 1 }, nowMs),
        ],
        forecast: unknown('NotRead', 'none', nowMs),
        window: { fromMs: nowMs, toMs: nowMs },
        learnedCapacityMilli: [],
        activeSchedules: [],
        tuning: HPA_DEFAULTS,
        guards: {},
        memory,
      });
      memory = decision.memory;
      current = decision.desiredReplicas;
      return current;
    });
    expect(orders(trace, hpaPolicy({ target: 0.7 }), options)).toEqual(expected);
    expect(new Set(expected).size).toBeGreaterThan(3);
  });

  test('shadow acts as hpa', async () => {
    const trace = shortTrace('generated_growth', 1);
    const band = calibrate(await quickTape(trace), 0.95);
    const shadow = shadowPolicy({ target: 0.7, objective: 'availability', band });
    expect(orders(trace, shadow, whole(trace))).toEqual(
      orders(trace, hpaPolicy({ target: 0.7 }), whole(trace)),
    );
  });

  test('availability runs no fewer replicas than hpa, but for the tolerance around what it runs itself', async () => {
    const trace = shortTrace('generated_spikes', 1);
    const band = calibrate(await quickTape(trace), 0.95);
    const ours = orders(
      trace,
      foresailPolicy({ target: 0.7, objective: 'availability', band }),
      whole(trace),
    );
    const hpa = orders(trace, hpaPolicy({ target: 0.7 }), whole(trace));
    // HPA may stay a tenth above what it would order anew; ours has come to that place from above and orders anew.
    expect(ours.every((replicas, i) => replicas >= Math.floor((hpa[i] ?? 0) / 1.1))).toBe(true);
    expect(ours).not.toEqual(hpa);
  });

  test('the oracle is never short, and no dearer than the peak of each start-up time asks', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 3, maxLength: 60 }),
        fc.constantFrom(0, 10_000, 30_000, 45_000, 120_000, 600_000),
        fc.constantFrom(0, 60_000, 90_000),
        fc.constantFrom(MINUTE_MS, 10_000, 5 * MINUTE_MS),
        (values, startUpMs, metricDelayMs, stepMs) => {
          const trace = traceOf(values, 'any', stepMs);
          // Before the first order has become ready nobody can help it.
          const from = Math.min(Math.ceil((startUpMs + 15_000) / stepMs), values.length);
          const options = whole(trace, { startUpMs, metricDelayMs, scored: { from, to: values.length } });
          expect(simulate(trace, oraclePolicy(), options).underProvisionedMinutes).toBe(0);
        },
      ),
    );
    const flat = traceOf(Array.from({ length: 60 }, () => 35));
    expect(simulate(flat, oraclePolicy(), whole(flat)).thetaO).toBe(0);
  });

  test('static carries all but the highest hundredth', () => {
    const trace = traceOf(Array.from({ length: 200 }, (_, i) => i));
    expect(new Set(orders(trace, staticPolicy(), whole(trace)))).toEqual(new Set([20]));
  });

  test("profile orders yesterday's shape at today's level, and holds before there is one", () => {
    const day = Array.from({ length: 1440 }, (_, i) => 100 + (i >= 600 && i < 660 ? 200 : 0));
    const trace = traceOf([...day, ...day.map((load) => load * 2), ...day.map((load) => load * 2)]);
    const seen = orders(trace, profilePolicy(1), whole(trace));
    expect(new Set(seen.slice(0, 1440 * 4))).toEqual(new Set([10]));
    const at = (minute: number) => seen[(1440 * 2 + minute) * 4];
    // The rise is ordered one start-up time before it comes.
    expect([at(500), at(596), at(600), at(650), at(670)]).toEqual([20, 20, 60, 60, 20]);
  });
});

describe('honesty', () => {
  test('the same trace gives the same outcome', async () => {
    const trace = noise(0.5);
    const run = async () => {
      const band = calibrate(await quickTape(trace), 0.9);
      return simulate(trace, foresailPolicy({ target: 0.7, objective: 'efficiency', band }), whole(trace));
    };
    expect(await run()).toEqual(await run());
  });

  test('another future changes no decision before it can be seen', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 100, max: 350 }),
        fc.constantFrom(0, 60_000, 150_000),
        async (seed, change, metricDelayMs) => {
          const before = noise(0.25, seed);
          const after = { ...before, values: before.values.map((v, i) => (i < change ? v : 3 * v + 50)) };
          const options = whole(before, { metricDelayMs });
          const until = change * 4 + Math.ceil((MINUTE_MS + metricDelayMs) / 15_000);
          const both = async (policyOf: (trace: Trace) => Promise<Policy>) => {
            const [a, b] = [await policyOf(before), await policyOf(after)];
            const [was, is] = [orders(before, a, options), orders(after, b, options)];
            expect(is.slice(0, until)).toEqual(was.slice(0, until));
            expect(is).not.toEqual(was);
          };
          await both(async () => hpaPolicy({ target: 0.7 }));
          // oxlint-disable-next-line no-await-in-loop -- one after the other
          for (const objective of ['availability', 'efficiency'] as const)
            await both(async (trace) => {
              const band = calibrate(await quickTape(trace), 0.9);
              return foresailPolicy({ target: 0.7, objective, band });
            });
        },
      ),
      { numRuns: 10 },
    );
  });
});
