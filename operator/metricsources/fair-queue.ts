/**
 * Who may ask a source next. A source answers a few queries at once; the rest wait here, namespaces in turn, so that
 * a tenant with a thousand slow queries delays his own and nobody else's.
 */
import { ReadError } from './read-error.ts';

export interface FairQueueLimits {
  /** Queries under way at once. */
  readonly concurrent: number;
  /** Of these, at most so many of one namespace. */
  readonly concurrentPerNamespace: number;
  /** Waiting queries, all namespaces and one namespace. More are refused with `Overloaded`. */
  readonly queued: number;
  readonly queuedPerNamespace: number;
}

interface Tenant {
  running: number;
  readonly waiting: Set<() => void>;
}

export class FairQueue {
  readonly #limits: FairQueueLimits;
  /** In turn: the namespace that was served last stands last. */
  readonly #tenants = new Map<string, Tenant>();
  #running = 0;
  #queued = 0;

  constructor(limits: FairQueueLimits) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#queued;
  }

  async run<T>(namespace: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#enter(namespace, signal);
    try {
      return await work();
    } finally {
      this.#leave(namespace);
    }
  }

  #enter(namespace: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const tenant = this.#tenants.get(namespace) ?? { running: 0, waiting: new Set() };
    this.#tenants.set(namespace, tenant);
    if (this.#running < this.#limits.concurrent && tenant.running < this.#limits.concurrentPerNamespace) {
      this.#start(namespace, tenant);
      return Promise.resolve();
    }
    if (this.#queued >= this.#limits.queued || tenant.waiting.size >= this.#limits.queuedPerNamespace) {
      const whose = this.#queued >= this.#limits.queued ? 'all namespaces' : `namespace ${namespace}`;
      return Promise.reject(
        new ReadError('Overloaded', `too many queries of ${whose} are already waiting here`),
      );
    }
    return new Promise((resolve, reject) => {
      const go = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = () => {
        tenant.waiting.delete(go);
        this.#queued -= 1;
        this.#forgetIdle(namespace, tenant);
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      tenant.waiting.add(go);
      this.#queued += 1;
    });
  }

  #start(namespace: string, tenant: Tenant): void {
    this.#running += 1;
    tenant.running += 1;
    this.#tenants.delete(namespace);
    this.#tenants.set(namespace, tenant);
  }

  #leave(namespace: string): void {
    const tenant = this.#tenants.get(namespace);
    this.#running -= 1;
    if (tenant !== undefined) {
      tenant.running -= 1;
      this.#forgetIdle(namespace, tenant);
    }
    this.#next();
  }

  #next(): void {
    for (const [namespace, tenant] of this.#tenants) {
      if (this.#running >= this.#limits.concurrent) return;
      if (tenant.running >= this.#limits.concurrentPerNamespace) continue;
      const [go] = tenant.waiting;
      if (go === undefined) continue;
      tenant.waiting.delete(go);
      this.#queued -= 1;
      this.#start(namespace, tenant);
      go();
      return;
    }
  }

  #forgetIdle(namespace: string, tenant: Tenant): void {
    if (tenant.running === 0 && tenant.waiting.size === 0) this.#tenants.delete(namespace);
  }
}
