/** Which windows are compared, and what becomes of those that the candidate leaves unanswered. */
import { describe, expect, test } from '@jest/globals';
import { type Forecaster, type ForecastWindow, MODEL_LEVELS } from '../forecast/types.ts';
import { normal, seededRandom } from '../simulate/generated.ts';
import { decisionsOn } from './decisions.ts';
import { forecastGate } from './forecast-gate.ts';
import type { FolderSeries } from './series-folder.ts';
import { scoreWindows } from './window-scores.ts';

const { signal } = new AbortController();
const STEP_MS = 300_000;
const DAY = 288;
const DAY_MS = 86_400_000;
const SPLIT = 10 * DAY;

function load(days: number, change: (values: Float64Array) => void = () => undefined): FolderSeries {
  const random = seededRandom(3);
  const values = Float64Array.from(
    { length: days * DAY },
    (_, i) => 100 * (2 + Math.sin((2 * Math.PI * i) / DAY) + 0.05 * normal(random)),
  );
  change(values);
  return { name: 'set/web', startMs: 0, stepMs: STEP_MS, values, fault: undefined };
}

const lastOf = ({ context }: ForecastWindow): number =>
  context.findLast((value) => !Number.isNaN(value)) ?? Number.NaN;

/** Says one value for every step and level. */
function saying(
  value: (window: ForecastWindow) => number,
  horizon = 60,
  asked: ForecastWindow[] = [],
): Forecaster {
  return {
    id: 'test',
    forecast: (windows) => {
      asked.push(...windows);
      return Promise.resolve(
        windows.map((window) => ({
          originMs: window.originMs,
          stepMs: window.stepMs,
          horizon,
          levels: MODEL_LEVELS,
          values: new Float32Array(horizon * MODEL_LEVELS.length).fill(value(window)),
          model: { name: 'test', version: '1', digest: '' },
        })),
      );
    },
  };
}

const scored = (series: FolderSeries, candidate: Forecaster, mostOrigins = 500) =>
  scoreWindows(
    series,
    { candidate, incumbent: undefined },
    { validateEndMs: SPLIT * STEP_MS, horizonsMs: [900_000, 3_600_000], mostOrigins },
    signal,
  );

describe('windows that are left unanswered', () => {
  test('are held against the candidate even where it answers none of a series', async () => {
    const good = await scored(load(14), saying(lastOf));
    const none = await scored(
      { ...load(14), name: 'set/odd' },
      saying(() => Number.NaN),
    );
    expect(none.map(({ windows, unanswered }) => [windows, unanswered > 100])).toEqual([
      [0, true],
      [0, true],
    ]);
    const { result } = forecastGate({
      scores: [...good, ...none],
      hasIncumbent: false,
      minImprovement: -0.9,
    });
    expect(result.verdict).toBe('Fail');
    expect(result.message).toMatch(/windows were left unanswered \(set\/odd: the forecast is not finite/);
  });

  test('are not those of a lead beyond its horizon', async () => {
    const scores = await scored(load(14), saying(lastOf, 4));
    expect(scores.map(({ horizonSeconds, unanswered }) => [horizonSeconds, unanswered])).toEqual([[900, 0]]);
  });

  test('are not those that the operator would not ask for: after two days without a measurement', async () => {
    const gap = (values: Float64Array) => values.fill(Number.NaN, SPLIT + DAY, SPLIT + 3 * DAY);
    const scores = await scored(load(16, gap), saying(lastOf), 5000);
    expect(scores.map(({ windows, unanswered }) => [windows > 500, unanswered])).toEqual([
      [true, 0],
      [true, 0],
    ]);
  });
});

test('few origins of many days see all hours, not the same ones of each day', async () => {
  const asked: ForecastWindow[] = [];
  await scored(load(50), saying(lastOf, 60, asked), 80);
  const hours = new Set(asked.map(({ originMs }) => Math.floor((originMs % DAY_MS) / 3_600_000)));
  expect(asked.length).toBeGreaterThan(70);
  expect(hours.size).toBe(24);
});

test('a series whose test part is unknown is not simulated: it would hide what the others say', async () => {
  const unknown = load(14, (values) => values.fill(Number.NaN, SPLIT));
  const candidate = saying(lastOf);
  expect(await decisionsOn(unknown, { candidate, incumbent: undefined }, SPLIT * STEP_MS, signal)).toBe(
    'nothing of its test part is known',
  );
});
