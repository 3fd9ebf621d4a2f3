/**
 * One inference or forecast call over HTTP from its first byte to its end: admitted before the body is read, aborted when
 * the caller goes away, counted once. Kept beside the request, because Fastify's hooks and parsers share only that.
 */
import type { Attributes } from '@opentelemetry/api';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Ticket } from '../admission.ts';
import type { CallInfo } from '../around/infer.ts';
import type { CallSpan } from '../around/tracing.ts';
import { CANCELED, type Fault, faultOf, type WireOutcome } from '../wire/errors.ts';
import type { Wire } from '../wire.ts';
import { requestIdOf } from './request-id.ts';

export interface Call {
  readonly ticket: Ticket;
  /** Aborts when the connection ends before the answer did. */
  readonly gone: AbortSignal;
  /** @param fault what the caller is told; absent after a success */
  ended(outcome: WireOutcome, fault?: Fault): void;
  readonly span: CallSpan | undefined;
}

/** A property, and no weak map: that would be work for every collection of garbage, with an entry per request. */
const CALL = Symbol('call');

export function callOf(request: FastifyRequest): Call | undefined {
  return (request as { [CALL]?: Call })[CALL];
}

/** The call of a route that `admit` guards. */
export function admitted(request: FastifyRequest): Call {
  const call = callOf(request);
  if (call === undefined) throw new Error('this route is not guarded by admit()');
  return call;
}

/** What the call brings besides its tensors. @param id the body's own, the last to be asked */
export function callInfo(request: FastifyRequest, id?: string): CallInfo {
  const { headers } = request;
  // CloudEvents' and KServe's name for it goes first.
  const event = headers['ce-id'];
  const name = typeof event === 'string' ? event : (requestIdOf(request) ?? id);
  const span = callOf(request)?.span;
  return { ...(name === undefined ? {} : { id: name }), ...(span === undefined ? {} : { span }) };
}

/** A hook for the routes that read large bodies; with a callback, for a promise costs turns of the queue per request. */
export function admit(wire: Wire) {
  return (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void => {
    const started = wire.clock.monotonic();
    let outcome: WireOutcome | undefined;
    let fault: Fault | undefined;
    const span = wire.tracing?.begin(
      `${request.method} ${request.routeOptions.url}`,
      attributesOf(request),
      request.headers,
    );
    const count = () => {
      wire.metrics.call('http', outcome ?? 'canceled', (wire.clock.monotonic() - started) / 1_000);
      span?.end(fault, { 'http.response.status_code': fault?.http ?? reply.statusCode });
    };
    let ticket: Ticket;
    try {
      ticket = wire.admission.enter();
    } catch (error) {
      fault = faultOf(error);
      outcome = fault.outcome;
      count();
      done(error as Error);
      return;
    }
    const gone = new AbortController();
    reply.raw.once('close', () => {
      ticket.leave();
      if (!reply.raw.writableFinished) {
        fault = CANCELED;
        outcome = CANCELED.outcome;
        gone.abort(new Error(CANCELED.message));
      }
      count();
    });
    const call: Call = {
      ticket,
      gone: gone.signal,
      span,
      ended: (how, why) => {
        outcome = how;
        fault = why;
      },
    };
    (request as { [CALL]?: Call })[CALL] = call;
    done();
  };
}

/** By OpenTelemetry's conventions for HTTP servers. */
function attributesOf({ method, routeOptions }: FastifyRequest): Attributes {
  return { 'http.request.method': method, 'http.route': routeOptions.url };
}
