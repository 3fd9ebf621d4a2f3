/** The guard in front of every HTTP route but health, before anything of a body is read. */
import { TLSSocket } from 'node:tls';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Asked, Credentials } from '../access/authentication.ts';
import type { Guard } from '../access/guard.ts';
import { faultOf } from '../wire/errors.ts';
import type { Wire } from '../wire.ts';

const OPEN = new Set(['/v2/health/live', '/v2/health/ready']);
const CONTROL = /\/(?:load|unload)$/;

export function guardRoutes(server: FastifyInstance, { metrics, clock }: Wire, guard: Guard): void {
  server.addHook('onRequest', async (request) => {
    const route = request.routeOptions.url;
    // A path without a route has nothing behind it that would have to be guarded.
    if (route === undefined || OPEN.has(route)) return;
    const started = clock.monotonic();
    try {
      await guard.enter(credentialsOf(request), askedOf(request, route), request.signal);
    } catch (error) {
      const fault = faultOf(error);
      metrics.call('http', fault.outcome, (clock.monotonic() - started) / 1_000);
      throw error;
    }
  });
}

function credentialsOf({ raw, headers }: FastifyRequest): Credentials {
  return {
    // The peer of the connection: what a header says about an address, its sender made up.
    address: raw.socket.remoteAddress ?? '',
    authorization: headers.authorization,
    certificate() {
      const { socket } = raw;
      if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
      const certificate = socket.getPeerCertificate();
      return Object.keys(certificate).length === 0 ? undefined : certificate;
    },
  };
}

/** The path with its names as the route understood them, not as they were written: `%65` is `e`. */
function askedOf({ method, params }: FastifyRequest, route: string): Asked {
  const names = params as Readonly<Record<string, string>>;
  const path = route.replace(/:(\w+)/g, (_, name: string) => names[name] ?? '');
  return { path, verb: method === 'POST' ? 'post' : 'get', control: CONTROL.test(route) };
}
