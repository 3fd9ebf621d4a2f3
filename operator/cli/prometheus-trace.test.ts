import { expect, test } from '@jest/globals';
import { systemClock } from '../clock.ts';
import { json, type Script, scriptedServer } from '../metricsources/testing/scripted-server.ts';
import { readPrometheusTrace } from './prometheus-trace.ts';

const MINUTE = 60_000;
const START = Date.UTC(2026, 0, 5);
const signal = new AbortController().signal;

/** The grid point's minute, for the first hour; then nothing. */
const anHour: Script = (response, asked) => {
  const [start = 0, end = 0, step = 1] = ['start', 'end', 'step'].map((name) =>
    Number(asked.params.get(name)),
  );
  const values: [number, string][] = [];
  for (let s = start; s <= end; s += step)
    if (s * 1000 < START + 60 * MINUTE) values.push([s, String((s * 1000 - START) / MINUTE)]);
  const body = { status: 'success', data: { resultType: 'matrix', result: [{ metric: {}, values }] } };
  json(body)(response, asked);
};

test('a range becomes a trace whose steps end where the values were taken', async () => {
  await using server = await scriptedServer(anHour);
  const trace = await readPrometheusTrace(
    {
      url: server.url,
      query: `sum(\n  rate(http_requests_total{app="a-long-name-that-fills-the-line"}[1m]))`,
      fromMs: START,
      toMs: START + 90 * MINUTE,
      stepMs: MINUTE,
    },
    systemClock,
    signal,
  );
  expect(trace.startMs).toBe(START - MINUTE);
  expect([...trace.values]).toEqual(Array.from({ length: 60 }, (_, i) => i));
  expect(trace.name).toMatch(/^sum\( rate\(http_requests_total.*…$/);
});

test('what the server refuses is said, and an address that is none too', async () => {
  await using server = await scriptedServer(
    json({ status: 'error', errorType: 'bad_data', error: 'parse error' }, 400),
  );
  const range = { query: 'up', fromMs: START, toMs: START + MINUTE, stepMs: MINUTE };
  await expect(readPrometheusTrace({ ...range, url: server.url }, systemClock, signal)).rejects.toMatchObject(
    {
      code: 'METRIC_BAD_QUERY',
    },
  );
  await expect(readPrometheusTrace({ ...range, url: 'nowhere' }, systemClock, signal)).rejects.toMatchObject({
    code: 'METRIC_SERVERS_INVALID',
  });
});
