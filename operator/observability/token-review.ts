/**
 * Whose a bearer token is, by TokenReview. Answers are kept for a short time, good and bad ones, keyed by a digest so
 * that no token stays in memory; callers that come at once with the same token share one question.
 */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { ForesailError } from '../errors.ts';
import type { Reader } from '../runtime/types.ts';

export interface TokenUser {
  readonly username: string;
  readonly groups: readonly string[];
}

export interface TokenReviewer {
  /**
   * @param authorization the header as it came
   * @returns undefined for no token, a malformed one, or one that the API server does not know
   * @throws what the API server's client throws; AUTH_BUSY when too many are being asked at once
   */
  identify(authorization: string | undefined, signal: AbortSignal): Promise<TokenUser | undefined>;
}

/** A revoked token or role takes effect within this time. */
export const REVIEW_CACHE_MS = 30_000;
export const REVIEW_CACHE_ENTRIES = 4_096;
const REVIEW_DEADLINE_MS = 5_000;
/** Made-up tokens are never known, so only this keeps them from becoming a load on the API server. */
const REVIEWS_AT_ONCE = 64;

export function createTokenReviewer(
  reader: Pick<Reader, 'reviewToken'>,
  clock: Clock,
  audiences: readonly string[] = [],
): TokenReviewer {
  const users = reviewCache<TokenUser | 'nobody', string>(clock, async (token, signal) => {
    const { authenticated, user } = await reader.reviewToken(token, audiences, signal);
    if (!authenticated || user === undefined) return 'nobody';
    return { username: user.username, groups: user.groups ?? [] };
  });
  return {
    async identify(authorization, signal) {
      signal.throwIfAborted();
      const token = /^Bearer ([\x21-\x7e]{1,16384})$/i.exec(authorization ?? '')?.[1];
      if (token === undefined) return undefined;
      const user = await users(createHash('sha256').update(token).digest('base64'), token);
      return user === 'nobody' ? undefined : user;
    },
  };
}

interface Asked<Question> {
  readonly question: Question;
}

/**
 * Answers of the API server for a short time; several that ask the same at once wait for one answer, failures are not
 * kept, and only so many questions are under way.
 */
export function reviewCache<Answer extends object | string | boolean, Question>(
  clock: Clock,
  ask: (question: Question, signal: AbortSignal) => Promise<Answer>,
): (key: string, question: Question) => Promise<Answer> {
  let asking = 0;
  const cache = new LRUCache<string, Answer, Asked<Question>>({
    max: REVIEW_CACHE_ENTRIES,
    ttl: REVIEW_CACHE_MS,
    ttlResolution: 0,
    // It takes a start at 0 for none.
    perf: { now: () => clock.monotonic() + 1 },
    fetchMethod: async (_key, _stale, { context }) => {
      if (asking >= REVIEWS_AT_ONCE)
        throw new ForesailError('AUTH_BUSY', 'transient', `${asking} reviews are under way already`);
      asking++;
      try {
        return await ask(context.question, AbortSignal.timeout(REVIEW_DEADLINE_MS));
      } finally {
        asking--;
      }
    },
  });
  return async (key, question) => await cache.forceFetch(key, { context: { question } });
}
