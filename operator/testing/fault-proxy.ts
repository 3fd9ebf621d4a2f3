/**
 * Stands between a client and an API server and misbehaves on request: answers in the server's place, resets, keeps
 * silent, holds a request back, or changes the bytes of a stream. Plain HTTP to the client, so no test needs a
 * certificate. Without an upstream it is a scripted server for answers that no healthy API server gives.
 */
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

export interface ProxiedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly isWatch: boolean;
  readonly body: string;
}

export type Fault =
  /** The request never reaches the server. A `body` of several strings is sent chunk by chunk. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | readonly string[];
      /** What follows the body: a proper end (default), silence, or a reset. */
      readonly after?: 'end' | 'silence' | 'reset';
    }
  /** TCP reset before any answer. */
  | { readonly kind: 'reset' }
  /** Taken and never answered; the server does not see it. */
  | { readonly kind: 'swallow' }
  /** Forwarded once the promise resolves. */
  | { readonly kind: 'hold'; readonly until: Promise<void> }
  /** Forwarded; each chunk of the answer passes through. 'fin' and 'reset' end the stream there, 'silence' stops it. */
  | { readonly kind: 'stream'; readonly chunk: (chunk: Buffer) => Buffer | 'fin' | 'reset' | 'silence' };

/** Looks at each request; undefined lets it pass. */
export type FaultRule = (request: ProxiedRequest) => Fault | undefined;

export interface FaultProxy extends AsyncDisposable {
  readonly url: string;
  /** Requests seen, in order. */
  readonly seen: readonly ProxiedRequest[];
  rule: FaultRule;
  /** Nothing goes in or out of the connections that are open now; no FIN, no RST. New ones work. */
  silenceOpenConnections(): number;
  /** Ends every open connection. */
  cutOpenConnections(how: 'fin' | 'reset'): number;
}

export interface Upstream {
  readonly url: string;
  readonly ca: string;
}

export async function startFaultProxy(
  upstream?: Upstream,
  rule: FaultRule = () => undefined,
): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  const silenced = new WeakSet<Socket>();
  const seen: ProxiedRequest[] = [];
  const server: Server = createServer((request, response) => {
    void (async () => {
      const body = await readAll(request);
      const url = new URL(request.url ?? '/', 'http://proxy');
      const proxied: ProxiedRequest = {
        method: request.method ?? 'GET',
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        isWatch: url.searchParams.get('watch') === 'true',
        body,
      };
      seen.push(proxied);
      const fault = proxy.rule(proxied);
      if (fault?.kind === 'swallow') return;
      if (fault?.kind === 'reset') request.socket.resetAndDestroy();
      else if (fault?.kind === 'answer') await answer(response, fault);
      else {
        if (fault?.kind === 'hold') await fault.until;
        forward(request, body, response, upstream, fault?.kind === 'stream' ? fault.chunk : undefined);
      }
    })().catch(() => request.socket.destroy());
  });
  server.keepAliveTimeout = 60_000;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const proxy: FaultProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    rule,
    silenceOpenConnections() {
      for (const socket of sockets) {
        if (silenced.has(socket)) continue;
        silenced.add(socket);
        socket.pause();
        // What the handler still writes goes nowhere, as in a network that drops packets.
        socket.write = () => true;
        socket.end = () => socket;
      }
      return sockets.size;
    },
    cutOpenConnections(how) {
      const count = sockets.size;
      for (const socket of sockets) {
        if (how === 'fin') socket.destroy();
        else socket.resetAndDestroy();
      }
      return count;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
  return proxy;
}

async function answer(response: ServerResponse, fault: Fault & { kind: 'answer' }): Promise<void> {
  response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
  response.flushHeaders();
  for (const part of typeof fault.body === 'string' ? [fault.body] : (fault.body ?? [])) {
    response.write(part);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  if (fault.after === 'reset') response.socket?.resetAndDestroy();
  else if (fault.after !== 'silence') response.end();
}

function forward(
  request: IncomingMessage,
  body: string,
  response: ServerResponse,
  upstream: Upstream | undefined,
  alter: ((chunk: Buffer) => Buffer | 'fin' | 'reset' | 'silence') | undefined,
): void {
  if (upstream === undefined) {
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"kind":"Status","code":404}');
    return;
  }
  const send = upstream.url.startsWith('https:') ? httpsRequest : httpRequest;
  const { host: _, connection: __, ...headers } = request.headers;
  const onward = send(
    new URL(request.url ?? '/', upstream.url),
    { method: request.method ?? 'GET', headers, ca: upstream.ca },
    (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      response.flushHeaders();
      let silent = false;
      reply.on('data', (chunk: Buffer) => {
        if (silent) return;
        const altered = alter?.(chunk) ?? chunk;
        if (altered === 'silence') silent = true;
        else if (altered === 'reset') response.socket?.resetAndDestroy();
        else if (altered === 'fin') response.socket?.destroy();
        else response.write(altered);
      });
      reply.on('end', () => silent || response.end());
      reply.on('error', () => response.socket?.destroy());
      reply.on('aborted', () => silent || response.socket?.destroy());
    },
  );
  onward.on('error', () => response.socket?.destroy());
  response.on('close', () => onward.destroy());
  onward.end(body);
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
