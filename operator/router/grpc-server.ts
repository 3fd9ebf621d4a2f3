/** The router's port for gRPC: HTTP/2 without TLS, as gRPC clients inside a cluster speak it. */
import { createServer, type ServerHttp2Session } from 'node:http2';
import type { GrpcProxy } from './grpc-proxy.ts';
import { listen, urlOf } from './listen.ts';

/** Calls that one connection may have at once; more wait at the caller. */
const MOST_STREAMS = 256;
/** A connection without a call for so long is closed. */
const IDLE_MS = 300_000;

export async function startGrpc(
  host: string,
  port: number,
  proxy: GrpcProxy,
): Promise<{ readonly url: string; close(graceMs: number): Promise<void> }> {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer({ settings: { maxConcurrentStreams: MOST_STREAMS } });
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined);
    session.setTimeout(IDLE_MS, () => session.close());
    session.once('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => void proxy.handle(stream, headers));
  await listen(server, host, port);
  return {
    url: urlOf(server),
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      // GOAWAY: calls under way are answered, new ones go elsewhere.
      for (const session of sessions) session.close();
      const cut = setTimeout(() => {
        for (const session of sessions) session.destroy();
      }, graceMs);
      await closed;
      clearTimeout(cut);
      proxy.close();
    },
  };
}
