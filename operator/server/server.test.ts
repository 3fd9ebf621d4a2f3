/** The server as a whole, with the real engine and the model in the box. */
import { readFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newBench } from './core/testing/engines.ts';
import { putVersion } from './core/testing/models.ts';
import type { Engine } from './core/types.ts';
import { createServerMetrics, type ServerMetrics } from './metrics.ts';
import { servers, until } from './testing/servers.ts';

interface Golden {
  readonly tolerance: number;
  readonly cases: readonly {
    readonly context: readonly (number | null)[];
    readonly seasonal: readonly (readonly (number | null)[])[];
    readonly steps: readonly number[];
    readonly quantiles: readonly (readonly number[])[];
  }[];
}

const folder = new URL('../../models/loadcast/', import.meta.url);
const golden = JSON.parse(readFileSync(new URL('golden.json', folder), 'utf8')) as Golden;
const bench = newBench();
const start = servers();
let engine: Engine;
let metrics: ServerMetrics;

beforeAll(async () => {
  putVersion(bench.root, 'loadcast', '1', readFileSync(new URL('loadcast.onnx', folder)));
  metrics = createServerMetrics();
  engine = await bench.open({ observer: metrics.observer });
  expect(engine.index(false)).toMatchObject([{ name: 'loadcast', state: 'READY' }]);
});
afterAll(() => bench.end());

const inputs = (rows: Golden['cases']) => [
  { name: 'context', datatype: 'FP32', shape: [rows.length, 512], data: rows.map((row) => row.context) },
  { name: 'seasonal', datatype: 'FP32', shape: [rows.length, 4, 128], data: rows.map((row) => row.seasonal) },
];
const one = JSON.stringify({ inputs: inputs(golden.cases.slice(0, 1)) });

test('the box model answers over JSON as it did when it was trained, gaps included', async () => {
  const { httpUrl } = await start(engine);
  const response = await fetch(`${httpUrl}/v2/models/loadcast/infer`, {
    method: 'POST',
    body: JSON.stringify({ inputs: inputs(golden.cases) }),
  });
  const { outputs, model_version } = (await response.json()) as {
    model_version: string;
    outputs: { shape: number[]; data: number[] }[];
  };
  expect(model_version).toBe('1');
  expect(outputs[0]?.shape).toEqual([golden.cases.length, 64, 13]);
  const worst = golden.cases.map((row, i) => {
    const scale = Math.max(1, ...row.context.map((value) => Math.abs(value ?? 0)));
    const errors = row.steps.flatMap((step, s) =>
      (row.quantiles[s] ?? []).map((wanted, q) => {
        const got = outputs[0]?.data[(i * 64 + step) * 13 + q] ?? Number.NaN;
        return Math.abs(got - wanted) / scale;
      }),
    );
    return Math.max(...errors);
  });
  expect(Math.max(...worst)).toBeLessThanOrEqual(golden.tolerance);
});

interface Sent {
  /** Or the error's code. */
  readonly status: number | string;
  readonly retryAfter?: string | undefined;
  /** Asked to close the connection. */
  readonly leave?: boolean;
}

function send(url: string, agent: Agent): Promise<Sent> {
  return new Promise((resolve) => {
    const request = httpRequest(`${url}/v2/models/loadcast/infer`, { method: 'POST', agent }, (response) => {
      const { statusCode = 0, headers } = response;
      response.resume();
      response.once('end', () =>
        resolve({
          status: statusCode,
          retryAfter: headers['retry-after'],
          leave: headers.connection === 'close',
        }),
      );
    });
    request.once('error', (error: NodeJS.ErrnoException) => resolve({ status: error.code ?? error.message }));
    request.end(one);
  });
}

test('of far too many requests at once each is answered or told when to come again', async () => {
  const { httpUrl, metrics: wire } = await start(engine, { maxConcurrent: 4 });
  const agent = new Agent({ keepAlive: false, maxSockets: 300 });
  const answers = await Promise.all(Array.from({ length: 900 }, () => send(httpUrl, agent)));
  const served = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status, retryAfter }) => status === 503 && Number(retryAfter) > 0);
  expect(served.length).toBeGreaterThan(0);
  expect(served.length + refused.length).toBe(answers.length);
  // Nothing is left behind: the next one is admitted.
  expect(await send(httpUrl, agent)).toMatchObject({ status: 200 });
  const counted = await wire.registry.getSingleMetricAsString('foresail_server_calls_total');
  expect(counted).toContain(`{protocol="http",outcome="rejected"} ${refused.length}\n`);
});

test('constant traffic loses no request while the server is told to stop', async () => {
  const server = await start(engine);
  const agent = new Agent({ keepAlive: true });
  const statuses: (number | string)[] = [];
  // As a client behind a Service: it goes elsewhere when it is asked to.
  const caller = async () => {
    for (;;) {
      const { status, leave } = await send(server.httpUrl, agent);
      statuses.push(status);
      if (leave || status !== 200) return;
    }
  };
  const callers = Array.from({ length: 8 }, caller);
  await until(() => statuses.length > 20);
  const enough = new AbortController();
  const stopped = server.stop(60_000, enough.signal);
  await Promise.all(callers);
  enough.abort();
  await stopped;
  expect(new Set(statuses)).toEqual(new Set([200]));
  agent.destroy();
});

test('metrics tell queue, run and batch of a version', async () => {
  const { httpUrl } = await start(engine);
  await fetch(`${httpUrl}/v2/models/loadcast/infer`, { method: 'POST', body: one });
  const text = await metrics.registry.metrics();
  const count = (name: string) =>
    Number(new RegExp(`${name}\\{model="loadcast",version="1".*\\} (\\d+)`).exec(text)?.[1]);
  for (const name of ['request_duration_seconds', 'queue_duration_seconds', 'compute_duration_seconds'])
    expect(count(`foresail_inference_${name}_count`)).toBeGreaterThan(0);
  expect(count('foresail_inference_batch_size_count')).toBeGreaterThan(0);
  expect(count('foresail_inference_requests_total')).toBeGreaterThan(0);
  expect(count('foresail_inference_nonfinite_answers_total')).toBe(0);
  expect(count('foresail_inference_count_total')).toBeGreaterThanOrEqual(golden.cases.length);
});

test('a port that is taken is named by its flag, and nothing stays open', async () => {
  const { httpUrl, grpcAddress } = await start(engine, { grpcPort: 0 });
  const port = (address: string | undefined) => Number(/:(\d+)$/.exec(address ?? '')?.[1]);
  await expect(start(engine, { httpPort: port(httpUrl) })).rejects.toMatchObject({
    code: 'PORT_UNAVAILABLE',
    subject: '--http-port',
  });
  await expect(start(engine, { grpcPort: port(grpcAddress) })).rejects.toMatchObject({
    code: 'PORT_UNAVAILABLE',
    subject: '--grpc-port',
  });
});

test('an unsound request does not reach the model', async () => {
  const { httpUrl } = await start(engine);
  const before = engine.statistics('loadcast')[0]?.execution_count;
  const response = await fetch(`${httpUrl}/v2/models/loadcast/infer`, {
    method: 'POST',
    body: JSON.stringify({ inputs: [{ name: 'context', datatype: 'FP32', shape: [1, 2], data: [1, 2] }] }),
  });
  expect([response.status, await response.json()]).toEqual([
    400,
    { error: expect.stringContaining('seasonal') },
  ]);
  expect(engine.statistics('loadcast')[0]?.execution_count).toBe(before);
});
