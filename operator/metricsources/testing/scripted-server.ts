/** A real HTTP server on loopback that answers as a test tells it, and remembers what it was asked. */
import {
  createServer as createHttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly path: string;
  readonly params: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

export type Script = (response: ServerResponse, asked: Asked) => void;

export interface ScriptedServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly asked: readonly Asked[];
  /** Connections that stand now. */
  connections(): number;
  answer(script: Script): void;
}

export async function scriptedServer(script: Script, tls?: ServerOptions): Promise<ScriptedServer> {
  let current = script;
  const asked: Asked[] = [];
  let connections = 0;
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    response.on('error', () => {});
    request.on('end', () => {
      const question: Asked = {
        path: request.url ?? '',
        params: new URLSearchParams(Buffer.concat(chunks).toString()),
        headers: request.headers,
      };
      asked.push(question);
      current(response, question);
    });
  };
  const server = tls === undefined ? createHttpServer(listener) : createHttpsServer(tls, listener);
  server.on('connection', (socket) => {
    connections += 1;
    socket.on('close', () => {
      connections -= 1;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    asked,
    connections: () => connections,
    answer: (next) => {
      current = next;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

export function json(body: unknown, status = 200): Script {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

/** What an instant query answers: one series per value. */
export function vector(values: readonly string[], atMs: number = Date.now(), more: object = {}): object {
  const result = values.map((value, index) => ({
    metric: { instance: String(index) },
    value: [atMs / 1000, value],
  }));
  return { status: 'success', data: { resultType: 'vector', result }, ...more };
}

/** Answers the age probe with `ageMs` and everything else with `body`. */
export function freshThen(body: unknown, ageMs = 1000): Script {
  return (response, asked) => {
    const query = asked.params.get('query') ?? '';
    if (!query.includes('foresail_selector')) {
      json(body)(response, asked);
      return;
    }
    const parts = [...query.matchAll(/"foresail_selector", "(\d+)"/g)];
    const stamp = String((Date.now() - ageMs) / 1000);
    json(vector(parts.map(() => stamp)))(response, asked);
  };
}
