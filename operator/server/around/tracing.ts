/**
 * Traces by OpenTelemetry's API. Without an SDK in the process there is no tracer and nothing is paid for; whoever wants
 * traces preloads one (`--import`), which also says where they go. A call is one span of the server, with the queue and
 * the run below it, continued from the caller's W3C `traceparent`.
 */
import {
  type Attributes,
  type Context,
  context,
  ProxyTracer,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { InferAnswer } from '../core/types.ts';
import { VERSION } from '../version.ts';
import type { Fault } from '../wire/errors.ts';

export interface Tracing {
  /** @param headers of the call, or its metadata */
  begin(name: string, attributes: Attributes, headers: object): CallSpan;
}

export interface CallSpan {
  /** The engine has answered. */
  answered(answer: InferAnswer): void;
  /** @param attributes that are known at the end only */
  end(fault: Fault | undefined, attributes: Attributes): void;
  /** `traceparent` of the call, for what goes out because of it; undefined when it is not traced. */
  readonly traceparent: string | undefined;
}

/** Undefined while no SDK is there. */
export function openTracing(): Tracing | undefined {
  const tracer = trace.getTracer('foresail', VERSION);
  return tracer instanceof ProxyTracer ? undefined : createTracing(tracer);
}

export function createTracing(tracer: Tracer): Tracing {
  return {
    begin(name, attributes, headers) {
      // An instrumentation of the HTTP server may have read the caller's context already.
      const active = context.active();
      const parent = trace.getSpan(active) === undefined ? propagation.extract(active, headers) : active;
      const span = tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
      return callSpan(tracer, span, trace.setSpan(parent, span));
    },
  };
}

function callSpan(tracer: Tracer, span: Span, within: Context): CallSpan {
  return {
    answered({ model, version, spent }) {
      span.setAttributes({ 'foresail.model.name': model, 'foresail.model.version': version });
      if (!span.isRecording()) return;
      if (spent === undefined) {
        span.setAttribute('foresail.cache.hit', true);
        return;
      }
      // The engine measures durations; from the answer backwards they are times.
      const end = Date.now();
      const { queueMs, inputMs, inferMs, outputMs } = spent;
      const inferEnd = end - outputMs;
      const inferStart = inferEnd - inferMs;
      const runStart = inferStart - inputMs;
      part(tracer, within, 'queue', runStart - queueMs, runStart);
      part(tracer, within, 'infer', inferStart, inferEnd);
    },
    end(fault, attributes) {
      span.setAttributes(attributes);
      if (fault !== undefined) {
        span.setAttribute('error.type', fault.outcome);
        // A caller's mistake is no error of the server's, by the conventions for HTTP and RPC spans.
        if (fault.http >= 500) span.setStatus({ code: SpanStatusCode.ERROR, message: fault.message });
      }
      span.end();
    },
    get traceparent() {
      const { traceId, spanId, traceFlags } = span.spanContext();
      if (!trace.isSpanContextValid(span.spanContext())) return undefined;
      return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
    },
  };
}

function part(tracer: Tracer, within: Context, name: string, startTime: number, endTime: number): void {
  tracer.startSpan(name, { kind: SpanKind.INTERNAL, startTime }, within).end(endTime);
}
