/**
 * An aggregated API server for external.metrics.k8s.io, custom.metrics.k8s.io and metrics.k8s.io, answering
 * from one scripted state. The real HPA controller and our operator read the same numbers from it.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterFacts } from '../cluster.ts';
import { type Answer, answer } from './answers.ts';
import { MetricsState } from './state.ts';

export interface MetricsServerOptions {
  /** Time stamps of the answers, milliseconds since the epoch. */
  readonly now?: () => number;
  /** How long the measured window of an answer claims to be; HPA compares it with a pod's start. Default 10. */
  readonly windowSeconds?: number;
  /** Awaited before a path (with its query) is answered: a test can let its script move on, or hold the reader back. */
  readonly gate?: (path: string) => Promise<void>;
  /** A fault instead of the answer, by path (with its query). */
  readonly fault?: (path: string) => Fault | undefined;
}

export interface Fault {
  readonly status?: number;
  readonly body?: string;
  readonly delayMs?: number;
  /** Cut the connection without an answer. */
  readonly drop?: boolean;
}

export interface MetricsServer {
  readonly state: MetricsState;
  readonly port: number;
  /** Requests for a metric so far, discovery left out: path without query → count. `user` limits it to one identity. */
  requests(user?: string): ReadonlyMap<string, number>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startMetricsServer(
  cluster: Pick<ClusterFacts, 'serving'>,
  options: MetricsServerOptions = {},
): Promise<MetricsServer> {
  const state = new MetricsState();
  const counts = new Map<string, Map<string, number>>();
  const count = (user: string, path: string): void => {
    const byPath = counts.get(user) ?? new Map<string, number>();
    byPath.set(path, (byPath.get(path) ?? 0) + 1);
    counts.set(user, byPath);
  };
  const now = options.now ?? Date.now;
  const windowSeconds = options.windowSeconds ?? 10;

  const reply = async (url: string, user: string): Promise<(Answer & { drop?: boolean }) | undefined> => {
    const parsed = new URL(url, 'https://localhost');
    if (parsed.pathname.includes('/namespaces/')) count(user, parsed.pathname);
    await options.gate?.(url);
    const fault = options.fault?.(url);
    if (fault?.delayMs) await sleep(fault.delayMs);
    if (fault?.drop) return { status: 0, body: '', drop: true };
    if (fault?.status) return { status: fault.status, body: fault.body ?? '' };
    return answer(state, parsed, { timestamp: new Date(now()).toISOString(), windowSeconds });
  };

  const server = createServer(
    { cert: await readFile(cluster.serving.cert), key: await readFile(cluster.serving.key) },
    (request, response) => {
      reply(request.url ?? '/', String(request.headers['x-remote-user'] ?? ''))
        .catch((error: unknown) => ({ status: 400, body: { message: String(error) } }))
        .then((result) => {
          if (result && 'drop' in result) {
            request.socket.destroy();
            return;
          }
          const { status, body } = result ?? { status: 404, body: { message: 'not found' } };
          response.writeHead(status, { 'content-type': 'application/json' });
          response.end(typeof body === 'string' ? body : JSON.stringify(body));
        })
        .catch(() => request.socket.destroy());
    },
  );
  const close = () => closeServer(server);
  const port = await listen(server);
  return {
    state,
    port,
    requests(user) {
      const sum = new Map<string, number>();
      for (const [who, byPath] of counts) {
        if (user !== undefined && who !== user) continue;
        for (const [path, n] of byPath) sum.set(path, (sum.get(path) ?? 0) + n);
      }
      return sum;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error ? reject(error) : resolve()));
    server.closeAllConnections();
  });
}
