import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { LoadSeries, Observation } from '../../observation.ts';
import { ReadError } from '../read-error.ts';
import { never, prometheusRequest, serverEntry, sourcesFor } from '../testing/requests.ts';
import { type Asked, json, type Script, scriptedServer } from '../testing/scripted-server.ts';
import { sumOnGrid } from './backfill.ts';

const MINUTE = 60_000;
const NOW = Math.floor(Date.now() / MINUTE) * MINUTE;

const grid = ({ params }: Asked) => {
  const [start = 0, end = 0, step = 1] = ['start', 'end', 'step'].map((name) =>
    Math.round(Number(params.get(name)) * 1000),
  );
  return Array.from({ length: Math.floor((end - start) / step) + 1 }, (_, index) => start + index * step);
};
const matrix = (series: readonly (readonly (readonly [number, string])[])[], more: object = {}) => ({
  status: 'success',
  data: {
    resultType: 'matrix',
    result: series.map((values, index) => ({
      metric: { instance: String(index) },
      values: values.map(([ms, text]) => [ms / 1000, text]),
    })),
  },
  ...more,
});
/** Two series: the grid point's minute, and always one. */
const past: Script = (response, asked) => {
  const points = grid(asked);
  const minutes = points.map((ms) => [ms, String(ms / MINUTE)] as const);
  json(matrix([minutes, points.map((ms) => [ms, '1'] as const)]))(response, asked);
};

const entryFor = (url: string, backfill: object = {}) =>
  serverEntry(url, { backfill: { jitter: '0s', chunkPoints: 1000, ...backfill } });
const values = (observation: Observation<LoadSeries>): Float64Array =>
  observation.kind === 'value' ? observation.value.values : new Float64Array();
const pointsOf = (asked: Asked) => grid(asked).length;

describe('a back-fill', () => {
  test('comes in chunks of the grid, and is the sum of the series at each point', async () => {
    await using server = await scriptedServer(past);
    await using sources = sourcesFor([entryFor(server.url)]);
    const from = NOW - 20_160 * MINUTE + 12_345;
    const result = await sources.backfill(prometheusRequest('x'), from, NOW + 5, MINUTE, never());
    const first = Math.ceil(from / MINUTE);
    expect(result).toMatchObject({
      kind: 'value',
      at: NOW,
      value: { startMs: first * MINUTE, stepMs: MINUTE },
    });
    const got = values(result);
    expect(got).toHaveLength(20_160);
    expect(got.every((value, index) => value === first + index + 1)).toBe(true);
    expect(server.asked.length).toBeLessThanOrEqual(22);
    expect(Math.max(...server.asked.map(pointsOf))).toBe(1000);
    expect(server.asked.every(({ path }) => path === '/api/v1/query_range')).toBe(true);
    // No point is asked for twice.
    expect(server.asked.reduce((sum, asked) => sum + pointsOf(asked), 0)).toBe(20_160);
  });

  test('never asks a server for more than its lane allows at once', async () => {
    let running = 0;
    let most = 0;
    await using server = await scriptedServer((response, asked) => {
      running += 1;
      most = Math.max(most, running);
      setTimeout(() => {
        running -= 1;
        past(response, asked);
      }, 2);
    });
    await using sources = sourcesFor([entryFor(server.url, { maxConcurrent: 2, chunkPoints: 100 })]);
    await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) =>
        sources.backfill(prometheusRequest(name), NOW - 1000 * MINUTE, NOW, MINUTE, never()),
      ),
    );
    expect(most).toBe(2);
  });

  test('leaves gaps where there is no sample, or none that is a load', async () => {
    await using server = await scriptedServer((response, asked) => {
      const points = grid(asked);
      const texts = ['1', 'NaN', '+Inf', '-1', '1e308', '6'];
      const odd = points.slice(0, 6).map((ms, index) => [ms, texts[index] ?? ''] as const);
      json(matrix([odd, points.slice(1, 6).map((ms) => [ms, '1'] as const)]))(response, asked);
    });
    await using sources = sourcesFor([entryFor(server.url)]);
    const result = await sources.backfill(prometheusRequest('x'), 0, 7 * MINUTE, MINUTE, never());
    expect([...values(result)]).toEqual([1, NaN, NaN, NaN, NaN, 7, NaN, NaN]);
    expect(result).toMatchObject({ at: 5 * MINUTE });
  });

  test('of nothing is NoData, not zeros', async () => {
    await using server = await scriptedServer(json(matrix([])));
    await using sources = sourcesFor([entryFor(server.url)]);
    const result = await sources.backfill(prometheusRequest('x'), 0, 5000 * MINUTE, MINUTE, never());
    expect(result).toMatchObject({ kind: 'unknown', reason: 'NoData' });
  });

  test('goes on after an outage instead of starting again', async () => {
    let answers = 0;
    const dying: Script = (response, asked) => {
      answers += 1;
      if (answers > 5) response.destroy();
      else past(response, asked);
    };
    await using server = await scriptedServer(dying);
    const breaker = { threshold: 1000, firstPauseMs: 1, longestPauseMs: 1 };
    await using sources = sourcesFor([entryFor(server.url)], { breaker });
    const ask = (to: number) =>
      sources.backfill(prometheusRequest('x'), to - 9_999 * MINUTE, to, MINUTE, never());
    expect(await ask(NOW)).toMatchObject({ kind: 'unknown', reason: 'Unreachable' });
    const askedBefore = server.asked.length;
    server.answer(past);
    // A few minutes have gone by: the range has moved, the grid has not.
    const result = await ask(NOW + 3 * MINUTE);
    expect(values(result).every((value, index) => value === NOW / MINUTE + 4 - 9_999 + index)).toBe(true);
    expect(server.asked.length - askedBefore).toBeLessThanOrEqual(11 - 4);
  });

  test('halves a chunk that is too large', async () => {
    await using server = await scriptedServer(past);
    await using sources = sourcesFor([entryFor(server.url, { maxBodyBytes: 20_000 })]);
    const result = await sources.backfill(prometheusRequest('x'), NOW - 999 * MINUTE, NOW, MINUTE, never());
    expect(values(result).filter((value) => !Number.isNaN(value))).toHaveLength(1000);
    expect(server.asked.length).toBeGreaterThan(2);
  });

  test('ends at once when it is aborted', async () => {
    await using server = await scriptedServer(() => {});
    await using sources = sourcesFor([entryFor(server.url)]);
    const controller = new AbortController();
    const running = sources.backfill(prometheusRequest('x'), 0, 5000 * MINUTE, MINUTE, controller.signal);
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await expect(running).rejects.toThrow('enough');
  });

  test.each([
    ['a matrix with warnings', { warnings: ['x'] }, 'Partial'],
    ['an error', { status: 'error', errorType: 'bad_data' }, 'BadQuery'],
  ])('that meets %s is unknown as a whole', async (_, more, reason) => {
    await using server = await scriptedServer(json(matrix([[[0, '1']]], more)));
    await using sources = sourcesFor([entryFor(server.url)]);
    const result = await sources.backfill(prometheusRequest('x'), 0, MINUTE, MINUTE, never());
    expect(result).toMatchObject({ kind: 'unknown', reason });
  });

  test.each([
    ['without a step', 0, NOW, 0],
    ['with a step of a fraction', 0, NOW, 0.5],
    ['of infinite length', -Infinity, NOW, MINUTE],
    ['of too many points', 0, NOW, MINUTE],
  ])('%s is refused before anything is asked', async (_, from, to, step) => {
    await using server = await scriptedServer(past);
    await using sources = sourcesFor([entryFor(server.url)]);
    expect(await sources.backfill(prometheusRequest('x'), from, to, step, never())).toMatchObject({
      reason: 'BadQuery',
    });
    expect(server.asked).toHaveLength(0);
  });

  test('is not to be had from the metrics APIs', async () => {
    await using sources = sourcesFor([]);
    const metric = {
      type: 'Resource' as const,
      resource: { name: 'cpu', target: { type: 'AverageValue' as const, averageValue: '1' } },
    };
    expect(sources.canBackfill(metric)).toBe(false);
    const request = { namespace: 'shop', podSelector: '', metric };
    expect(await sources.backfill(request, 0, 1, 1, never())).toMatchObject({ reason: 'NoData' });
  });
});

test('samples off the grid, out of order or outside the range are not taken', () => {
  const read = (points: readonly (readonly [number, string])[]) =>
    sumOnGrid(JSON.stringify(matrix([points])), 10, 12, 1000);
  expect([
    ...read([
      [10_000, '1'],
      [12_000, '2'],
    ]),
  ]).toEqual([1, NaN, 2]);
  for (const points of [
    [[9000, '1']],
    [[13_000, '1']],
    [
      [11_000, '1'],
      [10_000, '1'],
    ],
    [
      [10_000, '1'],
      [10_000, '1'],
    ],
  ] as const)
    expect(() => read(points)).toThrow(ReadError);
});

test('any answer is a series or a ReadError', () => {
  const sample = fc.tuple(fc.double(), fc.oneof(fc.string(), fc.double().map(String), fc.constant('NaN')));
  const answer = fc.oneof(
    fc.json(),
    fc.string(),
    fc.array(fc.array(sample)).map((series) => JSON.stringify(matrix(series))),
  );
  fc.assert(
    fc.property(answer, (text) => {
      try {
        for (const value of sumOnGrid(text, 0, 10, 1000))
          expect(Number.isNaN(value) || value >= 0).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(ReadError);
      }
    }),
    { numRuns: 500 },
  );
});
