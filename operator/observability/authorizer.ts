/**
 * Lets a caller read metrics and explanations when the API server knows the token and RBAC allows the request,
 * as controller-runtime's authentication filter and kube-rbac-proxy do. Answers are kept for a short time, keyed
 * by a digest, so that a scrape does not cost two calls each time and no token stays in memory.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Reader, SubjectAccessReviewSpec } from '../runtime/types.ts';

export type Verdict = 'allowed' | 'unauthenticated' | 'forbidden';

export type AccessRequest = Pick<SubjectAccessReviewSpec, 'nonResourceAttributes' | 'resourceAttributes'>;

export interface Authorizer {
  /** Rejects when the API server cannot be asked; the caller then refuses, it does not guess. */
  check(authorization: string | undefined, request: AccessRequest, signal: AbortSignal): Promise<Verdict>;
}

/** A revoked token or role takes effect within this time. */
const CACHE_MS = 30_000;
const CACHE_ENTRIES = 1_000;

export function createAuthorizer(
  reader: Pick<Reader, 'reviewToken' | 'reviewAccess'>,
  clock: Clock,
): Authorizer {
  const cache = new Map<string, { verdict: Verdict; until: number }>();

  async function ask(token: string, request: AccessRequest, signal: AbortSignal): Promise<Verdict> {
    const { authenticated, user } = await reader.reviewToken(token, [], signal);
    if (!authenticated || user === undefined) return 'unauthenticated';
    const { username, groups } = user;
    const allowed = await reader.reviewAccess(
      { user: username, ...(groups === undefined ? {} : { groups }), ...request },
      signal,
    );
    return allowed ? 'allowed' : 'forbidden';
  }

  return {
    async check(authorization, request, signal) {
      const token = /^Bearer ([\x21-\x7e]{1,16384})$/i.exec(authorization ?? '')?.[1];
      if (token === undefined) return 'unauthenticated';
      const key = createHash('sha256')
        .update(token)
        .update('\0')
        .update(JSON.stringify(request))
        .digest('base64');
      const cached = cache.get(key);
      if (cached !== undefined && cached.until > clock.monotonic()) return cached.verdict;
      const verdict = await ask(token, request, signal);
      if (cache.size >= CACHE_ENTRIES) cache.clear();
      cache.set(key, { verdict, until: clock.monotonic() + CACHE_MS });
      return verdict;
    },
  };
}
