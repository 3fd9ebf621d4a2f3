/**
 * Brings one scaler's target to the replicas that its load asks for. The phases are always the same: plan, target,
 * rivals, observe, look ahead, decide, act, report. Whatever phase ends it early, the status is written at the end,
 * once, and says where it ended.
 */
import { API_VERSION, PREDICTIVE_SCALER } from '../../api/index.ts';
import type { Calendar, Clock } from '../../clock.ts';
import { failedGetScale, failedUpdateScale, succeededRescale } from '../../decision/conditions.ts';
import { decide } from '../../decision/decide.ts';
import { recordHold, recordScale } from '../../decision/memory.ts';
import { podView } from '../../decision/pod-view.ts';
import type {
  ConditionPlan,
  Decision,
  DecisionMemory,
  GuardsConfig,
  LoadWindow,
  ReactiveTuning,
} from '../../decision/types.ts';
import { formatDuration } from '../../duration.ts';
import { isForesailError, messageOf } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { MetricSource } from '../../metricsources/types.ts';
import type { Metrics } from '../../observability/metrics.ts';
import {
  type EventRecorder,
  isConflict,
  parseKey,
  type Reconcile,
  type ResourceRef,
  type Result,
  type StatusWriter,
  type Store,
  type Writer,
} from '../../runtime/index.ts';
import type { Checkpoints } from './checkpoint.ts';
import { type Conflict, findConflict, type Rivals, type ScalerObject } from './conflicts.ts';
import type { Explanations } from './explanations.ts';
import { type Lead, leadTimeOf } from './lead-time.ts';
import { absoluteLoad, isForecastable } from './load.ts';
import type { InvalidPlan, Plan, Planner } from './plan.ts';
import type { PodTimes } from './pod-times.ts';
import { isReady, type Pod, podsOf } from './pods.ts';
import type { Fleet, Look, Outlook, Scaler } from './ports.ts';
import type { ScalerMemories, ScalerMemory } from './scaler-memory.ts';
import { FIGHT_RULES, isFighting, observeReplicas, recordWrite } from './second-writer.ts';
import { buildStatus, mergeConditions, type OwnCondition, worthWriting } from './status.ts';
import { readTarget, type Target, type TargetSources } from './target.ts';
import { learnedCapacities, learnFromTarget } from './target-learning.ts';

export interface ReconcilerOptions {
  readonly ref: ResourceRef;
  readonly scalers: Store<Scaler>;
  readonly planner: Planner;
  readonly targets: TargetSources;
  readonly pods: Store<Pod>;
  readonly podTimes: PodTimes;
  readonly rivals: () => Rivals;
  readonly sources: MetricSource;
  readonly outlook: Outlook;
  readonly fleet: Fleet;
  readonly memories: ScalerMemories;
  readonly checkpoints: Pick<Checkpoints, 'forget'>;
  readonly explanations: Explanations;
  /** Fenced: an ex-leader writes nothing. */
  readonly client: Pick<Writer, 'patchScale'>;
  readonly statusWriter: StatusWriter;
  readonly events: EventRecorder;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock: Clock;
  readonly calendar: Calendar;
  readonly newDecisionId: () => string;
  readonly settings: {
    readonly syncPeriodMs: number;
    readonly metricDelayMs: number;
    readonly defaultLeadTimeMs: number;
    readonly defaultStepMs: number;
    readonly protectedNamespaces: readonly string[];
    readonly tuning: ReactiveTuning;
    readonly guards: Pick<GuardsConfig, 'largestStep' | 'outlier'>;
  };
}

/** One pass over one scaler: what the phases have found out so far. */
interface Scope {
  readonly key: string;
  readonly object: Scaler;
  readonly plan: Plan;
  readonly memory: ScalerMemory;
  readonly nowMs: number;
  readonly lead: Lead;
  readonly conditions: (ConditionPlan | OwnCondition)[];
  target?: Target;
  decision?: Decision;
  look?: Look;
}

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
    const object = this.#o.scalers.get(key);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined)
      return this.#forget(key, signal);
    const plan = this.#o.planner.planOf(key, object);
    if ('problem' in plan) return this.#refuse(object, plan, signal);
    const scope = this.#scope(key, object, plan);
    let failure: unknown;
    try {
      await this.#phases(scope, signal);
    } catch (error) {
      if (!(error instanceof Ended)) failure = error;
    }
    await this.#report(scope, failure, signal);
    // A conflict comes back at once with a newer version; everything else waits for its turn.
    if (failure !== undefined && isConflict(failure)) throw failure;
    return { requeueAfterMs: this.#o.settings.syncPeriodMs };
  }

  async #phases(scope: Scope, signal: AbortSignal): Promise<void> {
    this.#checkNamespace(scope);
    await this.#target(scope, signal);
    const conflict = this.#rivals(scope);
    await this.#decide(scope, signal);
    if (conflict === undefined) await this.#act(scope, signal);
  }

  #scope(key: string, object: Scaler, plan: Plan): Scope {
    const memory = this.#o.memories.of(key, plan.scaler.metadata.uid ?? '');
    const lead = leadTimeOf(
      plan.scaler.spec.forecast.leadTime,
      memory.learned.lead.leadTime(),
      this.#o.settings.defaultLeadTimeMs,
    );
    return { key, object, plan, memory, nowMs: this.#o.clock.now(), lead, conditions: [] };
  }

  /** An object that cannot be understood costs itself alone; only a new spec can change that, so it is not retried. */
  async #refuse(object: Scaler, { problem }: InvalidPlan, signal: AbortSignal): Promise<Result> {
    const { generation = 0 } = object.metadata;
    const before = object.status ?? {};
    const conditions = mergeConditions(
      before.conditions ?? [],
      [notReady('InvalidSpec', problem.message)],
      generation,
      this.#o.clock.now(),
    );
    const status = { ...before, observedGeneration: generation, conditions };
    await this.#o.statusWriter.write(this.#o.ref, object, status, signal);
    return {};
  }

  #checkNamespace({ plan, conditions }: Scope): void {
    const { namespace } = plan.scaler.metadata;
    if (!this.#o.settings.protectedNamespaces.includes(namespace)) return;
    conditions.push(notReady('ProtectedNamespace', `the administrator protects the namespace ${namespace}`));
    throw new Ended();
  }

  async #target(scope: Scope, signal: AbortSignal): Promise<void> {
    const { plan, memory, conditions } = scope;
    const { namespace } = plan.scaler.metadata;
    try {
      const found = await readTarget(this.#o.targets, namespace, plan.scaler.spec.scaleTargetRef, signal);
      scope.target = newest(found, memory);
    } catch (error) {
      signal.throwIfAborted();
      conditions.push(failedGetScale(messageOf(error)), notReady(reasonOf(error), messageOf(error)));
      throw new Ended();
    }
    memory.fights = observeReplicas(
      memory.fights,
      scope.target.specReplicas,
      this.#o.clock.monotonic(),
      FIGHT_RULES,
    );
  }

  #rivals({ object, plan, memory, conditions }: Scope): Conflict | undefined {
    const self: ScalerObject = { metadata: object.metadata, spec: plan.scaler.spec };
    const conflict: Conflict | undefined = isFighting(memory.fights, this.#o.clock.monotonic())
      ? {
          reason: 'SecondWriter',
          message: `somebody else keeps changing the replicas of ${plan.scaler.spec.scaleTargetRef.name}; not writing for a while`,
        }
      : findConflict(self, this.#o.rivals());
    conditions.push({
      type: 'ConflictingScaler',
      status: conflict === undefined ? 'False' : 'True',
      reason: conflict?.reason ?? 'NoConflict',
      message: conflict?.message ?? 'nobody else scales this target',
    });
    return conflict;
  }

  async #decide(scope: Scope, signal: AbortSignal): Promise<void> {
    const { key, plan, memory, nowMs, lead, target, conditions } = scope;
    if (target === undefined) return;
    const { sources, fleet, calendar, settings } = this.#o;
    const pods = target.selector === undefined ? [] : podsOf(this.#o.pods, target.namespace, target.selector);
    const views = pods.map(podView);
    fleet.report(key, target.specReplicas, pods.filter(isReady).length);

    const namespace = target.namespace;
    const readings = await Promise.all(
      plan.metrics.map((metric) =>
        sources.read({ namespace, metric, podSelector: target.selectorText }, signal),
      ),
    );
    signal.throwIfAborted();
    const loads = plan.decision.metrics.map((metric, i) => {
      const reading = readings[i];
      return reading !== undefined && isForecastable(metric) ? absoluteLoad(reading, views) : undefined;
    });
    const window = this.#window(nowMs, lead);
    memory.podsSeen = learnFromTarget({
      learned: memory.learned,
      before: memory.podsSeen,
      pods,
      views,
      plans: plan.decision.metrics,
      loads,
      nowMs: window.fromMs,
      stepMs: settings.defaultStepMs,
      startOf: this.#o.podTimes.startOf,
    });
    scope.look = await this.#o.outlook.look(
      {
        uid: memory.uid,
        learned: memory.learned,
        scaler: plan.scaler,
        metrics: plan.metrics,
        plans: plan.decision.metrics,
        podSelector: target.selectorText,
        loads,
        nowMs: window.fromMs,
        window,
      },
      signal,
    );
    const { forecast, seasonalProfile, condition } = scope.look;
    const startedAt = this.#o.clock.monotonic();
    const decision = decide({
      id: this.#o.newDecisionId(),
      nowMs,
      spec: plan.decision,
      specReplicas: target.specReplicas,
      statusReplicas: target.statusReplicas,
      pods: views,
      ...selectorProblem(target),
      readings,
      forecast,
      ...(memory.lastForecast === undefined ? {} : { lastForecast: memory.lastForecast }),
      ...(seasonalProfile === undefined ? {} : { seasonalProfile }),
      window,
      learnedCapacityMilli: learnedCapacities(memory.learned, plan.decision.metrics, views),
      activeSchedules: plan.activeSchedules(nowMs),
      tuning: settings.tuning,
      guards: this.#guards(),
      memory: this.#resume(scope, target.specReplicas),
    });
    scope.decision = decision;
    memory.decision = decision.memory;
    if (forecast.kind === 'value') memory.lastForecast = forecast.value;
    conditions.push(...decision.conditions, condition);
    const seconds = (this.#o.clock.monotonic() - startedAt) / 1000;
    this.#o.metrics.decision(decision.mode.inForce, decision.boundBy, seconds, decision.id);
    this.#o.explanations.record(key, decision, liveValues(calendar, scope));
    this.#measure(scope, readings);
  }

  /**
   * A memory out of a checkpoint may be ten minutes old. As on first sight, the present replicas count as a
   * recommendation, so that a failover keeps them for one stabilisation window.
   */
  #resume({ memory, plan, nowMs }: Scope, current: number): DecisionMemory | undefined {
    if (!memory.resumed || memory.decision === undefined) return memory.decision;
    memory.resumed = false;
    return recordHold(memory.decision, current, plan.decision, this.#o.settings.tuning, nowMs);
  }

  #window(nowMs: number, lead: Lead): LoadWindow {
    const { calendar, settings } = this.#o;
    const fromMs = calendar.fromReal(nowMs);
    const ahead = lead.ms + settings.syncPeriodMs + settings.metricDelayMs;
    return { fromMs, toMs: fromMs + ahead * calendar.factor };
  }

  #guards(): GuardsConfig {
    const { fleet, settings } = this.#o;
    return {
      ...settings.guards,
      globalPause: fleet.pause.paused,
      frozen: fleet.frozen,
      creationsLeft: fleet.creationsLeft(),
    };
  }

  async #act(scope: Scope, signal: AbortSignal): Promise<void> {
    const { object, plan, memory, target, decision, conditions } = scope;
    if (target === undefined || decision === undefined || !decision.write) return;
    const { client, events, metrics, fleet, log } = this.#o;
    const [from, to] = [target.specReplicas, decision.desiredReplicas];
    const regarding = { apiVersion: API_VERSION, kind: PREDICTIVE_SCALER.kind, metadata: object.metadata };
    const annotations = { 'foresail.io/decision-id': decision.id };
    try {
      const scale = await client.patchScale(
        target.ref,
        { namespace: target.namespace, name: target.name },
        to,
        target.resourceVersion === undefined ? {} : { resourceVersion: target.resourceVersion },
        signal,
      );
      memory.written = { resourceVersion: scale.metadata.resourceVersion ?? '', replicas: to };
    } catch (error) {
      signal.throwIfAborted();
      metrics.scaleWrite(isConflict(error) ? 'conflict' : 'failed');
      if (isConflict(error)) throw error;
      conditions.push(failedUpdateScale(messageOf(error)));
      events.event(
        regarding,
        'Warning',
        'FailedRescale',
        `New size: ${to}; reason: ${decision.rescaleReason}; error: ${messageOf(error)}`,
        annotations,
      );
      throw error;
    }
    metrics.scaleWrite('written');
    memory.scaledAtMs = scope.nowMs;
    memory.fights = recordWrite(memory.fights, to);
    memory.decision = recordScale(decision.memory, plan.decision, from, to, scope.nowMs);
    fleet.spend(decision.creations);
    conditions.push(succeededRescale(to));
    events.event(
      regarding,
      'Normal',
      'SuccessfulRescale',
      `New size: ${to}; reason: ${decision.rescaleReason}`,
      annotations,
    );
    log.info('scaled', {
      scaler: scope.key,
      decision: decision.id,
      from,
      to,
      boundBy: decision.boundBy,
      reason: decision.rescaleReason,
    });
  }

  async #report(scope: Scope, failure: unknown, signal: AbortSignal): Promise<void> {
    const { object, plan, memory, target, decision, look, lead, conditions, nowMs } = scope;
    if (failure !== undefined) {
      this.#o.log.warn('reconcile ended early', { scaler: scope.key, error: failure });
      if (signal.aborted) return;
      if (!isConflict(failure)) conditions.push(notReady(reasonOf(failure), messageOf(failure)));
    }
    conditions.push(readiness(conditions));
    const status = buildStatus({
      scaler: plan.scaler,
      metrics: plan.metrics,
      decision,
      currentReplicas: target?.specReplicas,
      selector: target?.selectorText,
      scaledAtMs: memory.scaledAtMs,
      forecast: look?.report,
      lead,
      realisedCoverage: look?.realisedCoverage,
      conditions,
      nowMs,
    });
    if (!worthWriting(plan.scaler.status, status)) return;
    await this.#o.statusWriter.write(this.#o.ref, object, status, signal);
  }

  #measure(
    { plan, target, decision, look, lead, nowMs }: Scope,
    readings: readonly { readonly kind: string; readonly at?: number }[],
  ): void {
    if (target === undefined || decision === undefined) return;
    const ages = readings.flatMap(({ at }) => (at === undefined ? [] : [(nowMs - at) / 1000]));
    const { namespace, name } = plan.scaler.metadata;
    const quantile = (level: number) => look?.report?.quantiles.find((q) => q.level === level)?.load;
    const [median, upper] = [quantile(0.5), look?.report?.quantiles.at(-1)?.load];
    this.#o.metrics.scaler({
      namespace,
      name,
      currentReplicas: target.specReplicas,
      desired: {
        final: decision.desiredReplicas,
        ...(decision.reactive.replicas === undefined ? {} : { reactive: decision.reactive.replicas }),
        ...(decision.forecast.kind === 'known' ? { forecast: decision.forecast.replicas } : {}),
      },
      ...(median === undefined || upper === undefined ? {} : { forecastLoad: { median, upper } }),
      coverage: {
        asked: Number(plan.scaler.spec.forecast.coverage),
        ...(look?.realisedCoverage === undefined ? {} : { realised: look.realisedCoverage }),
      },
      ...(lead.learned === undefined
        ? {}
        : { leadTimeSeconds: { p50: lead.learned.p50Ms / 1000, p90: lead.learned.p90Ms / 1000 } }),
      ...(ages.length === 0 ? {} : { metricAgeSeconds: Math.max(...ages) }),
    });
  }

  async #forget(key: string, signal: AbortSignal): Promise<Result> {
    const { namespace, name } = parseKey(key);
    const memory = this.#o.memories.find(key);
    if (memory !== undefined) {
      this.#o.outlook.forget(memory.uid);
      await this.#o.checkpoints.forget(memory.uid, signal);
    }
    this.#o.memories.forget(key);
    this.#o.planner.forget(key);
    this.#o.explanations.forget(key);
    this.#o.fleet.forget(key);
    this.#o.metrics.forgetScaler(namespace, name);
    return {};
  }
}

/** Our own write, as long as the informer has not seen it. Resource versions of one resource can be compared. */
function newest(found: Target, { written }: ScalerMemory): Target {
  if (written === undefined || found.resourceVersion === undefined) return found;
  if (!isOlder(found.resourceVersion, written.resourceVersion)) return found;
  return { ...found, specReplicas: written.replicas, resourceVersion: written.resourceVersion };
}

function isOlder(a: string, b: string): boolean {
  return a.length === b.length ? a < b : a.length < b.length;
}

function selectorProblem(target: Target) {
  if (target.selector !== undefined) return {};
  const message =
    target.selectorText === '' ? 'selector is required' : `selector ${target.selectorText} cannot be read`;
  return { selectorProblem: { reason: 'InvalidSelector' as const, message } };
}

function notReady(reason: string, message: string): OwnCondition {
  return { type: 'Ready', status: 'False', reason, message };
}

/** Ready sums up the others for `kubectl wait` and the column. */
function readiness(conditions: readonly (ConditionPlan | OwnCondition)[]): OwnCondition {
  const last = (type: string) => conditions.findLast((condition) => condition.type === type);
  const own = last('Ready');
  if (own !== undefined) return own as OwnCondition;
  const conflict = last('ConflictingScaler');
  if (conflict?.status === 'True') return notReady('ConflictingScaler', conflict.message);
  const blocked = ['AbleToScale', 'ScalingActive']
    .map(last)
    .find((condition) => condition?.status === 'False');
  if (blocked !== undefined) return notReady(blocked.reason, blocked.message);
  return {
    type: 'Ready',
    status: 'True',
    reason: 'Scaling',
    message: 'metrics are read and the target can be scaled',
  };
}

function reasonOf(error: unknown): string {
  if (!isForesailError(error)) return 'Unexpected';
  return error.code
    .toLowerCase()
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}

/** Values that move with every sample; served to `foresail explain`. */
function liveValues(calendar: Calendar, { lead, nowMs, look }: Scope): object {
  return {
    at: new Date(nowMs).toISOString(),
    loadTime: new Date(calendar.fromReal(nowMs)).toISOString(),
    leadTime: { value: formatDuration(Math.round(lead.ms)), source: lead.source },
    forecast: look?.report,
    realisedCoverage: look?.realisedCoverage,
  };
}
