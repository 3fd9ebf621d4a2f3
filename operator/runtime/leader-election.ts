/**
 * One leader at a time, by a Lease. The leader may write for `renewDeadlineMs` after the moment in which it began its
 * last successful renewal; others may take over `leaseDurationMs` after they saw that renewal. The second is longer
 * and begins later, on monotonic clocks of machines that run at about the same speed, so the two never overlap.
 *
 * A process that was frozen (SIGSTOP, a paused VM) wakes up in the middle of what it was doing, before any timer has
 * run. So leadership is not a flag but a comparison with the clock at each write: see `assertLeading`.
 */
import { type Clock, systemClock } from '../clock.ts';
import { ForesailError, isForesailError, messageOf } from '../errors.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../kube/errors.ts';
import { type Logger, silentLogger } from '../logger.ts';
import {
  heldBy,
  holderOf,
  isFree,
  LEASES,
  type Lease,
  type LeaseSighting,
  newLease,
  released,
  sight,
} from './lease.ts';
import type { LeaderElector, ObjectKey, Reader, RuntimeObserver, Writer } from './types.ts';

export interface LeaderElectionOptions {
  /** Should have connections of its own: a queue of slow calls must not cost the lease. */
  readonly client: Pick<Reader & Writer, 'get' | 'create' | 'update'>;
  readonly lease: ObjectKey;
  /** Unique to this process; a pod's name is not, when its container restarts. */
  readonly identity: string;
  /** How long others wait after the last renewal that they saw. Default 15 s. */
  readonly leaseDurationMs?: number;
  /** How long the leader goes on without a successful renewal. Default 10 s. */
  readonly renewDeadlineMs?: number;
  /** Default 2 s. */
  readonly retryPeriodMs?: number;
  /** Leadership has begun; the signal aborts when it ends. */
  readonly onStartedLeading?: (signal: AbortSignal) => void;
  /** Leadership ended against our will. The process should exit: work in its hands may be half done. */
  readonly onLost?: (reason: string) => void;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly logger?: Logger;
  readonly observer?: RuntimeObserver;
}

/** The time given to the last write, which tells the others that they need not wait. */
const RELEASE_DEADLINE_MS = 3_000;

export function createLeaderElector(options: LeaderElectionOptions): LeaderElector {
  return new LeaseElector(options);
}

class LeaseElector implements LeaderElector {
  readonly identity: string;
  readonly #options: LeaderElectionOptions;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #logger: Logger;
  #sighting: LeaseSighting | undefined;
  /** Monotonic time before the last successful renewal was sent; undefined when not leading. */
  #renewedAt: number | undefined;

  constructor(options: LeaderElectionOptions) {
    this.identity = options.identity;
    this.#options = options;
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#logger = options.logger ?? silentLogger;
    if (this.#leaseDurationMs <= this.#renewDeadlineMs || this.#renewDeadlineMs <= this.#retryPeriodMs * 1.2)
      throw new ForesailError(
        'LEADER_ELECTION_INVALID',
        'terminal',
        'lease duration must be longer than the renew deadline, and that longer than 1.2 retry periods',
      );
  }

  get isLeading(): boolean {
    return this.#renewedAt !== undefined && this.#clock.monotonic() - this.#renewedAt < this.#renewDeadlineMs;
  }

  assertLeading(): void {
    if (this.isLeading) return;
    throw new ForesailError(
      'NOT_LEADING',
      'terminal',
      'this process does not hold the lease; nothing is written',
      {
        subject: this.#options.lease.name,
      },
    );
  }

  async run(signal: AbortSignal): Promise<'released' | 'lost'> {
    if (!(await this.#acquire(signal))) return 'released';
    const term = new AbortController();
    this.#logger.info('leading', { lease: this.#options.lease.name, identity: this.identity });
    this.#options.observer?.leading?.({ lease: this.#options.lease.name, leading: true });
    this.#options.onStartedLeading?.(term.signal);
    const lost = await this.#hold(signal);
    const held = this.isLeading;
    this.#renewedAt = undefined;
    term.abort(new ForesailError('NOT_LEADING', 'terminal', lost ?? 'shutting down'));
    this.#options.observer?.leading?.({ lease: this.#options.lease.name, leading: false });
    if (lost !== undefined) {
      this.#logger.error('leadership lost', { lease: this.#options.lease.name, reason: lost });
      this.#options.onLost?.(lost);
      return 'lost';
    }
    if (held) await this.#release();
    return 'released';
  }

  async #acquire(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      try {
        if (await this.#tryAcquire(signal)) return true;
      } catch (error) {
        if (signal.aborted) break;
        this.#logger.warn('cannot campaign for the lease', { ...this.#keys(error) });
      }
      await this.#pause(this.#retryPeriodMs * (1 + 0.2 * this.#random()), signal);
    }
    return false;
  }

  async #tryAcquire(signal: AbortSignal): Promise<boolean> {
    const { client, lease: key } = this.#options;
    let lease: Lease;
    try {
      lease = await this.#call((limited) => client.get<Lease>(LEASES, key, limited), signal);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return this.#create(signal);
    }
    this.#sighting = sight(this.#sighting, lease, this.#clock.monotonic());
    if (!isFree(this.#sighting, this.identity, this.#leaseDurationMs, this.#clock.monotonic())) return false;
    return this.#write(lease, signal);
  }

  /** A lease that somebody deleted while we watched its holder is not free before that holder's time is over. */
  async #create(signal: AbortSignal): Promise<boolean> {
    const { client, lease: key } = this.#options;
    const startedAt = this.#clock.monotonic();
    if (
      this.#renewedAt === undefined &&
      this.#sighting !== undefined &&
      !isFree(this.#sighting, this.identity, this.#leaseDurationMs, startedAt)
    )
      return false;
    const wanted = newLease(key, this.identity, this.#leaseDurationMs, this.#clock.now());
    try {
      const made = await this.#call((limited) => client.create(LEASES, wanted, limited), signal);
      this.#won(made, startedAt);
      return true;
    } catch (error) {
      if (isAlreadyExists(error)) return false;
      throw error;
    }
  }

  async #write(lease: Lease, signal: AbortSignal): Promise<boolean> {
    const startedAt = this.#clock.monotonic();
    const wanted = heldBy(lease, this.identity, this.#leaseDurationMs, this.#clock.now());
    try {
      const written = await this.#call(
        (limited) => this.#options.client.update(LEASES, wanted, limited),
        signal,
      );
      this.#won(written, startedAt);
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  }

  #won(lease: Lease, startedAt: number): void {
    this.#renewedAt = startedAt;
    this.#sighting = { lease, changedAt: this.#clock.monotonic() };
  }

  /** Renews until the signal aborts (undefined) or leadership is lost (the reason). */
  async #hold(signal: AbortSignal): Promise<string | undefined> {
    for (;;) {
      await this.#pause(Math.min(this.#retryPeriodMs, this.#leftMs()), signal);
      if (signal.aborted) return undefined;
      if (!this.isLeading) return 'not renewed before the deadline';
      const deadline = new AbortController();
      const cancel = this.#clock.after(this.#leftMs(), () => deadline.abort(new Error('renew deadline')));
      try {
        const thief = await this.#renew(AbortSignal.any([signal, deadline.signal]));
        // An answer that came after the deadline counts for nothing: others may have seen us silent.
        if (thief !== undefined) return thief;
      } catch (error) {
        if (signal.aborted) return undefined;
        this.#logger.warn('cannot renew the lease', {
          ...this.#keys(error),
          leftMs: Math.round(this.#leftMs()),
        });
      } finally {
        cancel();
      }
    }
  }

  /** Returns why the lease is no longer ours, or undefined when it was renewed; throws when it cannot be known. */
  async #renew(signal: AbortSignal): Promise<string | undefined> {
    const { client, lease: key } = this.#options;
    const startedAt = this.#clock.monotonic();
    try {
      if (await this.#renewKnown(startedAt, signal)) return undefined;
      const lease = await this.#call((limited) => client.get<Lease>(LEASES, key, limited), signal);
      const holder = holderOf(lease);
      if (holder !== this.identity) return `the lease is held by ${holder === '' ? 'nobody' : `"${holder}"`}`;
      this.#sighting = { lease, changedAt: this.#clock.monotonic() };
      await this.#renewKnown(startedAt, signal);
      return undefined;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      // Deleted under our feet. If we are the first to notice, it is ours again; else its new holder shows next time.
      await this.#create(signal);
      return undefined;
    }
  }

  /** False when somebody else has written the lease since. */
  async #renewKnown(startedAt: number, signal: AbortSignal): Promise<boolean> {
    const wanted = heldBy(this.#sighting!.lease, this.identity, this.#leaseDurationMs, this.#clock.now());
    try {
      const written = await this.#call(
        (limited) => this.#options.client.update(LEASES, wanted, limited),
        signal,
      );
      if (this.isLeading) this.#won(written, startedAt);
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  }

  async #release(): Promise<void> {
    const deadline = new AbortController();
    const cancel = this.#clock.after(RELEASE_DEADLINE_MS, () =>
      deadline.abort(new Error('release deadline')),
    );
    try {
      await this.#giveBack(this.#sighting!.lease, deadline.signal);
      this.#logger.info('lease released', { lease: this.#options.lease.name });
    } catch (error) {
      this.#logger.warn('cannot release the lease', { ...this.#keys(error) });
    } finally {
      cancel();
    }
  }

  /** A renewal that was under way at shutdown may have landed after all: then the lease has moved on, and is still ours. */
  async #giveBack(lease: Lease, signal: AbortSignal): Promise<void> {
    const { client, lease: key } = this.#options;
    try {
      await client.update(LEASES, released(lease, this.#clock.now()), signal);
    } catch (error) {
      if (!isConflict(error)) throw error;
      const current = await client.get<Lease>(LEASES, key, signal);
      if (holderOf(current) === this.identity)
        await client.update(LEASES, released(current, this.#clock.now()), signal);
    }
  }

  /** One request may not use up the whole renew deadline: a second one, on a fresh connection, must fit in. */
  async #call<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const limitMs = Math.max(this.#renewDeadlineMs * 0.4, this.#retryPeriodMs);
    const deadline = new AbortController();
    const cancel = this.#clock.after(limitMs, () =>
      deadline.abort(new ForesailError('KUBE_TIMEOUT', 'transient', `no answer within ${limitMs} ms`)),
    );
    try {
      return await work(AbortSignal.any([signal, deadline.signal]));
    } finally {
      cancel();
    }
  }

  #leftMs(): number {
    const since = this.#renewedAt ?? Number.NEGATIVE_INFINITY;
    return Math.max(0, since + this.#renewDeadlineMs - this.#clock.monotonic());
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#clock.sleep(ms, signal);
    } catch {
      // Aborted: the caller looks at the signal.
    }
  }

  #keys(error: unknown): Record<string, unknown> {
    return {
      lease: this.#options.lease.name,
      code: isForesailError(error) ? error.code : 'UNEXPECTED',
      error: messageOf(error),
    };
  }
}
