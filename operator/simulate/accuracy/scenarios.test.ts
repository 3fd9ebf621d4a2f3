import { expect, test } from '@jest/globals';
import { seededRandom } from '../generated.ts';
import { SCENARIOS, scenarioResults, scoreDisturbed } from './scenarios.ts';
import { type Scene, sceneOf } from './scene.ts';
import { contenderOf, DAY_STEPS, forecasterOf, lastValue, madeLoad, traceOf } from './testing/fixtures.ts';

// Thousands of windows: seconds on a busy machine.
const made = sceneOf(traceOf('made', madeLoad(16 * DAY_STEPS)));
const SPLIT = 3000;

function disturbed(id: string): Scene {
  const scenario = SCENARIOS.find((one) => one.id === id);
  if (scenario === undefined) throw new Error(`no scenario ${id}`);
  return scenario.disturb(made, SPLIT, seededRandom(7));
}

test.each(SCENARIOS.map(({ id }) => id))('%s leaves the training part alone', (id) => {
  const { seen, truth } = disturbed(id);
  expect(seen.subarray(0, SPLIT)).toEqual(made.seen.subarray(0, SPLIT));
  expect(truth.subarray(0, SPLIT)).toEqual(made.truth.subarray(0, SPLIT));
});

test('what only disturbs the measurement leaves the truth alone', () => {
  for (const id of ['missing', 'noise']) expect(disturbed(id).truth).toEqual(made.truth);
  const { seen } = disturbed('missing');
  const unknown = seen.filter(Number.isNaN).length / (seen.length - SPLIT);
  expect(unknown).toBeGreaterThan(0.1);
  expect(unknown).toBeLessThan(0.25);
});

test('spikes are seen and not scored', () => {
  const { seen, truth } = disturbed('spikes');
  let count = 0;
  truth.forEach((value, i) => {
    if (!Number.isNaN(value)) return expect(seen[i]).toBe(value);
    count++;
    expect(seen[i]).toBeGreaterThanOrEqual(5 * (made.seen[i] ?? 0));
  });
  expect(count).toBeGreaterThan(0);
});

test('a level shift doubles the second half; growth ends a week later at 1.1 to the seventh', () => {
  const last = made.truth.length - 1;
  expect(disturbed('levelShift').truth[last]).toBe(2 * (made.truth[last] ?? 0));
  expect(disturbed('levelShift').seen[SPLIT + 10]).toBe(made.seen[SPLIT + 10]);
  const from = Math.max(SPLIT, made.truth.length - 7 * DAY_STEPS);
  const grown = (disturbed('growth').truth[last] ?? 0) / (made.truth[last] ?? 1);
  expect(grown).toBeCloseTo(1.1 ** ((last - from) / DAY_STEPS));
});

test('every scenario is scored against the undisturbed load, with the same disturbance for every model', async () => {
  const last = contenderOf(forecasterOf('last', lastValue, 20), { maxOrigins: 60 });
  const twin = contenderOf(forecasterOf('twin', lastValue, 20), { maxOrigins: 60 });
  const options = { horizonsMs: [900_000], naive: [], excludeTrained: false };
  const { signal } = new AbortController();
  const scored = (scene: Scene) =>
    scoreDisturbed(scene, [last, twin], options, () => seededRandom(1), signal);
  const scores = await scored(made);
  if (scores === undefined) throw new Error('the load was left out');
  expect(await scored(sceneOf(traceOf('still', Array<number>(5000).fill(3))))).toBeUndefined();
  const rows = scenarioResults([scores]);
  expect(rows).toHaveLength(2 * SCENARIOS.length);
  const of = (id: string, model: string) => rows.find((row) => row.scenario === id && row.model === model);
  for (const { id } of SCENARIOS) {
    expect({ ...of(id, 'last'), model: '' }).toEqual({ ...of(id, 'twin'), model: '' });
    expect(of(id, 'last')?.series).toBe(1);
  }
  expect(of('noise', 'last')?.wqlVsClean).toBeGreaterThan(1.5);
  expect(of('levelShift', 'last')?.relWql).toBeLessThan(1);
});
