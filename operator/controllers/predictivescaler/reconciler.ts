/**
 * Brings one scaler's target to the replicas that its load asks for. The phases are always the same: plan, target,
 * rivals, observe, look ahead, decide, act, report. Whatever phase ends it early, the status is written at the end,
 * once, and says where it ended.
 */
import { API_VERSION, type Condition, PREDICTIVE_SCALER } from '../../api/index.ts';
import type { Calendar, Clock } from '../../clock.ts';
import { failedGetScale } from '../../decision/conditions.ts';
import { decide } from '../../decision/decide.ts';
import { holdMs, recordHold, recordScale } from '../../decision/memory.ts';
import { podView } from '../../decision/pod-view.ts';
import type {
  ConditionPlan,
  Decision,
  DecisionInput,
  DecisionMemory,
  GuardsConfig,
  LoadWindow,
  ReactiveTuning,
} from '../../decision/types.ts';
import { formatDuration, parseDurationMs } from '../../duration.ts';
import { messageOf } from '../../errors.ts';
import { leadWindow } from '../../forecast/lead-window.ts';
import type { Logger } from '../../logger.ts';
import type { MetricSource } from '../../metricsources/types.ts';
import type { Metrics } from '../../observability/metrics.ts';
import { type MetricReading, type Observation, unknown } from '../../observation.ts';
import {
  type EventRecorder,
  type EventTarget,
  isConflict,
  parseKey,
  type Reconcile,
  type ResourceRef,
  type Result,
  type StatusWriter,
  type Store,
  type Writer,
} from '../../runtime/index.ts';
import { phaseOf } from '../phase.ts';
import { reasonOf } from '../reason.ts';
import type { Checkpoints } from './checkpoint.ts';
import { type Conflict, findConflict, type Rivals, type ScalerObject, targetKey } from './conflicts.ts';
import type { Explanations } from './explanations.ts';
import { type Lead, leadTimeOf } from './lead-time.ts';
import { metricId } from './learned.ts';
import { absoluteLoad, isForecastable } from './load.ts';
import { type Measured, sampleOf } from './measure.ts';
import type { InvalidPlan, Plan, Planner } from './plan.ts';
import type { PodTimes } from './pod-times.ts';
import { isReady, type Pod, podsOf } from './pods.ts';
import type { Fleet, Look, Outlook, Scaler } from './ports.ts';
import { notReady, readiness } from './readiness.ts';
import { createScaleWriter, type WriteScale } from './scale-write.ts';
import type { ScalerMemories, ScalerMemory } from './scaler-memory.ts';
import { FIGHT_RULES, isFighting, NO_FIGHTS, observeReplicas, recordWrite } from './second-writer.ts';
import type { SharedPods } from './shared-pods.ts';
import { buildStatus, mergeConditions, type OwnCondition, worthWriting } from './status.ts';
import { provenCondition, type StoredVerdict, verdictStatus } from './stored-verdict.ts';
import { newest, readTarget, type Target, type TargetSources } from './target.ts';
import { carriesOf, learnedCapacities, learnFromTarget } from './target-learning.ts';
import type { Verdicts } from './verdicts.ts';
import { warningsOf } from './warnings.ts';

export interface ReconcilerOptions {
  readonly ref: ResourceRef;
  readonly scalers: Store<Scaler>;
  readonly planner: Planner;
  readonly targets: TargetSources;
  readonly pods: Store<Pod>;
  readonly podTimes: PodTimes;
  readonly rivals: () => Rivals;
  readonly sharedPods: SharedPods;
  readonly sources: MetricSource;
  readonly outlook: Outlook;
  readonly verdicts: Verdicts;
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
    /** `namespace/name` of the pod that we run in: nobody scales the scaler. */
    readonly ownPod?: string | undefined;
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
  conflict?: Conflict | undefined;
  decision?: Decision;
  look?: Look;
  verdict?: StoredVerdict | undefined;
}

type SelectorProblem = NonNullable<DecisionInput['selectorProblem']>;

/** Ends the pass early without an error: the conditions say why. */
class Ended extends Error {}

export function createReconcile(options: ReconcilerOptions): Reconcile {
  const pass = new Pass(options);
  return (key, signal) => pass.run(key, signal);
}

class Pass {
  readonly #o: ReconcilerOptions;
  readonly #writeScale: WriteScale;

  constructor(options: ReconcilerOptions) {
    this.#o = options;
    this.#writeScale = createScaleWriter(options);
  }

  async run(key: string, signal: AbortSignal): Promise<Result> {
    const object = this.#o.scalers.get(key);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined)
      return this.#forget(key, signal);
    const plan = this.#o.planner.planOf(key, object);
    if ('problem' in plan) return this.#refuse(key, object, plan, signal);
    const scope = await this.#scope(key, object, plan, signal);
    let failure: unknown;
    try {
      await this.#phases(scope, signal);
    } catch (error) {
      if (!(error instanceof Ended)) failure = error;
    }
    await this.#report(scope, failure, signal).catch((error: unknown) => {
      if (signal.aborted || isConflict(error)) throw error;
      // Whatever the API server has against a status, the load goes on: a terminal error must not end the scaler.
      this.#o.log.warn('status could not be written', { scaler: key, error });
    });
    // A conflict comes back at once with a newer version; everything else waits for its turn.
    if (failure !== undefined && isConflict(failure)) throw failure;
    return { requeueAfterMs: this.#untilNextLook(scope.memory) };
  }

  /** A thousand scalers that were first seen in one moment are spread over the period, and stay so. */
  #untilNextLook(memory: ScalerMemory): number {
    const { syncPeriodMs } = this.#o.settings;
    if (memory.inPhase) return syncPeriodMs;
    memory.inPhase = true;
    return syncPeriodMs * (1 - phaseOf(memory.uid));
  }

  async #phases(scope: Scope, signal: AbortSignal): Promise<void> {
    this.#checkNamespace(scope);
    await this.#target(scope, signal);
    this.#checkNotOurselves(scope);
    this.#rivals(scope);
    await this.#decide(scope, signal);
    await this.#act(scope, signal);
  }

  async #scope(key: string, object: Scaler, plan: Plan, signal: AbortSignal): Promise<Scope> {
    const { uid = '', namespace } = plan.scaler.metadata;
    const { memories, outlook, explanations, checkpoints } = this.#o;
    const before = memories.find(key);
    const memory = memories.of(key, uid, targetKey(namespace, plan.scaler.spec.scaleTargetRef));
    if (before !== undefined && before !== memory) {
      // Deleted and created again before we looked, or sent to another target: nothing of the old load holds.
      outlook.forget(before.uid);
      this.#o.verdicts.forget(before.uid);
      explanations.forget(key);
      if (before.uid !== uid) await checkpoints.forget(before.uid, signal);
    }
    const lead = leadTimeOf(
      plan.scaler.spec.forecast.leadTime,
      memory.learned.lead.leadTime(),
      this.#o.settings.defaultLeadTimeMs,
    );
    return { key, object, plan, memory, nowMs: this.#o.clock.now(), lead, conditions: [] };
  }

  /** An object that cannot be understood costs itself alone; only a new spec can change that, so it is not retried. */
  async #refuse(key: string, object: Scaler, { problem }: InvalidPlan, signal: AbortSignal): Promise<Result> {
    const { generation = 0 } = object.metadata;
    this.#hide(key);
    const before = object.status ?? {};
    const conditions = mergeConditions(
      before.conditions ?? [],
      [notReady('InvalidSpec', problem.message)],
      generation,
      this.#o.clock.now(),
    );
    const status = { ...before, observedGeneration: generation, conditions };
    await this.#o.statusWriter.write(this.#o.ref, object, status, signal);
    this.#warn(object, before.conditions ?? [], conditions);
    return {};
  }

  #checkNamespace({ plan, conditions }: Scope): void {
    const { namespace } = plan.scaler.metadata;
    if (!this.#o.settings.protectedNamespaces.includes(namespace)) return;
    conditions.push(notReady('ProtectedNamespace', `the administrator protects the namespace ${namespace}`));
    throw new Ended();
  }

  /** Scaled down to nothing, nobody would be left to scale it up. */
  #checkNotOurselves({ target, conditions }: Scope): void {
    const { pods, settings } = this.#o;
    const own = settings.ownPod === undefined ? undefined : pods.get(settings.ownPod);
    if (own === undefined || target?.selector === undefined) return;
    if (own.metadata.namespace !== target.namespace || !target.selector.matches(own.metadata.labels)) return;
    conditions.push(notReady('TargetIsOperator', 'the target is the operator itself'));
    throw new Ended();
  }

  async #target(scope: Scope, signal: AbortSignal): Promise<void> {
    const { plan, memory, conditions } = scope;
    const { namespace } = plan.scaler.metadata;
    try {
      const found = await readTarget(this.#o.targets, namespace, plan.scaler.spec.scaleTargetRef, signal);
      scope.target = newest(found, memory.written);
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

  #rivals(scope: Scope): void {
    const { object, plan, memory, conditions } = scope;
    if (plan.scaler.spec.mode === 'Recommend') {
      memory.fights = NO_FIGHTS;
      const message = 'mode Recommend writes nothing, so whoever scales the target may go on';
      conditions.push({ type: 'ConflictingScaler', status: 'False', reason: 'WritesNothing', message });
      return;
    }
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
    scope.conflict = conflict;
  }

  async #decide(scope: Scope, signal: AbortSignal): Promise<void> {
    const { key, plan, memory, nowMs, lead, target, conditions } = scope;
    if (target === undefined) return;
    const { fleet, calendar, settings } = this.#o;
    const pods = target.selector === undefined ? [] : podsOf(this.#o.pods, target.namespace, target.selector);
    const views = pods.map(podView);
    // Without a selector the pods are unknown, which is not the same as unready.
    if (target.selector === undefined) fleet.forget(key);
    else fleet.report(key, target.specReplicas, pods.filter(isReady).length);
    const problem = this.#selectorProblem(scope, target, pods);
    const readings = await this.#read(plan, target, problem, nowMs, signal);
    const loads = plan.decision.metrics.map((metric, i) => {
      const reading = readings[i];
      return reading !== undefined && isForecastable(metric) ? absoluteLoad(reading, views) : undefined;
    });
    memory.learned.keep(plan.decision.metrics);
    const window = this.#window(scope);
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
    const learnedCapacityMilli = learnedCapacities(memory.learned, plan.decision.metrics, views);
    scope.look = await this.#o.outlook.look(
      {
        uid: memory.uid,
        learned: memory.learned,
        scaler: plan.scaler,
        metrics: plan.metrics,
        plans: plan.decision.metrics,
        podSelector: target.selectorText,
        loads,
        sampledAtMs: readings.map((reading) => (reading.kind === 'value' ? reading.at : undefined)),
        nowMs: window.fromMs,
        window,
        carries: carriesOf(plan.decision, learnedCapacityMilli, views),
        holdMs: holdMs(plan.decision, settings.tuning) * calendar.factor,
      },
      signal,
    );
    const { forecast, seasonalProfile, condition, drift } = scope.look;
    const metricIds = plan.decision.metrics.map(metricId).join();
    const lastForecast = memory.lastForecast?.metricIds === metricIds ? memory.lastForecast.input : undefined;
    const watched = plan.decision.mode !== 'Reactive';
    if (watched)
      scope.verdict = this.#o.verdicts.of({
        key,
        memory,
        spec: plan.decision,
        views,
        learnedCapacityMilli,
        coverage: Number(plan.scaler.spec.forecast.coverage),
        leadMs: lead.ms,
        nowMs: window.fromMs,
        own: scope.look?.own,
      });
    if (watched) conditions.push(provenCondition(scope.verdict, plan.decision.metrics));
    const startedAt = this.#o.clock.monotonic();
    const decision = decide({
      id: this.#o.newDecisionId(),
      nowMs,
      spec: plan.decision,
      specReplicas: target.specReplicas,
      statusReplicas: target.statusReplicas,
      pods: views,
      ...(problem === undefined ? {} : { selectorProblem: problem }),
      readings,
      forecast,
      ...(lastForecast === undefined ? {} : { lastForecast }),
      ...(seasonalProfile === undefined ? {} : { seasonalProfile }),
      window,
      learnedCapacityMilli,
      ...(scope.verdict === undefined ? {} : { verdict: scope.verdict.state.recommendation }),
      activeSchedules: plan.activeSchedules(nowMs),
      tuning: settings.tuning,
      guards: this.#guards(),
      memory: this.#resume(scope, target.specReplicas),
    });
    scope.decision = decision;
    memory.decision = decision.memory;
    // At once, not after the write: sixty others decide before it is answered.
    if (acts(scope)) fleet.spend(decision.creations);
    if (forecast.kind === 'value') memory.lastForecast = { metricIds, input: forecast.value };
    conditions.push(...decision.conditions.map((each) => withReason(each, fleet.pause)), condition);
    if (drift !== undefined) conditions.push(drift.condition);
    const seconds = (this.#o.clock.monotonic() - startedAt) / 1000;
    this.#o.metrics.decision(decision.mode.inForce, decision.boundBy, seconds, decision.id);
    this.#o.explanations.record(key, decision, liveValues(calendar, scope));
    this.#measure(scope, readings);
  }

  /** Why nothing can be computed from the pods of this target, when it cannot. */
  #selectorProblem({ key, plan }: Scope, target: Target, pods: readonly Pod[]): SelectorProblem | undefined {
    const { sharedPods } = this.#o;
    const { selector, selectorText, namespace } = target;
    if (selector === undefined) {
      sharedPods.forget(key);
      const message =
        selectorText === '' ? 'selector is required' : `selector ${selectorText} cannot be read`;
      return { reason: 'InvalidSelector', message };
    }
    const { mode, scaleTargetRef } = plan.scaler.spec;
    const selecting = { namespace, target: targetKey(namespace, scaleTargetRef), selectorText, selector };
    // One that only recommends is in nobody's way.
    if (mode === 'Recommend') sharedPods.forget(key);
    else sharedPods.report(key, selecting);
    const others = sharedPods.others(key, selecting, pods);
    if (others.length === 0) return undefined;
    const named = others.length > 3 ? [...others.slice(0, 3), `${others.length - 3} more`] : others;
    const message = `pods of selector ${selectorText} are also selected by ${named.join(', ')}`;
    return { reason: 'AmbiguousSelector', message };
  }

  /** An empty selector would read the metrics of every pod in the namespace. */
  async #read(
    { metrics }: Plan,
    target: Target,
    problem: SelectorProblem | undefined,
    nowMs: number,
    signal: AbortSignal,
  ): Promise<readonly Observation<MetricReading>[]> {
    if (problem !== undefined) return metrics.map(() => unknown('BadQuery', problem.message, nowMs));
    const { namespace, selectorText: podSelector } = target;
    const readings = await Promise.all(
      metrics.map((metric) => this.#o.sources.read({ namespace, metric, podSelector }, signal)),
    );
    signal.throwIfAborted();
    return readings;
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

  /** One for all metrics: the coarsest step is the longest mean. */
  #window({ plan, memory, nowMs, lead }: Scope): LoadWindow {
    const { calendar, settings } = this.#o;
    const { step } = plan.scaler.spec.forecast;
    const asked = step === undefined ? undefined : parseDurationMs(step);
    const steps = plan.decision.metrics
      .filter(isForecastable)
      .map((metric) => asked ?? memory.learned.stepOf(metric) ?? settings.defaultStepMs);
    return leadWindow(calendar.fromReal(nowMs), {
      stepMs: Math.max(...steps, 0),
      metricDelayMs: settings.metricDelayMs * calendar.factor,
      leadMs: lead.ms * calendar.factor,
      decisionMs: settings.syncPeriodMs * calendar.factor,
    });
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
    const { key, object, plan, memory, target, decision, conditions, nowMs } = scope;
    if (target === undefined || decision === undefined || !acts(scope)) return;
    const outcome = await this.#writeScale({ key, regarding: eventTarget(object), target, decision }, signal);
    if (outcome.condition !== undefined) conditions.push(outcome.condition);
    if (outcome.kind === 'failed') throw outcome.error;
    const [from, to] = [target.specReplicas, decision.desiredReplicas];
    memory.written = { resourceVersion: outcome.resourceVersion, replicas: to };
    memory.scaledAtMs = nowMs;
    memory.fights = recordWrite(memory.fights, to);
    memory.decision = recordScale(decision.memory, plan.decision, from, to, nowMs);
  }

  async #report(scope: Scope, failure: unknown, signal: AbortSignal): Promise<void> {
    const { object, plan, memory, target, decision, look, lead, conditions, nowMs } = scope;
    if (failure !== undefined) {
      this.#o.log.warn('reconcile ended early', { scaler: scope.key, error: failure });
      if (signal.aborted) return;
      if (!isConflict(failure)) conditions.push(notReady(reasonOf(failure), messageOf(failure)));
    }
    conditions.push(readiness(conditions));
    if (decision === undefined) this.#hide(scope.key);
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
      verdict: plan.decision.mode === 'Reactive' ? undefined : verdictStatus(scope.verdict),
      conditions,
      nowMs,
    });
    if (!worthWriting(plan.scaler.status, status)) return;
    await this.#o.statusWriter.write(this.#o.ref, object, status, signal);
    this.#warn(object, plan.scaler.status?.conditions ?? [], status.conditions ?? []);
    this.#tellVerdict(scope);
  }

  #warn(object: Scaler, before: readonly Condition[], now: readonly Condition[]): void {
    for (const { reason, message } of warningsOf(before, now))
      this.#o.events.event(eventTarget(object), 'Warning', reason, message);
  }

  /** Once per change: the status that was just written says what was told before. */
  #tellVerdict({ object, plan, verdict }: Scope): void {
    const before = plan.scaler.status?.verdict?.recommendation;
    const now = verdict?.state.recommendation;
    if (verdict === undefined || now === before || (now !== 'Active' && before !== 'Active')) return;
    const proven = now === 'Active';
    this.#o.events.event(
      eventTarget(object),
      proven ? 'Normal' : 'Warning',
      proven ? 'ForecastProven' : 'ForecastNotProven',
      verdict.message,
    );
  }

  /** Nothing is known of the target: it has no vote on the fleet's health, no numbers and stands in nobody's way. */
  #hide(key: string): void {
    const { namespace, name } = parseKey(key);
    this.#o.fleet.forget(key);
    this.#o.sharedPods.forget(key);
    this.#o.metrics.forgetScaler(namespace, name);
  }

  #measure(
    { plan, target, decision, look, lead, verdict, nowMs }: Scope,
    readings: Measured['readings'],
  ): void {
    if (target === undefined || decision === undefined) return;
    const { namespace, name } = plan.scaler.metadata;
    const askedCoverage = Number(plan.scaler.spec.forecast.coverage);
    const currentReplicas = target.specReplicas;
    const more = { askedCoverage, readings, verdict, nowMs };
    const seen = { namespace, name, currentReplicas, decision, look, lead, ...more };
    this.#o.metrics.scaler(sampleOf(seen));
  }

  async #forget(key: string, signal: AbortSignal): Promise<Result> {
    const memory = this.#o.memories.find(key);
    this.#o.memories.forget(key);
    this.#o.planner.forget(key);
    this.#o.explanations.forget(key);
    this.#hide(key);
    if (memory !== undefined) {
      this.#o.outlook.forget(memory.uid);
      this.#o.verdicts.forget(memory.uid);
      // Last, when nothing is left that a checkpoint could be made of.
      await this.#o.checkpoints.forget(memory.uid, signal);
    }
    return {};
  }
}

function acts({ decision, conflict }: Scope): boolean {
  return decision?.write === true && conflict === undefined;
}

/** The administrator's own words, where the decision can only say that there is a pause. */
function withReason(condition: ConditionPlan, { reason }: Fleet['pause']): ConditionPlan {
  if (condition.reason !== 'GloballyPaused' || reason === '') return condition;
  return { ...condition, message: `${condition.message}: ${reason}` };
}

function eventTarget({ metadata }: Scaler): EventTarget {
  return { apiVersion: API_VERSION, kind: PREDICTIVE_SCALER.kind, metadata };
}

/** Values that move with every sample; served to `foresail explain`. */
function liveValues(calendar: Calendar, { lead, nowMs, look, conflict, verdict }: Scope): object {
  return {
    at: new Date(nowMs).toISOString(),
    loadTime: new Date(calendar.fromReal(nowMs)).toISOString(),
    leadTime: { value: formatDuration(Math.round(lead.ms)), source: lead.source },
    forecast: look?.report,
    verdict,
    realisedCoverage: look?.realisedCoverage,
    ...(conflict === undefined ? {} : { notWritten: conflict.message }),
  };
}
