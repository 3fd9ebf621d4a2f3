import { expect, test } from '@jest/globals';
import { persistence } from '../forecast/persistence.ts';
import { type BacktestOptions, planOf } from './backtest.ts';
import { COVERAGES, frontierCells, HPA_TARGETS } from './frontier.ts';
import { sweepTrace } from './frontier-runs.ts';
import { growth, seededRandom } from './generated.ts';
import { parseCapacity } from './protocol.ts';
import { recordedSeries } from './recorded-series.ts';
import { createRunner } from './runner.ts';
import { recordTape } from './tape.ts';

const OPTIONS: BacktestOptions = {
  startUpMs: [30_000, 120_000],
  metricDelayMs: 60_000,
  objectives: ['efficiency'],
  policies: ['hpa', 'foresail'],
  target: 0.7,
  capacity: parseCapacity('p95/20'),
  coverage: 0.95,
};

/** Less than eight hours are scored, so that a chart shows each step as it is. */
async function study() {
  const day = growth(1, seededRandom(7));
  const trace = { ...day, values: day.values.slice(600, 830) };
  const plan = planOf(trace, OPTIONS);
  const tape = await recordTape(
    trace,
    [persistence],
    { horizon: plan.horizon },
    new AbortController().signal,
  );
  const { scored, capacity } = plan;
  const runner = createRunner(trace, tape, { metricDelayMs: OPTIONS.metricDelayMs, capacity, scored });
  return { plan, tape, runner };
}

const studied = study();

test('a sweep runs every setting of both at every start-up time, the default coverage beside them', async () => {
  const { plan, runner } = await studied;
  const progress: number[] = [];
  const sweeps = sweepTrace(plan, runner, {
    ...OPTIONS,
    onProgress: (done, all) => progress.push(done / all),
  });
  expect(sweeps.map(({ startUpSeconds }) => startUpSeconds)).toEqual([30, 120]);
  for (const { hpa, ours, untouched, steps } of sweeps) {
    expect(steps).toBe((plan.scored.to - plan.scored.from) * 4);
    const settings = (points: readonly { parameter: number }[]) => points.map(({ parameter }) => parameter);
    expect(settings(hpa)).toEqual(expect.arrayContaining([...HPA_TARGETS]));
    expect(settings(ours)).toEqual(expect.arrayContaining([...COVERAGES]));
    expect(untouched.parameter).toBe(0.95);
    expect(ours).toContainEqual(untouched);
  }
  expect(progress.at(-1)).toBe(1);
  for (const { ratio } of sweeps.flatMap(frontierCells)) expect(ratio === null || ratio > 0.3).toBe(true);
});

test('a chart shows the minutes short and the coverage that were scored', async () => {
  const { plan, tape, runner } = await studied;
  for (const series of recordedSeries(plan, runner, tape, OPTIONS)) {
    const run = { startUpMs: series.startUpSeconds * 1000, target: 0.7, coverage: 0.95 } as const;
    for (const policy of ['hpa', 'foresail'] as const) {
      const scored = runner.run({ ...run, policy, objective: 'efficiency' });
      const drawn = (series.shortMinutes[policy] ?? []).reduce((sum, each) => sum + each, 0);
      expect(drawn).toBeCloseTo(scored.underProvisionedMinutes, 6);
    }
    const known = series.load.map((load, i) => [load, series.upper[i] ?? Number.NaN] as const);
    const held = known.filter(([load, upper]) => load <= upper).length / known.length;
    expect(held).toBeCloseTo(runner.coverage(0.95, run.startUpMs).realised ?? Number.NaN, 10);
    const median = series.median.filter(Number.isFinite);
    expect(median.length).toBe(series.load.length);
    expect(Math.min(...median)).toBeGreaterThan(0);
  }
});

test('without forecasts HPA alone is drawn', async () => {
  const { plan, runner } = await studied;
  const [series] = recordedSeries(plan, runner, undefined, OPTIONS);
  expect(Object.keys(series?.replicas ?? {})).toEqual(['hpa']);
  expect(series?.upper.every(Number.isNaN)).toBe(true);
});
