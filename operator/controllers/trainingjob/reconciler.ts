/**
 * Brings one TrainingJob towards a trained model that has passed its gate. The phases are always the same: resolve,
 * observe, plan, act, report. The plan is pure (plan/); it either moves the run's state on, which is written and then
 * acted on in the next pass, or acts on what stands in status already.
 */
import { parseTrainingJob, type TrainingJob, type TrainingJobStatus } from '../../api/index.ts';
import type { Clock } from '../../clock.ts';
import { ForesailError, isForesailError, messageOf } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { TrainingMetrics } from '../../observability/training-metrics.ts';
import {
  type Client,
  type EventRecorder,
  isConflict,
  isNotFound,
  type KubeObject,
  keyOf,
  type Reconcile,
  type Result,
  type StatusWriter,
  type Store,
} from '../../runtime/index.ts';
import type { RunReports } from '../../training/types.ts';
import { reasonOf } from '../reason.ts';
import type { RunObjects } from './children.ts';
import { findIncumbent } from './incumbent.ts';
import { REF } from './informers.ts';
import type { Launcher } from './launcher.ts';
import type { TrainingSettings } from './objects/settings.ts';
import { type Caches, observe } from './observe.ts';
import { decide } from './plan/decide.ts';
import type { Action, Now, Observed, Plan, RunState } from './plan/types.ts';
import { type Registrar, sourceOf } from './registrar.ts';
import { type Refusal, type Resolved, resolveRun, runSettings } from './resolve.ts';
import { sampleOf } from './sample.ts';
import type { Scheduler } from './schedule/scheduler.ts';
import { causeName, stateOf } from './state.ts';
import { eventTarget, mergeConditions, runStatus } from './status.ts';
import { reported } from './told.ts';

export interface ReconcilerOptions {
  readonly objects: Pick<Store<KubeObject>, 'get'>;
  readonly runtimes: Pick<Store<KubeObject>, 'get'>;
  readonly caches: Caches;
  readonly reports: RunReports;
  readonly launcher: Launcher;
  readonly children: RunObjects;
  readonly registrar: Registrar;
  readonly scheduler: Scheduler;
  readonly reader: Pick<Client, 'get'>;
  readonly statusWriter: StatusWriter;
  readonly events: EventRecorder;
  readonly metrics: TrainingMetrics;
  readonly settings: TrainingSettings;
  readonly clock: Clock;
  readonly log: Logger;
}

const RETRY_TERMINAL_MS = 60_000;
/** What a gate is against may come without an event of ours. */
const REFUSED_AGAIN_MS = 30_000;

/** What keeps an action from being done; it is said, and tried again when something has changed. */
class Refused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

export function createReconcile(options: ReconcilerOptions): Reconcile {
  const pass = new Pass(options);
  return (key, signal) => pass.run(key, signal);
}

class Pass {
  readonly #o: ReconcilerOptions;
  /** When this process first saw the attempt that is under way, by uid. */
  readonly #watched = new Map<string, { readonly attempt: number; readonly sinceMs: number }>();
  readonly #uids = new Map<string, string>();

  constructor(options: ReconcilerOptions) {
    this.#o = options;
  }

  async run(key: string, signal: AbortSignal): Promise<Result> {
    const stored = this.#o.objects.get(key);
    // Owner references take the children along.
    if (stored === undefined || stored.metadata.deletionTimestamp !== undefined) {
      this.#forget(key);
      return {};
    }
    this.#uids.set(key, stored.metadata.uid ?? '');
    const object = await this.#parse(stored, signal);
    if (object === undefined) return {};
    if (object.spec.schedule !== undefined || object.spec.triggers !== undefined)
      return this.#o.scheduler.reconcile(object, signal);
    return this.#train(object, signal);
  }

  async #train(object: TrainingJob, signal: AbortSignal): Promise<Result> {
    const { settings: rules, runtimes, clock, caches } = this.#o;
    const resolved = resolveRun(object, runtimes.get(object.spec.runtimeRef.name), rules);
    const state = stateOf(object.status);
    const nowMs = clock.now();
    const seen = observe(object, caches);
    const report = (made: { readonly state: RunState; readonly now: Now }) =>
      this.#write(object, runStatus({ object, ...made, seen, gpu: gpuOf(resolved), nowMs }), signal);
    const plan = decide(this.#observed(object, resolved, state, seen, nowMs));
    let made = plan.state;
    let { now } = plan;
    let again = plan.requeueAfterMs;
    let failure: unknown;
    try {
      // oxlint-disable-next-line no-await-in-loop -- one after the other: a failure stops what comes later
      for (const action of plan.actions)
        made = await this.#do(action, { object, resolved, state: made }, signal);
    } catch (error) {
      if (error instanceof Refused) {
        now = { phase: now.phase, ...error.refusal };
        again = REFUSED_AGAIN_MS;
      } else {
        failure = error;
        // A newer version is on its way: what was planned on the old one is not published.
        if (signal.aborted || isConflict(error) || isForesailError(error, 'CACHE_BEHIND')) throw error;
        this.#o.log.warn('reconcile ended early', { trainingJob: keyOf(object as KubeObject), error });
        now = { phase: now.phase, reason: reasonOf(error), message: messageOf(error) };
      }
    }
    if (await report({ state: made, now })) this.#tell(object, { ...plan, state: made, now });
    if (failure === undefined) return again === undefined ? {} : { requeueAfterMs: again };
    // Rights, quotas and names are given back without an event of ours.
    if (isForesailError(failure) && failure.retry === 'terminal')
      return { requeueAfterMs: RETRY_TERMINAL_MS };
    throw failure;
  }

  #observed(
    object: TrainingJob,
    resolved: Resolved,
    state: RunState,
    seen: ReturnType<typeof observe>,
    nowMs: number,
  ): Observed {
    const { reports, launcher, settings } = this.#o;
    const { uid = '' } = object.metadata;
    const attempt = state.attempt?.number ?? 0;
    const said = reports.latest(uid, attempt);
    return {
      settings: runSettings(object, resolved, settings),
      state,
      ...seen,
      said: said === undefined ? {} : reported(said),
      lastReason: object.status?.conditions?.find(({ type }) => type === 'Progressing')?.reason,
      watchedSinceMs: this.#watchedSince(uid, attempt, nowMs),
      holdsToken: launcher.holds(uid, attempt),
      nowMs,
    };
  }

  async #do(
    action: Action,
    { object, resolved, state }: { object: TrainingJob; resolved: Resolved; state: RunState },
    signal: AbortSignal,
  ): Promise<RunState> {
    const { children, launcher, registrar, settings, reader, clock } = this.#o;
    switch (action.kind) {
      case 'launch': {
        const { runtime } = allowed(resolved);
        await launcher.launch({ run: object, runtime, attempt: action.attempt, settings }, signal);
        return state;
      }
      case 'startGate': {
        const { runtime } = allowed(resolved);
        const found = await findIncumbent(object, reader, registrar, settings, signal);
        if ('refusal' in found) throw new Refused(found.refusal);
        await children.startGate({ run: object, runtime, incumbent: found.incumbent, settings }, signal);
        return state;
      }
      case 'register': {
        const { output } = object.spec;
        if (output === undefined) return state;
        const { published } = action;
        const source = sourceOf(object, state, published);
        const version = await registrar.register(object.metadata.namespace, output, source, signal);
        const { registry, alias } = output;
        return { ...state, produced: { registry, version, alias, ...published, atMs: clock.now() } };
      }
      case 'deleteAttempt':
        await children.deleteAttempt(object, action.number, signal);
        return state;
      case 'deletePod':
        await children.deletePod(object, action.name, action.graceMs, signal);
        return state;
      case 'deleteGate':
        await children.deleteGate(object, signal);
        return state;
      case 'deleteRun':
        await children.deleteRun(object, signal);
        return state;
    }
  }

  /** @returns whether the object is still there to be told of */
  async #write(object: TrainingJob, status: TrainingJobStatus, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#o.statusWriter.write(REF, object as KubeObject & { status?: object }, status, signal);
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  /** Told when it is written: a plan that came to nothing happened to nobody. */
  #tell(object: TrainingJob, { state, now, events }: Plan): void {
    const { namespace, name } = object.metadata;
    const before = stateOf(object.status);
    this.#o.metrics.observe(sampleOf({ namespace, name, phase: now.phase }, before, state, causeName));
    for (const { type, reason, message } of events)
      this.#o.events.event(eventTarget(object), type, reason, message);
    if (state.outcome !== undefined) this.#o.reports.forget(object.metadata.uid ?? '');
  }

  /** An object that cannot be understood costs itself alone; only a new spec can change that. */
  async #parse(
    stored: KubeObject & { status?: object },
    signal: AbortSignal,
  ): Promise<TrainingJob | undefined> {
    let object: TrainingJob;
    try {
      object = parseTrainingJob(stored);
    } catch (error) {
      if (!isForesailError(error, 'SPEC_INVALID')) throw error;
      const raw = { ...stored, spec: {} } as unknown as TrainingJob;
      const conditions = mergeConditions(
        raw,
        [{ type: 'Progressing', status: 'False', reason: 'InvalidSpec', message: error.message }],
        this.#o.clock.now(),
      );
      await this.#write(raw, { ...raw.status, conditions }, signal);
      return undefined;
    }
    // The status is the run's memory. Without it attempt 1 would begin again, beside a later one.
    if (stored.status !== undefined && object.status === undefined)
      throw new ForesailError(
        'STATUS_UNREADABLE',
        'terminal',
        `the status of ${keyOf(stored)} cannot be read`,
      );
    return object;
  }

  #watchedSince(uid: string, attempt: number, nowMs: number): number {
    const known = this.#watched.get(uid);
    if (known?.attempt === attempt) return known.sinceMs;
    this.#watched.set(uid, { attempt, sinceMs: nowMs });
    return nowMs;
  }

  #forget(key: string): void {
    const [namespace = '', name = ''] = key.split('/');
    this.#o.metrics.forget(namespace, name);
    const uid = this.#uids.get(key);
    if (uid === undefined) return;
    this.#uids.delete(key);
    this.#watched.delete(uid);
    this.#o.launcher.forget(uid);
    this.#o.reports.forget(uid);
  }
}

function gpuOf(resolved: Resolved): boolean {
  return 'gpu' in resolved && resolved.gpu;
}

function allowed(resolved: Resolved): Extract<Resolved, { readonly gpu: boolean }> {
  if ('refusal' in resolved) throw new Refused(resolved.refusal);
  return resolved;
}
