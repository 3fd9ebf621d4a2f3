/**
 * The inference server as a whole: both protocols over one engine, and the order in which they end. First the server
 * says that it is not ready and goes on answering, until nobody sends to it any more; then it answers what is under way.
 * The models go last, and whoever opened them closes them.
 */
import type { Clock } from '../clock.ts';
import { ForesailError, messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Guard } from './access/guard.ts';
import type { ServerTls } from './access/tls.ts';
import { type AdmissionLimits, createAdmission } from './admission.ts';
import { type Around, composeInfer } from './around/compose.ts';
import type { Tracing } from './around/tracing.ts';
import type { Engine } from './core/types.ts';
import { type GrpcServer, startGrpcServer } from './grpc/server.ts';
import { createHttpServer, type HttpTimeouts } from './http/server.ts';
import type { ServerMetrics } from './metrics.ts';
import { createRefusals } from './refusals.ts';
import type { Wire } from './wire.ts';

export interface ServerOptions extends AdmissionLimits {
  readonly host: string;
  /** 0 takes a free one. */
  readonly httpPort: number;
  /** Absent: no gRPC. */
  readonly grpcPort?: number;
  readonly maxRequestBytes: number;
  /** Open at once, for each protocol; one more is closed at once. */
  readonly maxConnections: number;
  readonly repositoryControl: boolean;
  readonly timeouts?: HttpTimeouts;
}

export interface RunningServer {
  readonly httpUrl: string;
  readonly grpcAddress: string | undefined;
  /**
   * Not ready from now on; after `drainMs` no new connection; settles when all is answered. An abort ends the wait and cuts
   * off what is still under way.
   */
  stop(drainMs: number, signal: AbortSignal): Promise<void>;
}

export interface ServerParts {
  readonly engine: Engine;
  readonly metrics: ServerMetrics;
  /** Not ready before it has settled. */
  readonly start?: Promise<unknown>;
  /** Absent: everybody may call. */
  readonly guard?: Guard;
  /** Absent: plain text. */
  readonly tls?: ServerTls;
  readonly around?: Around;
  readonly tracing?: Tracing;
  readonly clock: Clock;
  readonly log: Logger;
}

/** @throws PORT_UNAVAILABLE, its subject being the flag */
export async function startServer(options: ServerOptions, parts: ServerParts): Promise<RunningServer> {
  let draining = false;
  let starting = parts.start !== undefined;
  void Promise.allSettled([parts.start]).then(() => {
    starting = false;
  });
  const wire: Wire = {
    ...parts,
    infer: composeInfer(parts.engine, parts.around ?? {}, parts.metrics),
    refuseEarly: (model, version) => {
      if ((parts.around?.cacheBytes ?? 0) === 0) parts.engine.refuseEarly(model, version);
    },
    admission: createAdmission(options),
    refusals: createRefusals(parts.clock),
    maxRequestBytes: options.maxRequestBytes,
    repositoryControl: options.repositoryControl,
    starting: () => starting,
    draining: () => draining,
  };
  const { engine, metrics, clock, log } = parts;
  metrics.follow(engine);
  const http = createHttpServer(wire, options.timeouts, parts.tls);
  http.server.maxConnections = options.maxConnections;
  const httpUrl = await http
    .listen({ host: options.host, port: options.httpPort })
    .catch((cause: unknown) => {
      const message = `HTTP cannot listen on port ${options.httpPort}: ${messageOf(cause)}`;
      throw new ForesailError('PORT_UNAVAILABLE', 'terminal', message, { subject: '--http-port', cause });
    });
  let grpc: GrpcServer | undefined;
  try {
    if (options.grpcPort !== undefined) {
      const { host, grpcPort: port, maxConnections } = options;
      grpc = await startGrpcServer(wire, { host, port, maxConnections }, parts.tls?.grpc);
    }
  } catch (error) {
    await http.close();
    throw error;
  }
  return {
    httpUrl,
    grpcAddress: grpc?.address,
    async stop(drainMs, signal) {
      draining = true;
      await clock.sleep(drainMs, signal).catch(() => undefined);
      const cut = () => http.server.closeAllConnections();
      signal.addEventListener('abort', cut, { once: true });
      const closed = Promise.all([http.close(), grpc?.close(signal)]);
      if (signal.aborted) cut();
      await closed;
      signal.removeEventListener('abort', cut);
      log.info('the server has stopped');
    },
  };
}
