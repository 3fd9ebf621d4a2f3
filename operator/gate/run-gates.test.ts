import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../clock.ts';
import { MODEL_HORIZON, MODEL_LEVELS } from '../forecast/types.ts';
import { BOX_MODEL } from '../inference/box-model.ts';
import { digestOf } from '../inference/load.ts';
import { openModel } from '../inference/model.ts';
import { tinyModel } from '../inference/testing/tiny-model.ts';
import type { OnnxModel } from '../inference/types.ts';
import { normal, seededRandom } from '../simulate/generated.ts';
import type { Trace } from '../simulate/trace.ts';
import { parseGolden } from './golden.ts';
import { type GateInput, type GateOutcome, runGates } from './run-gates.ts';
import { honestSet } from './testing/sets.ts';

// Children are started, and thousands of windows forecast: seconds on a busy machine.
const { signal } = new AbortController();
/** Simulating decisions takes most of the time, so only one test does. */
const FEW = { windows: 300, simulatedSeries: 0 };
const BOX = new URL('../../models/loadcast/', import.meta.url);
const random = seededRandom(21);
const load = (name: string, level: number): Trace => ({
  name,
  startMs: 0,
  stepMs: 300_000,
  values: Float64Array.from(
    { length: 12 * 288 },
    (_, i) => level * (2 + Math.sin((2 * Math.PI * i) / 288) + 0.1 * normal(random)),
  ),
});
const set = honestSet([load('a', 10), load('b', 200), load('c', 3e4)], 0.4);

let folder = '';
let box: OnnxModel;
/** Says the last value at once, in a child. */
let last: OnnxModel;
let goldenOfBox = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-gate-'));
  await writeFile(join(folder, 'last.onnx'), tinyModel({ offset: 0 }));
  await writeFile(join(folder, 'broken.onnx'), tinyModel({ outputName: 'answer' }));
  box = await openModel({ path: new URL('loadcast.onnx', BOX).pathname }, { clock: systemClock });
  const patient = { clock: systemClock, loadDeadlineMs: 60_000, runDeadlineMs: 60_000 };
  last = await openModel({ path: join(folder, 'last.onnx') }, patient);
  goldenOfBox = await readFile(new URL('golden.json', BOX), 'utf8');
});
afterAll(async () => {
  await box.close();
  await last.close();
  await rm(folder, { recursive: true });
});

function run(change: Partial<GateInput> = {}): Promise<GateOutcome> {
  const sha256 = change.sha256 ?? BOX_MODEL.sha256;
  const iso = (ms: number): string => new Date(ms).toISOString();
  return runGates(
    {
      candidate: box,
      incumbent: last,
      sha256,
      golden: parseGolden(goldenOfBox),
      lineage: {
        schema: 1,
        name: 'candidate',
        family: 'patch-mixer',
        sha256,
        data: { trainEnd: iso(set.trainEndMs), validateEnd: iso(set.validateEndMs) },
      },
      training: { sha256: 'd'.repeat(64), series: set.training },
      holdout: { sha256: 'e'.repeat(64), series: set.holdout },
      minImprovement: 0.01,
      limits: FEW,
      ...change,
    },
    () => undefined,
    signal,
  );
}

const verdicts = ({ gates }: GateOutcome) =>
  Object.fromEntries(gates.map(({ name, verdict }) => [name, verdict]));

describe('an honest candidate', () => {
  test('that is better than its incumbent passes every gate', async () => {
    const outcome = await run({ limits: { ...FEW, simulatedSeries: 1 } });
    expect(outcome).toMatchObject({ verdict: 'Pass', failed: [] });
    expect(verdicts(outcome)).toEqual({
      Data: 'Pass',
      Leakage: 'Pass',
      Contract: 'Pass',
      ForecastScore: 'Pass',
      Calibration: 'Pass',
      Decisions: 'Pass',
    });
    expect(outcome.scores?.lossVsIncumbent).toBeLessThan(0.9);
    expect(outcome.scores?.series).toBe(3);
    expect(outcome.windows.map(({ unanswered }) => unanswered)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(outcome.decisions).toHaveLength(1);
  });

  test('without an incumbent has to beat seasonal naive', async () => {
    const outcome = await run({ incumbent: undefined });
    expect(outcome).toMatchObject({ verdict: 'Pass', scores: { lossVsIncumbent: null } });
    expect(outcome.scores?.lossVsNaive).toBeLessThan(0.99);
  });

  test('that is the incumbent itself fails by ForecastScore alone, whatever is asked above nothing', async () => {
    const outcome = await run({ incumbent: box, minImprovement: 0.001 });
    expect(outcome.failed).toEqual(['ForecastScore']);
    expect(outcome.scores).toMatchObject({ lossVsIncumbent: 1, lossVsIncumbentUpper95: 1 });
  });
});

describe('a candidate', () => {
  test('that is worse than seasonal naive fails, in words', async () => {
    const sha256 = digestOf(await readFile(join(folder, 'last.onnx')));
    const outcome = await run({ candidate: last, incumbent: undefined, sha256 });
    expect(outcome.failed).toEqual(expect.arrayContaining(['ForecastScore', 'Contract', 'Calibration']));
    const [score] = outcome.gates.filter(({ name }) => name === 'ForecastScore');
    expect(score?.message).toMatch(/of that of seasonal naive, asked is at most 0.990/);
  });

  test('that is refused is told by its reason, and what cannot be measured is skipped', async () => {
    const candidate = await openModel({ path: join(folder, 'broken.onnx') }, { clock: systemClock });
    const outcome = await run({ candidate });
    expect(outcome).toMatchObject({ verdict: 'Fail', failed: ['Contract'], scores: undefined });
    expect(verdicts(outcome)).toMatchObject({
      ForecastScore: 'Skip',
      Calibration: 'Skip',
      Decisions: 'Skip',
    });
    expect(outcome.gates.find(({ name }) => name === 'Contract')?.message).toContain('WrongOutputs');
  });

  test.each([
    ['are missing', 'golden.json is missing', /is missing/],
    ['are of another file', { modelSha256: 'f'.repeat(64) }, /of another file/],
    ['say something else', { quantile: 1e6 }, /the trainer says 1000000/],
  ])('whose golden vectors %s fails by Contract', async (_, change, message) => {
    const outcome = await run({ golden: typeof change === 'string' ? change : changedGolden(change) });
    expect(outcome.failed).toEqual(['Contract']);
    expect(outcome.gates.find(({ name }) => name === 'Contract')?.message).toMatch(message);
  });

  test('that knows the future fails by Leakage: no honest forecaster is that good', async () => {
    const outcome = await run({ candidate: seer(box) });
    expect(outcome.failed).toContain('Leakage');
    expect(outcome.gates.find(({ name }) => name === 'Leakage')?.message).toContain('no honest forecaster');
  });

  test('that dies in the middle fails by name and does not end the gate', async () => {
    const dead: OnnxModel = {
      ...answering(box),
      forecast: () => Promise.reject(new Error('the child ended')),
    };
    const outcome = await run({ candidate: dead });
    expect(outcome.failed).toEqual(expect.arrayContaining(['Contract', 'ForecastScore']));
    expect(outcome.gates.find(({ name }) => name === 'ForecastScore')?.message).toContain('the child ended');
    expect(verdicts(outcome)).toMatchObject({ Data: 'Pass', Leakage: 'Pass' });
  });
});

test('an incumbent that stops answering is no fault of the candidate: there is no verdict', async () => {
  let calls = 0;
  const incumbent: OnnxModel = {
    ...answering(last),
    forecast: (windows, stop) =>
      calls++ < 3 ? last.forecast(windows, stop) : Promise.reject(new Error('the child ended')),
  };
  await expect(run({ incumbent })).rejects.toMatchObject({
    code: 'INCUMBENT_FAILED',
    retry: 'transient',
    message: 'the incumbent stopped answering: the child ended',
  });
});

function changedGolden(change: { readonly modelSha256?: string; readonly quantile?: number }) {
  const golden = parseGolden(goldenOfBox);
  if (typeof golden === 'string') throw new Error(golden);
  const [first, ...rest] = golden.cases;
  if (first === undefined) throw new Error('no case');
  const quantiles = first.quantiles.map((row) => row.map((value) => change.quantile ?? value));
  return {
    ...golden,
    modelSha256: change.modelSha256 ?? golden.modelSha256,
    cases: [{ ...first, quantiles }, ...rest],
  };
}

/** A model's plain parts, so that a fault can be put into one of them. */
function answering(model: OnnxModel): OnnxModel {
  return {
    id: model.id,
    state: model.state,
    forecast: model.forecast.bind(model),
    close: () => Promise.resolve(),
  };
}

/** Has learned the test part by heart, which a real file could only do for loads that it was trained on. */
function seer(model: OnnxModel): OnnxModel {
  return {
    ...answering(model),
    async forecast(windows, stop) {
      const real = await model.forecast(windows, stop);
      return real.map((forecast, i) => {
        const series = set.holdout.find(({ name }) => name === windows[i]?.key);
        if (series === undefined) return forecast;
        const at = Math.round((forecast.originMs - series.startMs) / series.stepMs);
        const values = forecast.values.map((_, k) => {
          const step = Math.floor(k / MODEL_LEVELS.length) + 1;
          return series.values[Math.min(at + step, series.values.length - 1)] ?? 0;
        });
        return { ...forecast, horizon: MODEL_HORIZON, values };
      });
    },
  };
}
