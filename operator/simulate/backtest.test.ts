import { describe, expect, test } from '@jest/globals';
import { aggregate } from './aggregate.ts';
import { type BacktestOptions, planOf, runBacktest, scoredTrace } from './backtest.ts';
import { generatedTraces } from './generated.ts';
import { capacityOf, parseCapacity, scoredSpan } from './protocol.ts';
import { createRunner, leadSteps } from './runner.ts';
import { bursty, MINUTE_MS, noise, quickTape, shortTrace, traceOf } from './testing/loads.ts';
import type { Trace } from './trace.ts';

const OPTIONS: BacktestOptions = {
  startUpMs: [30_000, 120_000, 600_000],
  metricDelayMs: 60_000,
  objectives: ['availability', 'efficiency'],
  policies: ['hpa', 'foresail', 'shadow', 'static', 'profile', 'oracle'],
  target: 0.7,
  capacity: parseCapacity('p95/20'),
  coverage: 0.95,
};

async function backtest(trace: Trace, options = OPTIONS) {
  const plan = planOf(trace, options);
  const { metricDelayMs } = options;
  const runner = createRunner(trace, await quickTape(trace), { ...plan, metricDelayMs });
  return runBacktest(plan, runner, options);
}

describe('the plan of a trace', () => {
  test('the last 70 % are scored; worldcup98 by its days', () => {
    expect(scoredSpan(traceOf(Array.from({ length: 1000 }, () => 1)))).toEqual({ from: 300, to: 1000 });
    const worldcup = traceOf(Array.from({ length: 88 * 1440 }, (_, i) => (i < 40 * 1440 ? 1 : 100)));
    const named = { ...worldcup, name: 'worldcup98_1m' };
    expect(scoredSpan(named)).toEqual({ from: 40 * 1440, to: 80 * 1440 });
    expect(capacityOf(named, parseCapacity('p50/10'))).toBe(10);
  });

  test.each([
    ['p95/20', 95 / 20],
    ['p50/5', 50 / 5],
    ['12.5', 12.5],
  ])('capacity %s', (text, load) => {
    const trace = traceOf(Array.from({ length: 100 }, (_, i) => i));
    expect(capacityOf(trace, parseCapacity(text))).toBe(load);
  });

  test.each(['', 'p95', 'p95/0', '0', '-3', 'NaN', 'many'])('capacity %p is refused', (text) => {
    expect(() => parseCapacity(text)).toThrow('capacity');
  });

  test('a start-up time shorter than the step is skipped, but minutes are always fine enough', () => {
    const coarse = planOf(
      traceOf(
        Array.from({ length: 200 }, () => 5),
        'coarse',
        5 * MINUTE_MS,
      ),
      OPTIONS,
    );
    expect(coarse.startUpMs).toEqual([600_000]);
    expect(coarse.skipped.map(({ startUpSeconds }) => startUpSeconds)).toEqual([30, 120]);
    expect(planOf(noise(0.5), OPTIONS).startUpMs).toEqual(OPTIONS.startUpMs);
  });

  test.each([
    ['next to nothing to score', traceOf([1, 2, 3]), 'steps could be scored'],
    ['no load at all', traceOf(Array.from({ length: 200 }, () => 0)), 'p95/20'],
    ['nothing known', traceOf(Array.from({ length: 200 }, () => Number.NaN)), 'p95/20'],
    [
      'a step of 0.7 s',
      traceOf(
        Array.from({ length: 200 }, () => 1),
        'odd',
        700,
      ),
      'does not fit',
    ],
  ])('%s is skipped with a reason', (_, trace, reason) => {
    const plan = planOf(trace, OPTIONS);
    expect(plan.startUpMs).toEqual([]);
    expect(plan.skipped.map((one) => one.reason).join()).toContain(reason);
  });

  test('what a repair filled in counts as unknown', () => {
    const trace = { ...noise(0.5), imputed: new Uint8Array(720).fill(1, 700) };
    const plan = planOf(trace, OPTIONS);
    expect([plan.trace.values[699], plan.trace.values[700]]).toEqual([trace.values[699], Number.NaN]);
  });

  test('the tape must reach the end of the longest lead window', () => {
    // A minute and its delay, the next decision, ten minutes to start: 12.25 minutes.
    expect(leadSteps(MINUTE_MS, { startUpMs: 600_000, metricDelayMs: 60_000 })).toBe(13);
    expect(planOf(noise(0.5), OPTIONS).horizon).toBe(13);
  });

  test('what was scored is said', () => {
    expect(scoredTrace(planOf(noise(1), OPTIONS))).toMatchObject({
      trace: 'generated_white_noise',
      stepSeconds: 60,
      from: '2025-01-06T07:12:00.000Z',
      to: '2025-01-07T00:00:00.000Z',
      days: 0.7,
    });
  });
});

describe('a backtest on generated loads', () => {
  test('one line per start-up time, objective and policy, with numbers that can be true', async () => {
    const results = await backtest(bursty(1));
    expect(results.length).toBe(3 * 2 * 6);
    for (const one of results) {
      expect(Object.values(one).every((value) => typeof value !== 'number' || value >= 0)).toBe(true);
      expect(one.tauU + one.tauO).toBeLessThanOrEqual(100.000001);
      expect(one.coverageAsked === null).toBe(!['foresail', 'shadow'].includes(one.policy));
      if (one.policy === 'hpa') expect(one.eps).toBe(1);
      if (one.policy === 'oracle') expect(one.underProvisionedMinutes).toBe(0);
    }
    const of = (objective: string, policy: string) =>
      results.find(
        (one) => one.startUpSeconds === 600 && one.objective === objective && one.policy === policy,
      );
    const { startUpSeconds, objective: _, ...numbers } = of('availability', 'hpa') ?? {};
    expect(of('efficiency', 'hpa')).toMatchObject(numbers);
    // Raising only: what is asked for ahead of HPA costs more and is short less.
    const [ours, hpa] = [of('availability', 'foresail'), of('availability', 'hpa')];
    expect(ours?.underProvisionedMinutes).toBeLessThan(hpa?.underProvisionedMinutes ?? 0);
    expect(ours?.replicaHours).toBeGreaterThan(hpa?.replicaHours ?? 0);
    const lines = aggregate(results);
    expect(lines.length).toBe(3 * 2 * 6);
    expect(lines.every(({ traces }) => traces === 1)).toBe(true);
  });

  test('a run is made once, whoever asks again', async () => {
    const trace = noise(0.3);
    const plan = planOf(trace, OPTIONS);
    const runner = createRunner(trace, await quickTape(trace), { ...plan, metricDelayMs: 60_000 });
    const run = { policy: 'foresail', objective: 'efficiency', startUpMs: 30_000, target: 0.7 } as const;
    expect(runner.run({ ...run, coverage: 0.9 })).toBe(runner.run({ ...run, coverage: 0.9 }));
    expect(runner.run({ ...run, coverage: 0.9 }).replicaHours).toBeLessThan(
      runner.run({ ...run, coverage: 0.99 }).replicaHours,
    );
    expect(runner.run({ ...run, coverage: 0.9, record: true }).ready?.length).toBe(
      (plan.scored.to - plan.scored.from) * 4,
    );
  });

  test('without forecasts the others still run, and ours says what is missing', () => {
    const trace = noise(0.3);
    const plan = planOf(trace, OPTIONS);
    const runner = createRunner(trace, undefined, { ...plan, metricDelayMs: 60_000 });
    const run = { objective: 'efficiency', startUpMs: 30_000, target: 0.7, coverage: 0.9 } as const;
    expect(runner.run({ ...run, policy: 'hpa' }).minutes).toBeGreaterThan(0);
    expect(() => runner.run({ ...run, policy: 'foresail' })).toThrow('no forecasts were recorded');
  });
});

describe('generated loads', () => {
  test('are the same at every call, whole counts, and not all alike', () => {
    const [one, two] = [generatedTraces(2), generatedTraces(2)];
    expect(one).toEqual(two);
    expect(one.map(({ name }) => name)).toEqual([
      'generated_white_noise',
      'generated_spikes',
      'generated_steps',
      'generated_growth',
    ]);
    for (const { values } of one) {
      expect(values.length).toBe(2880);
      expect(values.every((value) => Number.isInteger(value) && value >= 0)).toBe(true);
    }
    expect(generatedTraces(2, 7)[0]?.values).not.toEqual(one[0]?.values);
  });

  test('noise has no memory, growth grows', () => {
    const values = noise(4).values;
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    let [own, next] = [0, 0];
    for (let i = 1; i < values.length; i++) {
      own += ((values[i] ?? 0) - mean) ** 2;
      next += ((values[i] ?? 0) - mean) * ((values[i - 1] ?? 0) - mean);
    }
    expect(Math.abs(next / own)).toBeLessThan(0.05);
    expect(mean).toBeGreaterThan(195);
    const grown = shortTrace('generated_growth', 15).values;
    const day = (d: number) => grown.slice(d * 1440, (d + 1) * 1440).reduce((sum, value) => sum + value, 0);
    expect(day(14) / day(0)).toBeGreaterThan(1.6);
  });
});
