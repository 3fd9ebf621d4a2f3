/**
 * The gate in front of both protocols: who calls, whether they may, and whether they call too often. It stands before a
 * body is read. Health is open, for a kubelet has neither token nor certificate.
 */
import { isIP } from 'node:net';
import { ForesailError, isForesailError } from '../../errors.ts';
import { plainAddress } from '../../net/address.ts';
import type { Asked, Authentication, Credentials } from './authentication.ts';
import type { RateLimiter } from './rate-limit.ts';

export interface Guard {
  readonly challenge: string | undefined;
  /** @throws UNAUTHENTICATED, FORBIDDEN, AUTH_UNAVAILABLE, RATE_LIMITED */
  enter(credentials: Credentials, asked: Asked, signal: AbortSignal): Promise<void>;
}

export interface GuardParts {
  readonly authentication?: Authentication;
  readonly limiter?: RateLimiter;
}

/** Undefined where nothing is to be guarded, so that nothing is paid for it. */
export function createGuard({ authentication, limiter }: GuardParts): Guard | undefined {
  if (authentication === undefined && limiter === undefined) return undefined;
  return {
    challenge: authentication?.challenge,
    async enter(credentials, asked, signal) {
      const place = `address ${placeOf(credentials.address)}`;
      if (authentication === undefined) return notTooOften(limiter?.take(place));
      // Whoever has failed too often is not asked about again: guessing tokens must not become the API server's load.
      notTooOften(limiter?.wait(place));
      const caller = await authentication.identify(credentials, signal).catch((error: unknown) => {
        if (isForesailError(error, 'UNAUTHENTICATED')) limiter?.take(place);
        throw error;
      });
      notTooOften(limiter?.take(`caller ${caller.name}`));
      await authentication.authorize(caller, asked);
    },
  };
}

function notTooOften(waitMs: number | undefined): void {
  if (waitMs === undefined || waitMs === 0) return;
  throw new ForesailError('RATE_LIMITED', 'transient', 'this caller sends more calls than it may', {
    retryAfterMs: Math.ceil(waitMs),
  });
}

/** One household of IPv6 addresses counts once: its owner can take as many of them as it likes. */
export function placeOf(address: string): string {
  const plain = plainAddress(address);
  return isIP(plain) === 6 ? `${plain.split(':').slice(0, 4).join(':')}::/64` : plain;
}
