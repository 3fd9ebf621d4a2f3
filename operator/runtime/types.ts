/**
 * The runtime's public interfaces: what a controller is written against. It mirrors controller-runtime where the
 * two languages allow it, so that an engineer who knows one can read the other.
 */
import type { Informer, KubeObject, ResourceRef } from '../kube/types.ts';

export type {
  ApiReader,
  Client,
  DeleteOptions,
  Discovery,
  Informer,
  InformerHandler,
  KubeList,
  KubeObject,
  ListOptions,
  ObjectKey,
  ObjectMeta,
  OwnerReference,
  Reader,
  ResourceInfo,
  ResourceRef,
  Scale,
  Store,
  SubjectAccessReviewSpec,
  TokenReviewStatus,
  WriteOptions,
  Writer,
} from '../kube/types.ts';

export interface Result {
  /** Come back after this long. A successful reconcile without it waits for the next event. */
  readonly requeueAfterMs?: number;
}

/**
 * Brings one object to its wished state. It is level-triggered: the key says what to look at, not what happened.
 * A thrown error is retried with per-key backoff (5 ms at first) unless it is a ForesailError of class terminal;
 * class conflict is retried likewise but is not logged as an error. The signal aborts at the reconcile deadline and at shutdown.
 */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<Result>;

/** Feeds a controller: calls `enqueue` with keys until the signal aborts. */
export interface Source {
  start(enqueue: (key: string) => void, signal: AbortSignal): void;
}

/** Anything with a life: it starts with `run` and ends when the signal aborts. */
export interface Runnable {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
}

export interface Controller extends Runnable {
  /** Keys waiting, not counting those in work or delayed. */
  readonly depth: number;
  enqueue(key: string): void;
}

export interface Manager {
  /** A cache that must have synced before any controller starts. Runs on every replica. */
  addInformer<T extends KubeObject>(informer: Informer<T>): Informer<T>;
  /** Runs on the leader only, after the caches have synced. */
  addController(controller: Controller): void;
  /** Runs on every replica (servers, readers), or on the leader only. */
  addRunnable(runnable: Runnable, options?: { readonly leaderOnly?: boolean }): void;
  readonly cachesSynced: boolean;
  readonly isLeader: boolean;
  /** Resolves after a graceful shutdown; rejects when a runnable failed or leadership was lost. */
  run(signal: AbortSignal): Promise<void>;
}

/** Says whether this process may still write. Checked before each write, on the monotonic clock. */
export interface Fence {
  readonly isLeading: boolean;
  /** Throws NOT_LEADING (terminal) when the lease is lost or can no longer be known to be ours. */
  assertLeading(): void;
}

export interface LeaderElector extends Fence {
  readonly identity: string;
  /**
   * Campaigns until leadership, calls `onStartedLeading` with a signal that aborts when leadership ends, and
   * resolves when the signal aborts (the lease is then released) or leadership was lost.
   */
  run(signal: AbortSignal): Promise<'released' | 'lost'>;
}

export type EventType = 'Normal' | 'Warning';

export interface EventTarget {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid?: string };
}

export interface EventRecorder {
  /**
   * Tells the user something about an object. Never throws and never waits. The same reason on the same object
   * counts up one Event instead of making new ones.
   */
  event(
    regarding: EventTarget,
    type: EventType,
    reason: string,
    message: string,
    annotations?: Readonly<Record<string, string>>,
  ): void;
  /** Sends what is pending; called at shutdown. */
  flush(signal: AbortSignal): Promise<void>;
}

/** metav1.Condition. */
export interface StatusCondition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

export interface StatusWriter {
  /**
   * Writes the difference between the status that the object carries and `next` in one merge patch, or nothing when
   * they differ in no more than timestamps. Returns the object as the server has it, or undefined if nothing was sent.
   */
  write<T extends KubeObject & { readonly status?: object }>(
    ref: ResourceRef,
    object: T,
    next: object,
    signal: AbortSignal,
  ): Promise<T | undefined>;
}

export type ReconcileOutcome = 'success' | 'requeue_after' | 'error' | 'conflict' | 'terminal' | 'timeout';

/** Hooks for metrics; every method is optional and must not throw. */
export interface RuntimeObserver {
  request?(event: { verb: string; resource: string; code: string; durationMs: number }): void;
  throttled?(event: { resource: string; waitedMs: number; by: 'client' | 'server' }): void;
  informerSynced?(event: { informer: string; objects: number; durationMs: number }): void;
  informerRestarted?(event: { informer: string; reason: string; relist: boolean }): void;
  informerGarbage?(event: { informer: string; reason: string }): void;
  queueAdded?(event: { queue: string; depth: number }): void;
  queueTaken?(event: { queue: string; depth: number; waitedMs: number }): void;
  queueRetried?(event: { queue: string; attempts: number }): void;
  reconciled?(event: {
    controller: string;
    outcome: ReconcileOutcome;
    durationMs: number;
    error?: unknown;
    key: string;
  }): void;
  leading?(event: { lease: string; leading: boolean }): void;
  eventDropped?(event: { reason: string; why: string }): void;
}
