/** Where the gRPC service listens, its limits, and how it ends. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import {
  loadPackageDefinition,
  logVerbosity,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ForesailError } from '../../errors.ts';
import type { Wire } from '../wire.ts';
import { guardInterceptor } from './guard.ts';
import { handlers } from './handlers.ts';

const PROTO = new URL('./inference.proto', import.meta.url).pathname;

export function loadService(): ServiceDefinition {
  const loaded = loadPackageDefinition(
    loadSync(PROTO, { keepCase: true, longs: String, enums: String }),
  ) as unknown as { inference: { GRPCInferenceService: { service: ServiceDefinition } } };
  return loaded.inference.GRPCInferenceService.service;
}

export interface GrpcServer {
  /** Where it listens. */
  readonly address: string;
  /** No new call; settles when those under way are answered, or cuts them off when the signal aborts. */
  close(signal: AbortSignal): Promise<void>;
}

export interface GrpcListen {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly maxConnections: number;
}

export async function startGrpcServer(
  wire: Wire,
  { host, port, maxConnections }: GrpcListen,
  credentials: ServerCredentials = ServerCredentials.createInsecure(),
): Promise<GrpcServer> {
  // Its own lines are not of our log's form; what matters comes as an error.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server({
    'grpc.max_receive_message_length': wire.maxRequestBytes,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': 1024,
    'grpc.enable_channelz': 0,
    // Half-open connections are found, and a caller that pings does not hurt us.
    'grpc.keepalive_time_ms': 60_000,
    'grpc.keepalive_timeout_ms': 20_000,
    // Clients open a new one when they need it, and notice nothing.
    'grpc.max_connection_idle_ms': 600_000,
    ...(wire.guard === undefined ? {} : { interceptors: [guardInterceptor(wire, wire.guard)] }),
  });
  server.addService(loadService(), handlers(wire));
  // Its own listener takes any number of connections; this one does not.
  const injector = server.createConnectionInjector(credentials);
  const listener = createServer({ noDelay: true }, (socket) => injector.injectConnection(socket));
  listener.maxConnections = maxConnections;
  listener.listen({ host, port });
  await once(listener, 'listening').catch((cause: Error) => {
    server.forceShutdown();
    throw cannotListen(cause, port);
  });
  const { port: bound } = listener.address() as AddressInfo;
  return {
    address: `${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: (signal) =>
      new Promise((resolve) => {
        const cut = () => server.forceShutdown();
        listener.close();
        signal.addEventListener('abort', cut, { once: true });
        if (signal.aborted) cut();
        server.tryShutdown(() => {
          signal.removeEventListener('abort', cut);
          resolve();
        });
      }),
  };
}

function cannotListen(cause: Error, port: number): ForesailError {
  return new ForesailError(
    'PORT_UNAVAILABLE',
    'terminal',
    `gRPC cannot listen on port ${port}: ${cause.message}`,
    {
      subject: '--grpc-port',
      cause,
    },
  );
}
