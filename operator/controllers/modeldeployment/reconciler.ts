/**
 * Brings one ModelDeployment towards the version that it asks for. The phases are always the same: admit, resolve,
 * observe, plan, act, report. The plan is pure (operator/rollout); whatever phase ends it early, the status is written
 * at the end, once, and says where it ended.
 *
 * Pods are ordered before weight is published and taken away only after it was: each pass acts on the traffic that the
 * pass before it wrote, and before it takes a pod it makes sure that nobody wrote another since.
 */
import {
  API_VERSION,
  MODEL_DEPLOYMENT,
  type ModelDeployment,
  type ModelDeploymentStatus,
  parseModelDeployment,
} from '../../api/index.ts';
import type { Clock } from '../../clock.ts';
import { ForesailError, isForesailError, messageOf } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { RolloutMetrics } from '../../observability/rollout-metrics.ts';
import { comparedIn } from '../../rollout/compared.ts';
import { planRollout } from '../../rollout/plan.ts';
import { judgementInForce, readyCondition } from '../../rollout/report.ts';
import type { RolloutInput, RolloutPlan, RolloutSettings } from '../../rollout/types.ts';
import {
  type EventRecorder,
  type EventTarget,
  isConflict,
  isNotFound,
  type KubeObject,
  keyOf,
  type NewCondition,
  type Reader,
  type Reconcile,
  type Result,
  type StatusWriter,
  type Store,
} from '../../runtime/index.ts';
import { reasonOf } from '../reason.ts';
import type { ChildWriter } from './children.ts';
import type { RouteWriter } from './gateway.ts';
import type { FullJudgement, Judge } from './judge.ts';
import { sampleOf } from './progress.ts';
import type { Registries } from './registry.ts';
import { type Admission, refusalOf, resolveModel, toldOf } from './resolve.ts';
import { settingsOf } from './settings.ts';
import { stateOf } from './state.ts';
import { buildStatus, REF } from './status.ts';

export interface ReconcilerOptions {
  readonly objects: Pick<Store<KubeObject>, 'get'>;
  readonly children: ChildWriter;
  readonly reader: Pick<Reader, 'get'>;
  readonly statusWriter: StatusWriter;
  readonly events: EventRecorder;
  /** Absent: an analysis is held until a person lets it go on. */
  readonly judge?: Judge | undefined;
  readonly metrics: RolloutMetrics;
  readonly admission: Admission;
  readonly registries: Registries;
  readonly routes: RouteWriter;
  /** False while no image is configured: nothing can be served. */
  readonly hasImage: boolean;
  readonly drainMs: number;
  /** Between two looks at the judge while something is judged. */
  readonly judgePeriodMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** One pass over one object: what the phases have found out so far. */
interface Scope {
  readonly key: string;
  readonly object: ModelDeployment;
  readonly nowMs: number;
  readonly conditions: NewCondition[];
  settings?: RolloutSettings;
  plan?: RolloutPlan;
  judgement?: FullJudgement | undefined;
  resolved?: ModelDeploymentStatus['resolved'];
  lookAgainMs?: number;
}

const RETRY_TERMINAL_MS = 60_000;

/** Ends the pass early without an error: the conditions say why. */
class Ended extends Error {}

export function createReconcile(options: ReconcilerOptions): Reconcile {
  const pass = new Pass(options);
  return (key, signal) => pass.run(key, signal);
}

class Pass {
  readonly #o: ReconcilerOptions;

  constructor(options: ReconcilerOptions) {
    this.#o = options;
  }

  async run(key: string, signal: AbortSignal): Promise<Result> {
    const stored = this.#o.objects.get(key);
    // Owner references take the children along.
    if (stored === undefined || stored.metadata.deletionTimestamp !== undefined) {
      const [namespace = '', name = ''] = key.split('/');
      this.#o.metrics.forget(namespace, name);
      return {};
    }
    const object = await this.#parse(stored, signal);
    if (object === undefined) return {};
    const scope: Scope = { key, object, nowMs: this.#o.clock.now(), conditions: [] };
    let failure: unknown;
    try {
      await this.#phases(scope, signal);
    } catch (error) {
      if (!(error instanceof Ended)) failure = error;
    }
    await this.#report(scope, failure, signal);
    if (failure === undefined) return this.#next(scope);
    // Rights, quotas and names are given back without an event of ours.
    if (isForesailError(failure) && failure.retry === 'terminal')
      return { requeueAfterMs: RETRY_TERMINAL_MS };
    throw failure;
  }

  async #phases(scope: Scope, signal: AbortSignal): Promise<void> {
    this.#admit(scope);
    this.#plan(scope);
    await this.#route(scope, signal);
    await this.#act(scope, signal);
  }

  /** An object that cannot be understood costs itself alone; only a new spec can change that. */
  async #parse(
    stored: KubeObject & { status?: object },
    signal: AbortSignal,
  ): Promise<ModelDeployment | undefined> {
    let object: ModelDeployment;
    try {
      object = parseModelDeployment(stored);
    } catch (error) {
      if (!isForesailError(error, 'SPEC_INVALID')) throw error;
      const before = (stored.status ?? {}) as ModelDeploymentStatus;
      const raw = { ...stored, spec: {}, status: before } as unknown as ModelDeployment;
      const conditions = [notReady('InvalidSpec', error.message)];
      const status = buildStatus({ ...NOTHING_SEEN, object: raw, conditions, nowMs: this.#o.clock.now() });
      await this.#o.statusWriter.write(REF, stored, status, signal);
      return undefined;
    }
    // The status is the rollout's memory. Without it version 1 would begin again, over the pods of another version 1.
    if (stored.status !== undefined && object.status === undefined)
      throw new ForesailError(
        'STATUS_UNREADABLE',
        'terminal',
        `the status of ${keyOf(stored)} cannot be read`,
      );
    return object;
  }

  #admit({ object, conditions }: Scope): void {
    const refusal = refusalOf(object.metadata.namespace, object.spec, this.#o.admission);
    if (refusal !== undefined) {
      conditions.push(notReady(refusal.reason, refusal.message));
      throw new Ended();
    }
    if (this.#o.hasImage) return;
    conditions.push(
      notReady('ServerImageNotConfigured', 'modelServing.image of the configuration is not set'),
    );
    throw new Ended();
  }

  #plan(scope: Scope): void {
    const { key, object, nowMs, conditions } = scope;
    const { admission, registries } = this.#o;
    const resolved = resolveModel(object.metadata.namespace, object.spec, registries, admission);
    const told = toldOf(resolved);
    scope.resolved = told.resolved;
    const state = stateOf(object.status);
    scope.settings = settingsOf(object.spec, this.#o.drainMs);
    scope.judgement = this.#judgement(object, state);
    const input: RolloutInput = {
      settings: scope.settings,
      wanted: 'source' in resolved ? resolved.source : undefined,
      state,
      pods: this.#o.children.podsOf(key),
      judge: this.#o.judge === undefined ? 'none' : scope.judgement,
      nowMs,
    };
    scope.plan = planRollout(input);
    conditions.push(told.condition, ...scope.plan.conditions);
    // Of a version that went with this very plan nothing is shown.
    if (judgementInForce(scope.plan.state, input.judge) === undefined) scope.judgement = undefined;
  }

  #judgement(object: ModelDeployment, state: RolloutInput['state']): FullJudgement | undefined {
    const pair = comparedIn(state);
    return pair && this.#o.judge?.judgementOf({ object, ...pair });
  }

  /** Where gateways split the traffic, what is published follows them: nobody that they may send to loses its pods. */
  async #route(scope: Scope, signal: AbortSignal): Promise<void> {
    const { object, plan, conditions } = scope;
    if (plan === undefined || object.spec.route === undefined) return;
    const published = stateOf(object.status).traffic;
    const routed = await this.#o.routes.write(object, plan.state.traffic, published, signal);
    const { traffic } = routed;
    scope.plan = { ...plan, state: { ...plan.state, traffic } };
    scope.lookAgainMs = routed.lookAgainMs;
    const unrouted = traffic.length === 0 && plan.state.traffic.length > 0;
    const ready = unrouted ? notReady('NotRouted', routed.condition.message) : readyCondition({ traffic });
    conditions.splice(
      conditions.findIndex(({ type }) => type === 'Ready'),
      1,
      ready,
    );
    conditions.push(routed.condition);
  }

  async #act({ object, plan }: Scope, signal: AbortSignal): Promise<void> {
    if (plan === undefined) return;
    await this.#o.children.apply(object, plan.versions, () => this.#assertNewest(object, signal), signal);
  }

  /** A cache that is behind knows of old weights: pods of a version that has got some since must not be taken away. */
  async #assertNewest(object: ModelDeployment, signal: AbortSignal): Promise<void> {
    const { namespace, name, resourceVersion } = object.metadata;
    const newest = await this.#o.reader.get(REF, { namespace, name }, signal).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
    if (newest?.metadata.resourceVersion === resourceVersion) return;
    throw new ForesailError('CACHE_BEHIND', 'conflict', 'the object has changed since it was cached');
  }

  async #report(scope: Scope, failure: unknown, signal: AbortSignal): Promise<void> {
    const { key, object, conditions, plan, settings, judgement, nowMs } = scope;
    if (failure !== undefined) {
      // A newer version is on its way: what was planned on the old one is not published.
      if (signal.aborted || isConflict(failure) || isForesailError(failure, 'CACHE_BEHIND')) return;
      this.#o.log.warn('reconcile ended early', { modelDeployment: key, error: failure });
      // What serves goes on serving: only the way on is barred.
      const [reason, message] = [reasonOf(failure), messageOf(failure)];
      conditions.splice(0, conditions.length, { type: 'Progressing', status: 'False', reason, message });
    }
    const { children } = this.#o;
    const made = failure === undefined;
    const status = buildStatus({
      object,
      plan: made ? plan : undefined,
      settings,
      pods: children.podsOf(key),
      replicas: children.replicasOf(key),
      judgement,
      resolved: scope.resolved,
      conditions,
      nowMs,
    });
    try {
      await this.#o.statusWriter.write(REF, object as KubeObject & { status?: object }, status, signal);
    } catch (error) {
      // Deleted in the meantime: there is nobody to tell.
      if (isNotFound(error)) return;
      throw error;
    }
    // Told when it is written: a plan that came to nothing happened to nobody.
    if (!made || plan === undefined || settings === undefined) return;
    const { namespace, name } = object.metadata;
    const before = stateOf(object.status);
    this.#o.metrics.observe(sampleOf({ namespace, name, before, plan, settings, status, nowMs }));
    for (const { type, reason, message } of plan.events)
      this.#o.events.event(eventTarget(object), type, reason, message);
  }

  #next({ plan, lookAgainMs }: Scope): Result {
    const { judge, judgePeriodMs } = this.#o;
    const times = [plan?.requeueAfterMs, lookAgainMs].filter((time) => time !== undefined);
    const judged = plan?.conditions.some(({ type }) => type === 'Judged') === true;
    if (judge !== undefined && judged) times.push(judgePeriodMs);
    return times.length === 0 ? {} : { requeueAfterMs: Math.min(...times) };
  }
}

const NOTHING_SEEN = {
  plan: undefined,
  settings: undefined,
  pods: new Map(),
  replicas: new Map(),
  judgement: undefined,
  resolved: undefined,
};

function notReady(reason: string, message: string): NewCondition {
  return { type: 'Ready', status: 'False', reason, message };
}

function eventTarget({ metadata }: ModelDeployment): EventTarget {
  const { name, namespace, uid = '' } = metadata;
  return { apiVersion: API_VERSION, kind: MODEL_DEPLOYMENT.kind, metadata: { name, namespace, uid } };
}
