/** A new version that fails its checks: where its reason is seen, and that the old version does not notice. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type Bench, never, newBench } from './core/testing/engines.ts';
import { addModel, crossRowModel, nanModel, putVersion, withMetadata } from './core/testing/models.ts';
import { grpcClients } from './testing/grpc-client.ts';
import { servers, until } from './testing/servers.ts';

const start = servers();
const connect = grpcClients();
let bench: Bench;
beforeEach(() => {
  bench = newBench();
});
afterEach(() => bench.end());

const golden = (wanted: number) => ({
  cases: [
    {
      name: 'zeros',
      inputs: [{ name: 'x', shape: [1, 4], data: [0, 0, 0, 0] }],
      outputs: [{ name: 'y', shape: [1, 4], data: [wanted, wanted, wanted, wanted] }],
    },
  ],
});

test.each<[string, string, { file: () => Buffer; beside?: unknown }]>([
  ['wrong golden vectors beside it', 'GoldenMismatch', { file: () => addModel(2), beside: golden(1) }],
  [
    'wrong golden vectors in its own metadata',
    'GoldenMismatch',
    { file: () => withMetadata(addModel(2), 'foresail.golden', JSON.stringify(golden(1))) },
  ],
  [
    'golden vectors that nobody understands',
    'GoldenInvalid',
    { file: () => withMetadata(addModel(2), 'foresail.golden', '{"cases":') },
  ],
  ['a file that is cut', 'Truncated', { file: () => addModel().subarray(0, 60) }],
  ['NaN in its answers', 'NotFinite', { file: () => nanModel(), beside: nanGolden() }],
])('%s: %s', async (_what, check, { file, beside }) => {
  putVersion(bench.root, 'm', '1', addModel(1));
  const engine = await bench.open({ modelControl: 'poll' });
  const server = await start(engine, { grpcPort: 0 });
  const { httpUrl } = server;
  const answer = async () => {
    const response = await fetch(`${httpUrl}/v2/models/m/infer`, {
      method: 'POST',
      body: JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }] }),
    });
    return [response.status, await response.json()];
  };
  const old = [200, expect.objectContaining({ model_version: '1' })];
  expect(await answer()).toEqual(old);

  putVersion(bench.root, 'm', '2', file(), beside);
  await until(() => engine.index(false).some(({ state }) => state === 'UNAVAILABLE'));

  const index = await (await fetch(`${httpUrl}/v2/repository/index`, { method: 'POST' })).json();
  const reason = expect.stringMatching(new RegExp(`^${check}: .`));
  expect(index).toContainEqual({ name: 'm', version: '2', state: 'UNAVAILABLE', reason });
  const ready = await fetch(`${httpUrl}/v2/models/m/versions/2/ready`);
  expect([ready.status, await ready.json()]).toEqual([503, { name: 'm', ready: false, reason }]);
  expect(await connect(server.grpcAddress as string)('ModelReady', { name: 'm', version: '2' })).toEqual({
    ready: false,
  });
  const metrics = await server.metrics.registry.metrics();
  expect(metrics).toContain(
    `foresail_model_version_state{model="m",version="2",state="UNAVAILABLE",reason="${check}"} 1`,
  );
  expect(metrics).toContain('foresail_model_version_state{model="m",version="1",state="READY",reason=""} 1');
  expect((await fetch(`${httpUrl}/v2/health/ready`)).status).toBe(200);
  expect(await answer()).toEqual(old);
});

function nanGolden() {
  const inputs = [{ name: 'x', shape: [1, 2], data: [0, 0] }];
  return { cases: [{ inputs, outputs: [{ name: 'y', shape: [1, 2], data: [0, 0] }] }] };
}

test('right golden vectors in the metadata let a file pass that travels alone', async () => {
  putVersion(bench.root, 'm', '1', withMetadata(addModel(2), 'foresail.golden', JSON.stringify(golden(2))));
  const engine = await bench.open();
  expect(engine.index(false)).toEqual([{ name: 'm', version: '1', state: 'READY', reason: '' }]);
  await engine.settled(never);
});

test('a model of which no version passes keeps the server from being ready', async () => {
  putVersion(bench.root, 'm', '1', addModel(1));
  putVersion(bench.root, 'n', '1', crossRowModel(), golden(1));
  const { httpUrl, metrics } = await start(await bench.open());
  expect((await fetch(`${httpUrl}/v2/health/ready`)).status).toBe(503);
  const ready = await fetch(`${httpUrl}/v2/models/n/ready`);
  expect([ready.status, await ready.json()]).toEqual([
    503,
    { name: 'n', ready: false, reason: expect.stringContaining('GoldenInvalid') },
  ]);
  expect(await metrics.registry.metrics()).toContain('foresail_server_ready 0');
});
