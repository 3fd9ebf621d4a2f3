/** Traces through both servers, with the SDK that users preload. */
import { Metadata } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { type Bench, newBench } from '../core/testing/engines.ts';
import { addModel, putVersion } from '../core/testing/models.ts';
import { grpcClients } from '../testing/grpc-client.ts';
import { servers, until } from '../testing/servers.ts';
import { createTracing, openTracing } from './tracing.ts';

const start = servers();
const connect = grpcClients();
const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
let bench: Bench;

beforeAll(() => {
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
});
afterAll(() => {
  propagation.disable();
});
beforeEach(() => {
  bench = newBench();
});
afterEach(async () => {
  exporter.reset();
  await bench.end();
});

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const traceparent = `00-${TRACE}-${PARENT}-01`;

async function served() {
  putVersion(bench.root, 'm', '1', addModel());
  const tracing = createTracing(provider.getTracer('test'));
  const around = { cacheBytes: 1_000_000 };
  const server = await start(await bench.open(), { grpcPort: 0 }, { tracing, around });
  const infer = (data: unknown, headers: Record<string, string> = {}) =>
    fetch(`${server.httpUrl}/v2/models/m/infer`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], data }] }),
    });
  return { server, infer };
}

async function spans(count: number) {
  await until(() => exporter.getFinishedSpans().length >= count);
  const all = exporter.getFinishedSpans();
  return new Map(all.map((span) => [span.name, span]));
}

describe('a call', () => {
  test('is a span in its caller’s trace, with the queue and the run below it', async () => {
    const { infer } = await served();
    expect((await infer([1, 2, 3, 4], { traceparent })).status).toBe(200);
    const all = await spans(3);
    const call = all.get('POST /v2/models/:model/infer');
    expect(call?.spanContext().traceId).toBe(TRACE);
    expect(call?.parentSpanContext?.spanId).toBe(PARENT);
    expect(call?.kind).toBe(SpanKind.SERVER);
    expect(call?.attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/v2/models/:model/infer',
      'http.response.status_code': 200,
      'foresail.model.name': 'm',
      'foresail.model.version': '1',
    });
    for (const part of ['queue', 'infer'])
      expect(all.get(part)?.parentSpanContext?.spanId).toBe(call?.spanContext().spanId);
    const at = (time: readonly [number, number] | undefined) => (time?.[0] ?? 0) * 1e9 + (time?.[1] ?? 0);
    expect(at(all.get('queue')?.endTime)).toBeLessThanOrEqual(at(all.get('infer')?.startTime));
  });

  test('that the cache answers has no run', async () => {
    const { infer } = await served();
    await infer([1, 2, 3, 4]);
    await spans(3);
    exporter.reset();
    await infer([1, 2, 3, 4]);
    const all = await spans(1);
    expect([...all.keys()]).toEqual(['POST /v2/models/:model/infer']);
    expect([...all.values()][0]?.attributes['foresail.cache.hit']).toBe(true);
  });

  test('that a caller got wrong is no error of the server', async () => {
    const { infer } = await served();
    expect((await infer([1])).status).toBe(400);
    const [call] = (await spans(1)).values();
    expect(call?.status.code).toBe(SpanStatusCode.UNSET);
    expect(call?.attributes).toMatchObject({ 'http.response.status_code': 400, 'error.type': 'invalid' });
  });

  test('over gRPC is one by the conventions for RPC', async () => {
    const { server } = await served();
    const metadata = new Metadata();
    metadata.set('traceparent', traceparent);
    const call = connect(server.grpcAddress as string);
    const contents = { fp32_contents: [1, 2, 3, 4] };
    const input = { name: 'x', datatype: 'FP32', shape: [1, 4], contents };
    await call('ModelInfer', { model_name: 'm', inputs: [input] }, metadata);
    const span = (await spans(3)).get('inference.GRPCInferenceService/ModelInfer');
    expect(span?.spanContext().traceId).toBe(TRACE);
    expect(span?.attributes).toMatchObject({
      'rpc.system': 'grpc',
      'rpc.method': 'ModelInfer',
      'rpc.grpc.status_code': 0,
    });
  });
});

test('without an SDK nothing is traced; with one everything is, and calls can be followed outwards', () => {
  expect(openTracing()).toBeUndefined();
  trace.setGlobalTracerProvider(provider);
  try {
    const span = openTracing()?.begin('call', {}, { traceparent });
    expect(span?.traceparent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
    span?.end(undefined, {});
  } finally {
    trace.disable();
  }
});
