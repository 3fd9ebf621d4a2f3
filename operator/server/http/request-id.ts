/** The name that a proxy or a caller gave to a request, so that one can be found again in several logs. */
import type { FastifyRequest } from 'fastify';

export const REQUEST_ID = 'x-request-id';

/** Undefined when it is no plain word: it goes into a header and into the log as it is. */
export function requestIdOf({ headers }: FastifyRequest): string | undefined {
  const id = headers[REQUEST_ID];
  return typeof id === 'string' && /^[\w.:/+=-]{1,128}$/.test(id) ? id : undefined;
}
