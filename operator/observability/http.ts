/**
 * The operator's own HTTP face: probes for the kubelet (open), metrics for Prometheus and explanations for
 * `foresail explain` (both behind the API server's authentication and RBAC).
 */
import type { Server } from 'node:tls';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Registry } from 'prom-client';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { AccessRequest, Authorizer } from './authorizer.ts';
import { type CertificateFiles, followCertificate, readCertificate } from './certificate.ts';

export interface HttpOptions {
  /** 'host:port'; port 0 takes a free one. */
  readonly address: string;
  /** PEM files, followed when they change; absent: plain HTTP (a mesh or a NetworkPolicy has to protect tokens). */
  readonly tls?: CertificateFiles;
}

export interface HttpContent {
  readonly registry: Registry;
  readonly authorizer: Authorizer;
  /** Why the process should be restarted, or undefined. */
  readonly unhealthy: () => string | undefined;
  /** Why the process cannot do its work yet, or undefined. */
  readonly notReady: () => string | undefined;
  /** The newest explanation of a scaler, or undefined when this replica has decided nothing for it. Absent: no such path. */
  readonly explain?: (namespace: string, name: string) => object | undefined;
  /** Which parts of the past drove its newest forecasts; computed when asked for (`?attribution=true`). */
  readonly whyForecast?: (
    namespace: string,
    name: string,
    signal: AbortSignal,
  ) => Promise<readonly object[] | undefined>;
  /** Paths of another room, with a guard of their own. */
  readonly more?: (server: FastifyInstance) => Promise<void>;
  readonly log: Logger;
  readonly clock: Clock;
}

export async function startHttp(
  options: HttpOptions,
  content: HttpContent,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createHttp(content, options.tls);
  const [, host, port] = /^(.*):(\d+)$/.exec(options.address) ?? [];
  const url = await server.listen({
    // IPv6 stands in brackets before a port.
    host: host === '' || host === undefined ? '0.0.0.0' : host.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port),
  });
  return { url, close: () => server.close() };
}

export function createHttp(content: HttpContent, tls?: HttpOptions['tls']): FastifyInstance {
  const limits = {
    bodyLimit: 1024,
    requestTimeout: 10_000,
    connectionTimeout: 30_000,
    keepAliveTimeout: 60_000,
    // The longest name that Kubernetes takes.
    routerOptions: { maxParamLength: 253 },
  };
  const pair = tls === undefined ? undefined : readCertificate(tls);
  const server = (
    pair === undefined ? Fastify(limits) : Fastify({ ...limits, https: pair })
  ) as FastifyInstance;
  if (tls !== undefined && pair !== undefined) {
    const secure = server.server as unknown as Server;
    const stop = followCertificate(secure, tls, pair, content.clock, content.log);
    server.addHook('onClose', async () => stop());
  }

  server.get('/healthz', probe(content.unhealthy));
  server.get('/readyz', probe(content.notReady));

  const guarded = (access: (request: FastifyRequest) => AccessRequest) => ({
    preHandler: async (request: FastifyRequest, reply: FastifyReply) => {
      const abort = AbortSignal.timeout(5_000);
      try {
        const verdict = await content.authorizer.check(request.headers.authorization, access(request), abort);
        if (verdict === 'unauthenticated')
          await reply.code(401).header('www-authenticate', 'Bearer').send({ error: 'no valid token' });
        else if (verdict === 'forbidden')
          await reply.code(403).send({ error: 'RBAC does not allow this request' });
      } catch (error) {
        content.log.warn('token could not be checked', { error });
        await reply
          .code(503)
          .send({ error: `the API server could not check the token: ${messageOf(error)}` });
      }
    },
  });

  server.get(
    '/metrics',
    guarded(() => ({ nonResourceAttributes: { path: '/metrics', verb: 'get' } })),
    async (_request, reply) =>
      reply.type(content.registry.contentType).send(await content.registry.metrics()),
  );

  if (content.more !== undefined) void server.register(content.more);

  const { explain } = content;
  if (explain === undefined) return server;
  interface ScalerParams {
    readonly namespace: string;
    readonly name: string;
  }
  server.get<{ Params: ScalerParams; Querystring: { readonly attribution?: string } }>(
    '/explain/v1/namespaces/:namespace/predictivescalers/:name',
    guarded((request) => {
      const { namespace, name } = request.params as ScalerParams;
      return {
        resourceAttributes: {
          verb: 'get',
          group: 'foresail.io',
          resource: 'predictivescalers',
          namespace,
          name,
        },
      };
    }),
    async (request, reply) => {
      const { namespace, name } = request.params;
      const explanation = explain(namespace, name);
      if (explanation === undefined)
        return reply.code(404).send({ error: `no decision for ${namespace}/${name} on this replica` });
      if (request.query.attribution !== 'true') return explanation;
      try {
        const attribution = await content.whyForecast?.(namespace, name, AbortSignal.timeout(5_000));
        return { ...explanation, forecast: { attribution: attribution ?? [] } };
      } catch (error) {
        return reply
          .code(503)
          .header('retry-after', '1')
          .send({ error: `the forecast could not be explained: ${messageOf(error)}` });
      }
    },
  );
  return server;
}

/** 200 when there is no reason against it, else 503 with the reason. */
function probe(reason: () => string | undefined) {
  return async (_request: FastifyRequest, reply: FastifyReply) => {
    const why = reason();
    return reply
      .code(why === undefined ? 200 : 503)
      .type('text/plain')
      .send(why ?? 'ok');
  };
}
