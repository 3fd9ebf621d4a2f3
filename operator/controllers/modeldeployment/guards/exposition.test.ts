import { expect, test } from '@jest/globals';
import { createServerMetrics } from '../../../server/metrics.ts';
import { readCounters } from './exposition.ts';

const EVENT = {
  model: 'loadcast',
  version: '2',
  outcome: 'success',
  nonFinite: false,
  rows: 1,
  totalNs: 3e6,
  queueNs: 0,
  computeInputNs: 0,
  computeInferNs: 0,
  computeOutputNs: 0,
} as const;

test('what the server writes is read: one version of one model', async () => {
  const metrics = createServerMetrics();
  const { onRequest } = metrics.observer;
  onRequest?.(EVENT);
  onRequest?.({ ...EVENT, nonFinite: true, totalNs: 3e9 });
  onRequest?.({ ...EVENT, outcome: 'backend' });
  onRequest?.({ ...EVENT, version: '1' });
  onRequest?.({ ...EVENT, model: 'other' });
  const counters = readCounters(await metrics.registry.metrics(), 'loadcast', 2);
  expect(counters?.outcomes).toEqual(
    new Map([
      ['success', 2],
      ['backend', 1],
    ]),
  );
  expect(counters?.nonFinite).toBe(1);
  expect(counters?.latency.get(0.005)).toBe(1);
  expect(counters?.latency.get(Infinity)).toBe(2);
  expect(counters?.startedAt).toBeCloseTo(Date.now() / 1000 - process.uptime(), -1);
});

test('a version that served nothing is known to have served nothing', () => {
  expect(readCounters('process_start_time_seconds 5\n', 'loadcast', 1)).toEqual({
    startedAt: 5,
    outcomes: new Map(),
    nonFinite: undefined,
    latency: new Map(),
  });
});

const line = (value: string) =>
  `process_start_time_seconds 5\nforesail_inference_requests_total{model="m",version="1",outcome="success"} ${value}\n`;
test.each(['', '<html>log in</html>', line('NaN'), line('-1'), line('1e999'), line('many')])(
  'what is no count is not known: %j',
  (text) => {
    expect(readCounters(text, 'm', 1)).toBeUndefined();
  },
);

test('a label may hold anything, and a long line without an end costs no time', () => {
  const text = `process_start_time_seconds 5\nforesail_inference_requests_total{model="a\\"},x=\\"",version="1",outcome="success"} 7\n`;
  expect(readCounters(text, 'a\\"},x=\\"', 1)?.outcomes.get('success')).toBe(7);
  const long = `foresail_inference_requests_total{${'a="b",'.repeat(100_000)}`;
  expect(readCounters(long, 'm', 1)).toBeUndefined();
});
