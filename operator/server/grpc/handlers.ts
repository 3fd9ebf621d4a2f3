/** The calls of the protocol's gRPC service over the same engine, gate and faults as HTTP. */
import {
  type handleUnaryCall,
  Metadata,
  type ServerUnaryCall,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Attributes } from '@opentelemetry/api';
import { messageOf } from '../../errors.ts';
import type { CallSpan } from '../around/tracing.ts';
import type { InferRequest } from '../core/types.ts';
import { controlled, withinDeadline } from '../http/repository.ts';
import { VERSION } from '../version.ts';
import { CANCELED, type Fault, faultOf, unsupported } from '../wire/errors.ts';
import { EXTENSIONS, isReady, SERVER_NAME, type Wire } from '../wire.ts';
import { modelPathOf, readInfer, sizeOf, writeInfer } from './infer.ts';
import type {
  ModelInferRequest,
  ModelInferResponse,
  ModelName,
  RepositoryIndexRequest,
  RepositoryModelRequest,
} from './messages.ts';

export function handlers(wire: Wire): UntypedServiceImplementation {
  const { engine } = wire;
  const named = ({ model_name, parameters }: RepositoryModelRequest, known: readonly string[]): string => {
    const model = controlled(wire, model_name ?? '');
    for (const key of Object.keys(parameters ?? {}))
      if (!known.includes(key)) throw unsupported(`the parameter ${key.slice(0, 64)} is not supported`);
    return model;
  };
  return {
    ServerLive: answered(wire, () => ({ live: engine.live() })),
    ServerReady: answered(wire, () => ({ ready: isReady(wire) })),
    ServerMetadata: answered(wire, () => ({ name: SERVER_NAME, version: VERSION, extensions: EXTENSIONS })),
    ModelReady: answered(wire, ({ name, version }: ModelName) => {
      const path = modelPathOf(name, version);
      return { ready: engine.modelReady(path.model, path.version) };
    }),
    ModelMetadata: answered(wire, ({ name, version }: ModelName) => {
      const path = modelPathOf(name, version);
      return engine.metadata(path.model, path.version);
    }),
    ModelStatistics: answered(wire, ({ name = '', version }: ModelName) => {
      const path = name === '' ? undefined : modelPathOf(name, version);
      return { model_stats: engine.statistics(path?.model, path?.version) };
    }),
    ModelInfer: inferHandler(wire),
    RepositoryIndex: answered(wire, ({ ready = false }: RepositoryIndexRequest) => ({
      models: engine.index(ready),
    })),
    RepositoryModelLoad: answered(wire, async (request: RepositoryModelRequest) => {
      const model = named(request, []);
      await withinDeadline((signal) => engine.load(model, signal));
      return {};
    }),
    RepositoryModelUnload: answered(wire, async (request: RepositoryModelRequest) => {
      const model = named(request, ['unload_dependents']);
      await withinDeadline((signal) => engine.unload(model, signal));
      return {};
    }),
  };
}

/** A call that needs no gate. */
function answered<Request>(
  wire: Wire,
  answer: (request: Request) => unknown,
): handleUnaryCall<Request, unknown> {
  const run: Unary<Request, unknown> = async (call, callback) => {
    try {
      callback(null, await answer(call.request));
    } catch (error) {
      callback(status(wire, call, faultOf(error), error));
    }
  };
  return (call, callback) => void run(call, callback);
}

function inferHandler(wire: Wire): handleUnaryCall<ModelInferRequest, ModelInferResponse> {
  const run: Unary<ModelInferRequest, ModelInferResponse> = async (call, callback) => {
    const started = wire.clock.monotonic();
    const gone = new AbortController();
    call.on('cancelled', () => gone.abort(new Error(CANCELED.message)));
    let fault: Fault | undefined;
    const span = wire.tracing?.begin(METHOD, ATTRIBUTES, call.metadata.getMap());
    try {
      callback(null, await infer(wire, call, span, gone.signal));
    } catch (error) {
      fault = gone.signal.aborted ? CANCELED : faultOf(error);
      const told = status(wire, call, fault, error);
      // A large message is not kept for it: memory may be what there is too little of.
      if (fault.outcome === 'rejected' && sizeOf(call.request) <= SMALL_MESSAGE)
        wire.refusals.answer(() => callback(told));
      else callback(told);
    }
    wire.metrics.call('grpc', fault?.outcome ?? 'success', (wire.clock.monotonic() - started) / 1_000);
    span?.end(fault, { 'rpc.grpc.status_code': fault?.grpc ?? 0 });
  };
  return (call, callback) => void run(call, callback);
}

const SMALL_MESSAGE = 64 * 1024;
const METHOD = 'inference.GRPCInferenceService/ModelInfer';
/** By OpenTelemetry's conventions for RPC servers. */
const ATTRIBUTES: Attributes = {
  'rpc.system': 'grpc',
  'rpc.service': 'inference.GRPCInferenceService',
  'rpc.method': 'ModelInfer',
};

type Unary<Request, Answer> = (...args: Parameters<handleUnaryCall<Request, Answer>>) => Promise<void>;

async function infer(
  wire: Wire,
  call: ServerUnaryCall<ModelInferRequest, ModelInferResponse>,
  span: CallSpan | undefined,
  gone: AbortSignal,
): Promise<ModelInferResponse> {
  const ticket = wire.admission.enter();
  try {
    ticket.hold(sizeOf(call.request));
    const request = withDeadline(readInfer(call.request), call.getDeadline(), wire.clock.now());
    const { id } = call.request;
    const info = { ...(id === undefined ? {} : { id }), ...(span === undefined ? {} : { span }) };
    const answer = await wire.infer(request, info, gone);
    span?.answered(answer);
    return writeInfer(answer, call.request);
  } finally {
    ticket.leave();
  }
}

/** gRPC's own deadline bounds the stay too; nobody reads an answer after it. */
function withDeadline(request: InferRequest, deadline: Date | number, now: number): InferRequest {
  const left = Number(deadline) - now;
  if (!Number.isFinite(left)) return request;
  return { ...request, timeoutMs: Math.max(1, Math.min(left, request.timeoutMs ?? left)) };
}

export interface Status {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata;
}

function status(wire: Wire, call: { getPath(): string }, fault: Fault, error: unknown): Status {
  if (fault.http === 500) wire.log.error('a call failed', { call: call.getPath(), error: messageOf(error) });
  return statusOf(fault);
}

export function statusOf(fault: Fault): Status {
  const metadata = new Metadata();
  // What a gRPC client with a retry policy waits before its next try.
  if (fault.retryAfterMs !== undefined)
    metadata.set('grpc-retry-pushback-ms', String(Math.ceil(fault.retryAfterMs)));
  return { code: fault.grpc, details: fault.message, metadata };
}
