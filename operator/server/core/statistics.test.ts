import { describe, expect, test } from '@jest/globals';
import { invalid } from './errors.ts';
import { prepareRequest } from './prepare-request.ts';
import { MODEL_DEFAULTS, memoryFor } from './settings.ts';
import { VersionCounters } from './statistics.ts';
import type { Tensor } from './types.ts';

describe('statistics', () => {
  test('count rows, runs and nanoseconds; failures apart; sizes above the largest batch together', () => {
    const counters = new VersionCounters(4);
    const spent = { inputMs: 1, inferMs: 2, outputMs: 3 };
    counters.batch({ requests: 2, rows: 3, failed: false, ...spent });
    counters.batch({ requests: 1, rows: 50, failed: false, ...spent });
    counters.batch({ requests: 1, rows: 70, failed: false, ...spent });
    counters.batch({ requests: 1, rows: 1, failed: true, ...spent });
    counters.succeeded(10, { queueMs: 4, ...spent }, 1_700_000_000_000);
    counters.failed(7);
    expect(counters.read('m', '1')).toMatchObject({
      name: 'm',
      version: '1',
      last_inference: 1_700_000_000_000,
      inference_count: 123,
      execution_count: 3,
      inference_stats: {
        success: { count: 1, ns: 10e6 },
        fail: { count: 1, ns: 7e6 },
        queue: { count: 1, ns: 4e6 },
        compute_input: { count: 1, ns: 1e6 },
        compute_infer: { count: 1, ns: 2e6 },
        compute_output: { count: 1, ns: 3e6 },
      },
      batch_stats: [
        { batch_size: 3, compute_infer: { count: 1, ns: 2e6 } },
        { batch_size: 5, compute_infer: { count: 2, ns: 4e6 } },
      ],
    });
  });
});

describe('a request becomes a job', () => {
  const spec = (name: string) => ({ name, datatype: 'FP32' as const, shape: [-1, -1] });
  const signature = { opset: 18, random: false, inputs: [spec('a'), spec('b')], outputs: [spec('y')] };
  const tensor = (name: string, rows: number, width: number): Tensor => ({
    name,
    datatype: 'FP32',
    shape: [rows, width],
    data: new Float32Array(rows * width),
  });
  const settings = { priorityLevels: 3, defaultTimeoutMs: 100 };
  const request = { model: 'm', inputs: [tensor('b', 2, 5), tensor('a', 2, 4)] };

  test('with its rows, bytes, shape and defaults', () => {
    expect(prepareRequest(request, signature, true, settings)).toMatchObject({
      rows: 2,
      bytes: 2 * 9 * 4,
      shapeKey: '4;5',
      priority: 3,
      timeoutMs: 100,
    });
    const own = prepareRequest({ ...request, priority: 1, timeoutMs: 5 }, signature, true, settings);
    expect(own).toMatchObject({ priority: 1, timeoutMs: 5 });
  });

  test('without a batch it is one row', () => {
    expect(prepareRequest(request, signature, false, settings)).toMatchObject({ rows: 1, shapeKey: '' });
  });

  test.each([
    ['inputs', { inputs: [tensor('a', 2, 4), tensor('b', 3, 5)] }],
    ['priority', { priority: 4 }],
    ['priority', { priority: 1.5 }],
    ['timeout', { timeoutMs: -1 }],
  ])('refuses odd %s', (subject, over) => {
    expect(() => prepareRequest({ ...request, ...over }, signature, true, settings)).toThrow(
      expect.objectContaining({ code: invalid('', '').code, subject }),
    );
  });
});

test('memory follows the size of the file, unless it is given', () => {
  expect(memoryFor(MODEL_DEFAULTS, 1)).toBe(1024);
  expect(memoryFor(MODEL_DEFAULTS, 2 ** 30)).toBe(512 + 6 * 1024);
  expect(memoryFor({ ...MODEL_DEFAULTS, memoryMiB: 64 }, 2 ** 30)).toBe(64);
});
