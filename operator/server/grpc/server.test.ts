import { type Client, credentials, makeClientConstructor, type ServiceError } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from '@jest/globals';
import { fakeEngine } from '../testing/fake-engine.ts';
import { servers, until } from '../testing/servers.ts';
import { GRPC } from '../wire/errors.ts';
import type { ModelInferResponse } from './messages.ts';
import { loadService } from './server.ts';

const start = servers();
const Stub = makeClientConstructor(loadService(), 'inference');
const clients: Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

type Method = (
  request: object,
  options: object,
  done: (error: ServiceError | null, answer: unknown) => void,
) => void;

async function connected(...args: Parameters<typeof start>) {
  const server = await start(args[0], { grpcPort: 0, ...args[1] });
  const client = new Stub(server.grpcAddress as string, credentials.createInsecure());
  clients.push(client);
  const call = <Answer>(method: string, request: object, options: object = {}): Promise<Answer> =>
    new Promise((resolve, reject) =>
      (client[method] as Method).call(client, request, options, (error, answer) =>
        error === null ? resolve(answer as Answer) : reject(error),
      ),
    );
  return { server, client, call };
}

const floats = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer);
const X = { name: 'x', datatype: 'FP32', shape: [1, 2] };

test('the server and its models describe themselves', async () => {
  const { call } = await connected(fakeEngine());
  expect(await call('ServerLive', {})).toEqual({ live: true });
  expect(await call('ServerReady', {})).toEqual({ ready: true });
  expect(await call('ServerMetadata', {})).toMatchObject({ name: 'foresail' });
  expect(await call('ModelReady', { name: 'echo' })).toEqual({ ready: true });
  expect(await call('ModelMetadata', { name: 'echo', version: '1' })).toMatchObject({
    versions: ['1', '2'],
    inputs: [{ name: 'x', datatype: 'FP32', shape: ['-1', '2'] }],
  });
  expect(await call('ModelStatistics', {})).toMatchObject({
    model_stats: [{ name: 'echo', version: '1', inference_count: '8' }, { version: '2' }],
  });
  expect(await call('RepositoryIndex', { ready: true })).toMatchObject({ models: [{ state: 'READY' }, {}] });
});

describe('inference', () => {
  test('raw contents are answered raw, with the id and the version', async () => {
    const { call } = await connected(fakeEngine());
    const answer = await call<ModelInferResponse>('ModelInfer', {
      model_name: 'echo',
      id: '7',
      inputs: [X],
      raw_input_contents: [floats(1, Number.NaN)],
    });
    expect(answer).toMatchObject({ model_name: 'echo', model_version: '2', id: '7' });
    expect(answer.raw_output_contents).toEqual([floats(1, Number.NaN)]);
  });

  test.each([
    ['BOOL', { bool_contents: [true, false] }],
    ['INT8', { int_contents: [-128, 127] }],
    ['INT32', { int_contents: [-(2 ** 31), 2 ** 31 - 1] }],
    ['INT64', { int64_contents: ['-9223372036854775808', '9007199254740993'] }],
    ['UINT16', { uint_contents: [0, 65535] }],
    ['UINT64', { uint64_contents: ['0', '18446744073709551615'] }],
    ['FP32', { fp32_contents: [0.5, -1.5] }],
    ['FP64', { fp64_contents: [0.1, 1e300] }],
    ['BYTES', { bytes_contents: [Buffer.from('a'), Buffer.from([0xff])] }],
  ])('%s travels in typed lists', async (datatype, contents) => {
    const { call } = await connected(fakeEngine());
    const answer = await call<ModelInferResponse>('ModelInfer', {
      model_name: 'echo',
      model_version: '1',
      inputs: [{ name: 'x', datatype, shape: [2], contents }],
    });
    expect(answer.outputs[0]).toMatchObject({ datatype, contents });
    expect(answer.model_version).toBe('1');
  });

  test('priority, time-out and the deadline of the call reach the engine', async () => {
    const engine = fakeEngine();
    const { call } = await connected(engine);
    await call(
      'ModelInfer',
      {
        model_name: 'echo',
        inputs: [X],
        raw_input_contents: [floats(1, 2)],
        parameters: { priority: { uint64_param: '1' }, timeout: { int64_param: '9000000000' } },
      },
      { deadline: Date.now() + 60_000 },
    );
    expect(engine.requests[0]?.priority).toBe(1);
    expect(engine.requests[0]?.timeoutMs).toBeLessThanOrEqual(60_000);
  });

  test('a caller that cancels aborts its request', async () => {
    const engine = fakeEngine();
    const { client } = await connected(engine);
    const failed = new Promise<ServiceError>((resolve) => {
      const call = (client['ModelInfer'] as unknown as (...args: unknown[]) => { cancel(): void }).call(
        client,
        { model_name: 'hanging', inputs: [X], raw_input_contents: [floats(1, 2)] },
        (error: ServiceError) => resolve(error),
      );
      void (async () => {
        await until(() => engine.requests.length > 0);
        call.cancel();
      })();
    });
    expect((await failed).code).toBe(GRPC.canceled);
    await until(() => engine.aborted > 0);
  });
});

describe('faults', () => {
  const request = (model_name: string) => ({ model_name, inputs: [X], raw_input_contents: [floats(1, 2)] });
  test.each([
    ['an unknown model', request('nobody'), GRPC.notFound, /no model "nobody"/],
    ['a model that warms up', request('warming'), GRPC.unavailable, /not ready/],
    ['an overload', request('busy'), GRPC.unavailable, /queue/],
    ['a deadline', request('late'), GRPC.deadlineExceeded, /5 ms/],
    ['a crash', request('broken'), GRPC.internal, /process/],
    ['a mistake of ours', request('bug'), GRPC.internal, /its log says why/],
    ['a path as a name', request('../etc'), GRPC.invalidArgument, /model name/],
    ['no input', { model_name: 'echo' }, GRPC.invalidArgument, /inputs/],
    [
      'too few bytes',
      { ...request('echo'), raw_input_contents: [floats(1)] },
      GRPC.invalidArgument,
      /4 bytes/,
    ],
    ['one raw of two', { ...request('echo'), inputs: [X, X] }, GRPC.invalidArgument, /raw_input_contents/],
    [
      'raw and typed',
      { ...request('echo'), inputs: [{ ...X, contents: { fp32_contents: [1, 2] } }] },
      GRPC.invalidArgument,
      /only one/,
    ],
    [
      'a list of another type',
      { model_name: 'echo', inputs: [{ ...X, contents: { int_contents: [1, 2] } }] },
      GRPC.invalidArgument,
      /fp32_contents has 0/,
    ],
    [
      'a number out of range',
      { model_name: 'echo', inputs: [{ ...X, datatype: 'INT8', contents: { int_contents: [1, 200] } }] },
      GRPC.invalidArgument,
      /int_contents\[1\]/,
    ],
    [
      'a shape of 2^62',
      {
        model_name: 'echo',
        inputs: [{ ...X, shape: ['4611686018427387904'] }],
        raw_input_contents: [floats(1)],
      },
      GRPC.invalidArgument,
      /shape/,
    ],
  ])('%s', async (_what, message, code, details) => {
    const { call } = await connected(fakeEngine());
    await expect(call('ModelInfer', message)).rejects.toMatchObject({
      code,
      details: expect.stringMatching(details),
    });
  });

  test('an overload says when to come again', async () => {
    const { call } = await connected(fakeEngine());
    const error = await call('ModelInfer', request('busy')).catch(
      (caught: unknown) => caught as ServiceError,
    );
    expect((error as ServiceError).metadata.get('grpc-retry-pushback-ms')).toEqual(['1500']);
  });

  test('a message that is too large is refused', async () => {
    const { call } = await connected(fakeEngine());
    const large = { ...request('echo'), raw_input_contents: [Buffer.alloc(2 * 1024 * 1024)] };
    await expect(call('ModelInfer', large)).rejects.toMatchObject({ code: GRPC.resourceExhausted });
  });

  test('loading by callers is off by default', async () => {
    const engine = fakeEngine();
    const { call } = await connected(engine);
    await expect(call('RepositoryModelLoad', { model_name: 'echo' })).rejects.toMatchObject({
      code: GRPC.permissionDenied,
    });
    const open = await connected(engine, { repositoryControl: true });
    await open.call('RepositoryModelUnload', {
      model_name: 'echo',
      parameters: { unload_dependents: { bool_param: true } },
    });
    expect(engine.control).toEqual(['unload echo']);
  });
});
