/**
 * The first gate of both protocols: how many calls may be under way and how many bytes of requests may lie in memory
 * at once. It refuses before a body is read, so that a burst costs an answer and no memory; the queues behind it belong
 * to the engine.
 */
import { overloaded } from './core/errors.ts';

/** A burst is over, or another replica has room, after about this long. */
const RETRY_AFTER_MS = 1_000;

export interface Admission {
  /** @throws OVERLOADED */
  enter(): Ticket;
  readonly active: number;
}

export interface Ticket {
  /** Bytes that arrived. @throws OVERLOADED */
  hold(bytes: number): void;
  /** Gives everything back; safe to call twice. */
  leave(): void;
}

export interface AdmissionLimits {
  readonly maxConcurrent: number;
  readonly maxBytesInFlight: number;
}

export function createAdmission({ maxConcurrent, maxBytesInFlight }: AdmissionLimits): Admission {
  let active = 0;
  let bytesInFlight = 0;
  return {
    get active() {
      return active;
    },
    enter() {
      if (active >= maxConcurrent)
        throw overloaded(`${maxConcurrent} requests are under way already`, RETRY_AFTER_MS);
      active++;
      let held = 0;
      let left = false;
      return {
        hold(bytes) {
          if (left) return;
          if (bytesInFlight + bytes > maxBytesInFlight)
            throw overloaded('the requests under way hold all the memory that they may', RETRY_AFTER_MS);
          held += bytes;
          bytesInFlight += bytes;
        },
        leave() {
          if (left) return;
          left = true;
          active--;
          bytesInFlight -= held;
        },
      };
    },
  };
}
