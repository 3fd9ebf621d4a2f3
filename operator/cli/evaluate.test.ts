import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { tinyModel } from '../inference/testing/tiny-model.ts';
import type { EvaluationReport } from '../simulate/accuracy/report-types.ts';
import { DAY_STEPS, madeLoad } from '../simulate/accuracy/testing/fixtures.ts';
import { type EvaluateFlags, evaluate } from './evaluate.ts';
import { evaluationText } from './evaluate-table.ts';

// Two megabytes of text are read and a child is started: seconds on a busy machine.
const { signal } = new AbortController();
let folder = '';
let notes: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evaluate-'));
  await put('shop_a.csv', csv(madeLoad(14 * DAY_STEPS)));
  await put('shop_a.labels.csv', 'start,end\n');
  await put('short.csv', csv(madeLoad(4 * DAY_STEPS)));
  await put('still.csv', csv(Array<number>(1000).fill(5)));
  // Names `shop` as its training data, and answers with the last value.
  await put('last.onnx', tinyModel({ offset: 0, metadata: { 'foresail.training_sources': '["shop"]' } }));
});
afterAll(async () => await rm(folder, { recursive: true }));

async function put(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

function csv(values: readonly number[]): string {
  return `timestamp,value\n${values.map((value, i) => `${300 * i},${value}`).join('\n')}\n`;
}

async function run(flags: Partial<EvaluateFlags>): Promise<EvaluationReport> {
  notes = [];
  const nothing = (): void => undefined;
  const note = (line: string): void => void notes.push(line);
  const progress = { note, show: nothing, expect: nothing, partDone: nothing };
  const all = { data: [folder], horizons: '15m', models: 'naive-day', maxOrigins: '40', ...flags };
  const { report, problem } = await evaluate(all, progress, signal);
  expect(problem).toBeUndefined();
  return report;
}

test('a folder is scored by code and by a foreign file, side by side', async () => {
  const report = await run({ models: `naive-last,naive-day,persistence,${join(folder, 'last.onnx')}` });
  expect(report.models.map(({ model, trainingSources }) => [model, trainingSources])).toEqual([
    ['naive-last', []],
    ['naive-day', []],
    ['persistence', []],
    ['last', ['shop']],
  ]);
  expect(
    report.aggregate.map(({ model, horizonSeconds, series }) => [model, horizonSeconds, series]),
  ).toEqual([
    ['naive-last', 900, 1],
    ['naive-day', 900, 1],
    ['persistence', 900, 1],
    ['last', 900, 1],
  ]);
  expect(report.aggregate[1]?.relMase).toBe(1);
  const row = report.results.find(({ series, model }) => series === 'shop_a' && model === 'last');
  expect(row).toMatchObject({ trained: true, inAggregate: true, stride: 31, n: 39 });
  expect(row?.coverage['0.9']).toBeLessThanOrEqual(row?.coverage['0.99'] ?? 0);
  expect(notes).toEqual([`${join(folder, 'still.csv')}:2: still: every value is 5: nothing to forecast`]);
  expect(report.skipped).toContainEqual({ series: 'still', reason: 'constant: nothing to forecast' });
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  const text = evaluationText(report);
  expect(text).toContain('15m ahead');
  expect(text).toContain('scored, left out of the aggregate: 4.00 days are fewer than 14: short');
  expect(text).toContain('not scored: constant: nothing to forecast: still');
});

test('a series of the training data leaves the aggregate when asked', async () => {
  const report = await run({ models: `naive-day,${join(folder, 'last.onnx')}`, excludeTrained: true });
  expect(report.aggregate.map(({ model }) => model)).toEqual(['naive-day']);
  expect(report.results.find(({ model, series }) => model === 'last' && series === 'shop_a')).toMatchObject({
    inAggregate: false,
    leftOut: "named in the model's card",
  });
});

test('the model in the box and the contest that serves are scored beside their calibrated bands, at lead times too', async () => {
  const data = [await put('two.csv', csv(madeLoad(14 * DAY_STEPS).slice(0, 700)))];
  const report = await run({
    data,
    models: 'loadcast,contest',
    horizons: 'lead',
    maxOrigins: 'all',
    scenarios: true,
  });
  expect(report.settings.horizonSeconds).toEqual([60, 120, 600, 900]);
  expect(report.results.map(({ model, horizonSeconds }) => [model, horizonSeconds])).toEqual([
    ['loadcast', 600],
    ['loadcast+calibrated', 600],
    ['loadcast', 900],
    ['loadcast+calibrated', 900],
    ['contest', 600],
    ['contest+calibrated', 600],
    ['contest', 900],
    ['contest+calibrated', 900],
  ]);
  expect(report.speed[0]).toMatchObject({ model: 'loadcast', batch: 256 });
  expect(report.models[1]?.summary).toContain('loadcast, ridge, seasonal-naive, persistence');
  expect(report.scenarios).toEqual([]);
});

describe('refused', () => {
  test('a corrupt model file, with the reason', async () => {
    const path = await put('corrupt.onnx', 'not a model');
    await expect(run({ models: path })).rejects.toMatchObject({ code: 'MODEL_INVALID', subject: path });
    await expect(run({ models: path })).rejects.toThrow(/corrupt\.onnx: (NotOnnx|Truncated): /);
    await expect(run({ models: join(folder, 'none.onnx') })).rejects.toThrow('none.onnx: Missing: ');
  });

  test('a name that nothing has, with those that there are', async () => {
    await expect(run({ models: 'prophet' })).rejects.toMatchObject({
      code: 'FORECASTER_UNKNOWN',
      subject: 'prophet',
    });
    await expect(run({ models: 'prophet' })).rejects.toThrow(/naive-day.*ridge.*loadcast/);
  });

  test('a horizon without a unit and a count of nothing', async () => {
    await expect(run({ horizons: '15' })).rejects.toMatchObject({ code: 'DURATION_INVALID' });
    await expect(run({ maxOrigins: '0' })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });

  test('data of which nothing can be scored', async () => {
    await expect(run({ data: [join(folder, 'still.csv')] })).rejects.toMatchObject({
      code: 'NOTHING_TO_SCORE',
    });
  });
});
