import { expect, test } from '@jest/globals';
import { drawnSeries, type ScoredSteps } from './series.ts';

const STEP_MS = 15_000;
const PER_HOUR = 240;

function day(parts: Partial<ScoredSteps> = {}): ScoredSteps {
  const length = 24 * PER_HOUR;
  return {
    trace: 'web',
    startUpSeconds: 120,
    objective: 'efficiency',
    capacity: 10,
    startMs: 0,
    stepMs: STEP_MS,
    load: new Float64Array(length).fill(40),
    demanded: new Float64Array(length).fill(4),
    median: new Float64Array(length).fill(38),
    upper: new Float64Array(length).fill(50),
    ready: { hpa: new Float64Array(length).fill(5), foresail: new Float64Array(length).fill(4) },
    ...parts,
  };
}

test('minutes short are counted on the full steps and survive the thinning', () => {
  const demanded = new Float64Array(24 * PER_HOUR).fill(4);
  // One step of fifteen seconds asks for 9, which no mean shows.
  demanded[1000] = 9;
  const [whole] = drawnSeries(day({ demanded }));
  const sum = (values: readonly number[] = []) => values.reduce((a, b) => a + b, 0);
  expect(whole?.atMs.length).toBeLessThanOrEqual(720);
  expect(Math.max(...(whole?.demanded ?? []))).toBeLessThan(5);
  expect(sum(whole?.shortMinutes.hpa)).toBeCloseTo(0.25, 10);
  expect(sum(whole?.shortMinutes.foresail)).toBeCloseTo(0.25, 10);
  expect(whole?.replicas.hpa?.every((n) => n === 5)).toBe(true);
});

test('the close-up shows the eight hours that differ most, also where we lost', () => {
  const foresail = new Float64Array(24 * PER_HOUR).fill(4);
  foresail.fill(1, 18 * PER_HOUR, 19 * PER_HOUR);
  const hpa = new Float64Array(24 * PER_HOUR).fill(5);
  hpa.fill(1, 2 * PER_HOUR, 2 * PER_HOUR + 20);
  const [, closeUp] = drawnSeries(day({ ready: { hpa, foresail } }));
  expect(closeUp).toMatchObject({ view: 'closeUp', pointSeconds: 15 });
  const [from = 0, to = 0] = [closeUp?.atMs[0], closeUp?.atMs.at(-1)];
  expect((to - from + STEP_MS) / 3_600_000).toBe(8);
  expect(from).toBeLessThanOrEqual(18 * 3_600_000);
  expect(to).toBeGreaterThanOrEqual(19 * 3_600_000 - STEP_MS);
});

test('without any difference the close-up shows the peak of the load', () => {
  const load = new Float64Array(24 * PER_HOUR).fill(40);
  load[23 * PER_HOUR] = 90;
  const [, closeUp] = drawnSeries(day({ load }));
  expect(Math.max(...(closeUp?.load ?? []))).toBe(90);
  expect(closeUp?.atMs.at(-1)).toBe(24 * 3_600_000 - STEP_MS);
});

test('an unknown load stays unknown, and a short run has no close-up', () => {
  const hour = (value: number) => new Float64Array(PER_HOUR).fill(value);
  const series = drawnSeries(
    day({
      load: hour(Number.NaN),
      demanded: hour(1),
      median: hour(Number.NaN),
      upper: hour(3),
      ready: { hpa: hour(1) },
    }),
  );
  expect(series).toHaveLength(1);
  expect(series[0]?.load.every(Number.isNaN)).toBe(true);
  expect(series[0]?.median.every(Number.isNaN)).toBe(true);
  expect(series[0]?.replicas.foresail).toBeUndefined();
  expect(drawnSeries(day({ load: [] }))).toEqual([]);
});
