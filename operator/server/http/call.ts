/**
 * One inference or forecast call over HTTP from its first byte to its end: admitted before the body is read, aborted when
 * the caller goes away, counted once. Kept beside the request, because Fastify's hooks and parsers share only that.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Ticket } from '../admission.ts';
import { CANCELED, faultOf, type WireOutcome } from '../wire/errors.ts';
import type { Wire } from '../wire.ts';

export interface Call {
  readonly ticket: Ticket;
  /** Aborts when the connection ends before the answer did. */
  readonly gone: AbortSignal;
  ended(outcome: WireOutcome): void;
}

const calls = new WeakMap<FastifyRequest, Call>();

export function callOf(request: FastifyRequest): Call | undefined {
  return calls.get(request);
}

/** The call of a route that `admit` guards. */
export function admitted(request: FastifyRequest): Call {
  const call = calls.get(request);
  if (call === undefined) throw new Error('this route is not guarded by admit()');
  return call;
}

/** A hook for the routes that read large bodies. */
export function admit(wire: Wire) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const started = wire.clock.monotonic();
    let outcome: WireOutcome | undefined;
    const count = () =>
      wire.metrics.call('http', outcome ?? 'canceled', (wire.clock.monotonic() - started) / 1_000);
    let ticket: Ticket;
    try {
      ticket = wire.admission.enter();
    } catch (error) {
      outcome = faultOf(error).outcome;
      count();
      throw error;
    }
    const gone = new AbortController();
    reply.raw.once('close', () => {
      ticket.leave();
      if (!reply.raw.writableFinished) {
        outcome = CANCELED.outcome;
        gone.abort(new Error(CANCELED.message));
      }
      count();
    });
    calls.set(request, {
      ticket,
      gone: gone.signal,
      ended: (how) => {
        outcome = how;
      },
    });
  };
}
