/**
 * Lets a caller read metrics and explanations when the API server knows the token and RBAC allows the request,
 * as controller-runtime's authentication filter and kube-rbac-proxy do. Both answers are kept for a short time, so that
 * a scrape does not cost two calls each time.
 */
import type { Clock } from '../clock.ts';
import type { Reader, SubjectAccessReviewSpec } from '../runtime/types.ts';
import { createTokenReviewer, reviewCache, type TokenUser } from './token-review.ts';

export type Verdict = 'allowed' | 'unauthenticated' | 'forbidden';

export type AccessRequest = Pick<SubjectAccessReviewSpec, 'nonResourceAttributes' | 'resourceAttributes'>;

export interface Authorizer {
  /** Rejects when the API server cannot be asked; the caller then refuses, it does not guess. */
  check(authorization: string | undefined, request: AccessRequest, signal: AbortSignal): Promise<Verdict>;
}

/** Whether RBAC lets this user do it. Rejects when the API server cannot be asked. */
export type AccessReviewer = (user: TokenUser, request: AccessRequest) => Promise<boolean>;

export function createAuthorizer(
  reader: Pick<Reader, 'reviewToken' | 'reviewAccess'>,
  clock: Clock,
): Authorizer {
  const tokens = createTokenReviewer(reader, clock);
  const allowed = createAccessReviewer(reader, clock);
  return {
    async check(authorization, request, signal) {
      const user = await tokens.identify(authorization, signal);
      if (user === undefined) return 'unauthenticated';
      return (await allowed(user, request)) ? 'allowed' : 'forbidden';
    },
  };
}

export function createAccessReviewer(reader: Pick<Reader, 'reviewAccess'>, clock: Clock): AccessReviewer {
  const reviews = reviewCache<boolean, SubjectAccessReviewSpec>(clock, (spec, signal) =>
    reader.reviewAccess(spec, signal),
  );
  return ({ username: user, groups }, request) => {
    const spec = { user, ...(groups.length === 0 ? {} : { groups }), ...request };
    return reviews(JSON.stringify(spec), spec);
  };
}
