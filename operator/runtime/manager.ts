/**
 * Starts and stops the parts in the only order that is safe. Up: caches, then leadership, then controllers, so that no
 * decision is made on half a cache. Down: controllers first, then the lease, then the caches, so that nobody else
 * leads while something of ours still writes.
 */
import { type Clock, systemClock } from '../clock.ts';
import { ForesailError, messageOf } from '../errors.ts';
import { abortable } from '../kube/abortable.ts';
import { type Logger, silentLogger } from '../logger.ts';
import type { Controller, Informer, KubeObject, LeaderElector, Manager, Runnable } from './types.ts';

export interface ManagerOptions {
  /** Makes the elector around the manager's own hooks; absent: this process leads from the start. */
  readonly elector?: (hooks: {
    readonly onStartedLeading: (signal: AbortSignal) => void;
    readonly onLost: (reason: string) => void;
  }) => LeaderElector;
  /** How long controllers and runnables may take to end, default 20 s. */
  readonly shutdownMs?: number;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

export function createManager(options: ManagerOptions = {}): Manager {
  return new OrderedManager(options);
}

class OrderedManager implements Manager {
  readonly #options: ManagerOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #informers: Pick<Informer<KubeObject>, 'name' | 'run' | 'waitForSync' | 'hasSynced'>[] = [];
  readonly #everywhere: Runnable[] = [];
  readonly #leaderOnly: Runnable[] = [];
  readonly #elector: LeaderElector | undefined;
  readonly #leading = Promise.withResolvers<AbortSignal>();
  readonly #failed = Promise.withResolvers<never>();
  #started = false;

  constructor(options: ManagerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#failed.promise.catch(() => undefined);
    this.#elector = options.elector?.({
      onStartedLeading: (signal) => this.#leading.resolve(signal),
      onLost: (reason) =>
        this.#failed.reject(new ForesailError('LEADERSHIP_LOST', 'terminal', `leadership lost: ${reason}`)),
    });
  }

  get cachesSynced(): boolean {
    return this.#informers.every((informer) => informer.hasSynced);
  }

  get isLeader(): boolean {
    return this.#elector === undefined ? this.#started : this.#elector.isLeading;
  }

  addInformer<T extends KubeObject>(informer: Informer<T>): Informer<T> {
    this.#assertNotStarted();
    this.#informers.push(informer);
    return informer;
  }

  addController(controller: Controller): void {
    this.addRunnable(controller, { leaderOnly: true });
  }

  addRunnable(runnable: Runnable, options: { readonly leaderOnly?: boolean } = {}): void {
    this.#assertNotStarted();
    (options.leaderOnly === true ? this.#leaderOnly : this.#everywhere).push(runnable);
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#assertNotStarted();
    this.#started = true;
    // One signal per step of the way down.
    const controllers = new AbortController();
    const lease = new AbortController();
    const rest = new AbortController();
    const everywhere = [...this.#informers, ...this.#everywhere].map((each) =>
      this.#guard(each, rest.signal),
    );
    let leaderOnly: Promise<void>[] = [];
    let election: Promise<unknown> = Promise.resolve();
    try {
      const up = (async () => {
        await Promise.all(this.#informers.map((informer) => informer.waitForSync(rest.signal)));
        this.#logger.info('caches synced', { informers: this.#informers.length });
        let term = lease.signal;
        if (this.#elector !== undefined) {
          election = this.#elector.run(lease.signal);
          term = await this.#leading.promise;
        }
        const both = AbortSignal.any([controllers.signal, term]);
        leaderOnly = this.#leaderOnly.map((each) => this.#guard(each, both));
      })();
      await abortable(Promise.race([Promise.all([up, aborted(signal)]), this.#failed.promise]), signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      controllers.abort(signal.reason);
      await this.#within('controllers', Promise.all(leaderOnly));
      lease.abort(signal.reason);
      await this.#within('lease', election);
      rest.abort(signal.reason);
      await this.#within('caches and servers', Promise.all(everywhere));
    }
  }

  /** A part that fails takes the manager down; the process's supervisor starts it afresh. */
  async #guard(part: Pick<Runnable, 'name' | 'run'>, signal: AbortSignal): Promise<void> {
    try {
      await part.run(signal);
      if (signal.aborted) return;
      throw new ForesailError('RUNNABLE_ENDED', 'terminal', `${part.name} ended by itself`, {
        subject: part.name,
      });
    } catch (error) {
      if (signal.aborted) return;
      this.#logger.error('part failed', { part: part.name, error: messageOf(error) });
      this.#failed.reject(error);
    }
  }

  async #within(what: string, work: Promise<unknown>): Promise<void> {
    const ms = this.#options.shutdownMs ?? 20_000;
    const late = Promise.withResolvers<'late'>();
    const cancel = this.#clock.after(ms, () => late.resolve('late'));
    const outcome = await Promise.race([work.catch(() => undefined), late.promise]);
    cancel();
    if (outcome === 'late')
      this.#logger.error('shutdown goes on without waiting', { for: what, afterMs: ms });
  }

  #assertNotStarted(): void {
    if (this.#started)
      throw new ForesailError('MANAGER_STARTED', 'terminal', 'the manager has already started');
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
