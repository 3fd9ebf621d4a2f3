/**
 * The router's ports: one on which every path belongs to a model, one for gRPC, and one for the kubelet and Prometheus. It is
 * ready once it knows its routes, and not any more from the moment it is asked to go.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Registry } from 'prom-client';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { KEEP_ALIVE_MS } from '../net/keep-alive.ts';
import type { Authorizer } from '../observability/authorizer.ts';
import { startHttp } from '../observability/http.ts';
import type { GrpcProxy } from './grpc-proxy.ts';
import { startGrpc } from './grpc-server.ts';
import { listen, urlOf } from './listen.ts';
import type { Proxy } from './proxy.ts';

export interface RouterServer {
  readonly url: string;
  /** Absent without a proxy for gRPC. */
  readonly grpcUrl?: string;
  readonly adminUrl: string;
  /** Not ready any more, but answering. */
  drain(): void;
  /** Takes no new request and waits for those under way, for so long. */
  close(graceMs: number): Promise<void>;
}

export interface RouterServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly adminPort: number;
  readonly proxy: Proxy;
  readonly grpc?: { readonly port: number; readonly proxy: GrpcProxy };
  readonly registry: Registry;
  /** Who may read metrics. Absent, where there is no API server to ask: everybody. */
  readonly authorizer?: Authorizer;
  /** Why it cannot do its work yet, or undefined. */
  readonly notReady: () => string | undefined;
  readonly log: Logger;
  readonly clock: Clock;
}

/** Slow headers and slow bodies end here; a model's answer may take its time. */
const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: KEEP_ALIVE_MS,
  maxHeaderSize: 16_384,
};

const EVERYBODY: Authorizer = { check: async () => 'allowed' };

export async function startRouter(options: RouterServerOptions): Promise<RouterServer> {
  const { proxy, registry, log, clock } = options;
  let draining = false;
  const serve: RequestListener = (request, response) => {
    // A caller that keeps its connection for ever would never see the other replica.
    if (draining) response.setHeader('connection', 'close');
    // One that was kept open before the end began would hold it up.
    response.once('close', () => draining && setImmediate(() => traffic.closeIdleConnections()));
    void proxy.handle(request, response);
  };
  const traffic = createServer(LIMITS, serve);
  // Whoever asks before sending a body is told to go on only when it would be taken.
  traffic.on('checkContinue', serve);
  await listen(traffic, options.host, options.port);
  const grpc = options.grpc && (await startGrpc(options.host, options.grpc.port, options.grpc.proxy));
  const admin = await startHttp(
    { address: `${options.host}:${options.adminPort}` },
    {
      registry,
      authorizer: options.authorizer ?? EVERYBODY,
      unhealthy: () => undefined,
      notReady: () => (draining ? 'stopping' : options.notReady()),
      log,
      clock,
    },
  );
  let closed: Promise<void> | undefined;
  const close = async (graceMs: number): Promise<void> => {
    draining = true;
    const cut = setTimeout(() => traffic.closeAllConnections(), graceMs);
    // Probes and metrics last, for as long as there is something to see.
    await Promise.all([ended(traffic), grpc?.close(graceMs)]);
    clearTimeout(cut);
    await admin.close();
    await proxy.close();
  };
  return {
    url: urlOf(traffic),
    ...(grpc === undefined ? {} : { grpcUrl: grpc.url }),
    adminUrl: admin.url,
    drain() {
      draining = true;
    },
    close: (graceMs) => (closed ??= close(graceMs)),
  };
}

function ended(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}
