/** The HTTP server: limits first, then the routes of the protocol. */
import type { IncomingMessage } from 'node:http';
import type { Server as TlsServer } from 'node:tls';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { KEEP_ALIVE_MS } from '../../net/keep-alive.ts';
import type { ServerTls } from '../access/tls.ts';
import { createAdmission } from '../admission.ts';
import { forecastRoutes } from '../forecast-api/routes.ts';
import { GRPC } from '../wire/errors.ts';
import type { Wire } from '../wire.ts';
import { readBody } from './body.ts';
import { callOf } from './call.ts';
import { answerBroken, errorHandler, sendFault } from './faults.ts';
import { guardRoutes } from './guard.ts';
import { inferRoutes } from './infer.ts';
import { modelRoutes } from './models.ts';
import { repositoryRoutes } from './repository.ts';
import { REQUEST_ID, requestIdOf } from './request-id.ts';

export interface HttpTimeouts {
  /** For the headers of a request, from its first byte. */
  readonly headersMs: number;
  /** For a whole request with its body. */
  readonly requestMs: number;
  /** How long an idle connection stays. */
  readonly keepAliveMs: number;
}

const DEFAULT_TIMEOUTS: HttpTimeouts = { headersMs: 10_000, requestMs: 60_000, keepAliveMs: KEEP_ALIVE_MS };

/** Bodies of the routes that do not pass the gate of the inference calls: a repository request has a few words. */
const SMALL_BODY = 64 * 1024;

export function createHttpServer(
  wire: Wire,
  timeouts: HttpTimeouts = DEFAULT_TIMEOUTS,
  tls?: ServerTls,
): FastifyInstance {
  const connections = {
    headersTimeout: timeouts.headersMs,
    connectionsCheckingInterval: 1_000,
  };
  const server = Fastify({
    bodyLimit: wire.maxRequestBytes,
    requestTimeout: timeouts.requestMs,
    keepAliveTimeout: timeouts.keepAliveMs,
    ...(tls === undefined
      ? { http: connections }
      : { https: { ...connections, ...tls.https, handshakeTimeout: timeouts.headersMs } }),
    // A connection that is still open while the server ends gets its answers.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 253, ignoreTrailingSlash: true },
    frameworkErrors: (_error, _request, reply) => void sendFault(reply, BAD_PATH),
    clientErrorHandler: answerBroken,
  }) as FastifyInstance;
  if (tls !== undefined) {
    const stop = tls.follow(server.server as unknown as TlsServer);
    server.addHook('onClose', async () => stop());
  }

  server.removeAllContentTypeParsers();
  const smallBodies = createAdmission({ maxConcurrent: 256, maxBytesInFlight: 256 * SMALL_BODY });
  const readSmallBody = async (payload: IncomingMessage): Promise<Buffer> => {
    const small = smallBodies.enter();
    try {
      return await readBody(payload, SMALL_BODY, small);
    } finally {
      small.leave();
    }
  };
  server.addContentTypeParser('*', (request: FastifyRequest, payload: IncomingMessage, done: BodyDone) => {
    const ticket = callOf(request)?.ticket;
    const body =
      ticket === undefined ? readSmallBody(payload) : readBody(payload, wire.maxRequestBytes, ticket);
    // oxlint-disable-next-line no-callback-in-promise -- Fastify's form with a promise costs two more
    body.then((bytes) => done(null, bytes), done);
  });
  server.setErrorHandler(errorHandler(wire));
  server.setNotFoundHandler((request, reply) =>
    sendFault(reply, {
      http: 404,
      grpc: GRPC.unimplemented,
      outcome: 'invalid',
      message: `no such call: ${request.method} on this path`,
    }),
  );
  // Callers with a long-lived connection go elsewhere before it is cut.
  server.addHook('onSend', (request, reply, _payload, done) => {
    if (wire.draining()) reply.header('connection', 'close');
    const id = requestIdOf(request);
    if (id !== undefined) reply.header(REQUEST_ID, id);
    done();
  });

  if (wire.guard !== undefined) guardRoutes(server, wire, wire.guard);
  modelRoutes(server, wire);
  inferRoutes(server, wire);
  repositoryRoutes(server, wire);
  forecastRoutes(server, wire);
  server.get('/metrics', async (_request, reply) =>
    reply.type(wire.metrics.registry.contentType).send(await wire.metrics.registry.metrics()),
  );
  return server;
}

type BodyDone = (error: Error | null, body?: Buffer) => void;

/** Badly encoded, or with a part longer than any name; it is not echoed. */
const BAD_PATH = {
  http: 400,
  grpc: GRPC.invalidArgument,
  outcome: 'invalid',
  message: 'the path cannot be read',
} as const;
