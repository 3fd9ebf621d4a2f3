/** What a caller is told when something is wrong: always a small JSON object with the one key `error`. */
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { messageOf } from '../../errors.ts';
import { type Fault, faultOf, GRPC } from '../wire/errors.ts';
import type { Wire } from '../wire.ts';
import { callOf } from './call.ts';
import { requestIdOf } from './request-id.ts';

/** Writes a fault in the form that the route's protocol asks for. */
export type SendFault = (reply: FastifyReply, fault: Fault) => FastifyReply;

export function errorHandler(wire: Wire, send: SendFault = sendFault) {
  return (error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): void => {
    const call = callOf(request);
    // Nobody is there to read an answer, and the call was counted as canceled.
    if (call?.gone.aborted === true) return void reply.hijack();
    const fault = 'statusCode' in error ? ofFastify(error) : faultOf(error);
    if (fault.http === 500)
      wire.log.error('a request failed', {
        route: request.routeOptions.url,
        requestId: requestIdOf(request),
        error: messageOf(error),
      });
    call?.ended(fault.outcome, fault);
    if (fault.outcome === 'rejected') {
      // It waits with its connection alone; the room that it took is for others.
      call?.ticket.leave();
      request.body = undefined;
      wire.refusals.answer(() => tell(fault, request, reply));
    } else tell(fault, request, reply);
  };

  function tell(fault: Fault, request: FastifyRequest, reply: FastifyReply): void {
    if (callOf(request)?.gone.aborted === true) return void reply.hijack();
    reply.code(fault.http);
    if (fault.http === 503 || fault.http === 429) reply.header('retry-after', retryAfter(fault));
    const challenge = fault.http === 401 ? wire.guard?.challenge : undefined;
    if (challenge !== undefined) reply.header('www-authenticate', challenge);
    send(reply, fault);
  }
}

export const sendFault: SendFault = (reply, { http, message }) => reply.code(http).send({ error: message });

/** Whole seconds, at least one: the header knows no fractions. */
export function retryAfter({ retryAfterMs = 1_000 }: Pick<Fault, 'retryAfterMs'>): string {
  return String(Math.max(1, Math.ceil(retryAfterMs / 1_000)));
}

/** Fastify's own refusals (a path it cannot decode, a media type that is none) carry their status. */
function ofFastify(error: FastifyError): Fault {
  const http = error.statusCode ?? 500;
  if (http >= 400 && http < 500)
    return { http, grpc: GRPC.invalidArgument, outcome: 'invalid', message: error.message };
  return faultOf(error);
}

const BROKEN: Readonly<Record<string, readonly [string, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request took too long to arrive'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the headers are too large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['413 Payload Too Large', 'the chunk extensions are too large'],
};

/** For what never became a request: answered on the bare connection, which then ends. */
export function answerBroken(error: NodeJS.ErrnoException, socket: Socket): void {
  // Where TLS did not come to stand, an answer would wait for it for ever.
  if (error.code === 'ECONNRESET' || /^ERR_(?:TLS|SSL)_/.test(error.code ?? '') || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] = BROKEN[error.code ?? ''] ?? ['400 Bad Request', 'this is not HTTP'];
  const body = JSON.stringify({ error: message });
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
}
