/**
 * Replays each scaler's own past in the background and keeps the verdict on its forecast, which mode Auto goes by. One
 * replay at a time on a thread of its own, with rests between them: a thousand scalers share a quarter of a core.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { perReplica } from '../../decision/need/per-replica.ts';
import type { DecisionSpec, MetricPlan, PodView, ReactiveTuning } from '../../decision/types.ts';
import { messageOf } from '../../errors.ts';
import type { Forecaster } from '../../forecast/types.ts';
import type { HistoryStore, SeriesKey } from '../../history/types.ts';
import type { Logger } from '../../logger.ts';
import type { ReplayJob } from '../../replay/messages.ts';
import type { Replayer } from '../../replay/replayer.ts';
import { type Replay, replaySpan } from '../../simulate/replay.ts';
import { type Judgement, judge, revise } from '../../simulate/verdict.ts';
import { phaseOf } from '../phase.ts';
import { metricId } from './learned.ts';
import { isForecastable } from './load.ts';
import { seriesKeyOf } from './outlook.ts';
import type { ScalerMemory } from './scaler-memory.ts';
import type { StoredVerdict } from './stored-verdict.ts';

export interface VerdictRequest {
  readonly key: string;
  readonly memory: ScalerMemory;
  readonly spec: DecisionSpec;
  readonly views: readonly PodView[];
  /** Milli, aligned with the spec's metrics. */
  readonly learnedCapacityMilli: readonly (number | undefined)[];
  readonly coverage: number;
  readonly leadMs: number;
  readonly nowMs: number;
  /** The model that the scaler names, while it is served. */
  readonly own?: Forecaster | undefined;
}

export interface Verdicts {
  /** The verdict in force on this load and spec; a replay begins in the background when one is due. */
  of(request: VerdictRequest): StoredVerdict | undefined;
  forget(uid: string): void;
}

/** Where nothing is replayed. */
export const NO_VERDICTS: Verdicts = { of: () => undefined, forget: () => undefined };

export interface VerdictsOptions {
  readonly replayer: Replayer;
  readonly history: HistoryStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** Between two replays of one scaler. */
  readonly everyMs: number;
  readonly metricDelayMs: number;
  readonly tuning: ReactiveTuning;
  /** The model in the box. */
  readonly model: Forecaster;
  readonly random?: () => number;
  /** Ends what is under way at shutdown. */
  readonly signal: AbortSignal;
}

/** Resting this many times as long as the last replay took leaves a quarter of a core's time to replays. */
export const REST = 3;
/** The first replay of a scaler comes within this time, so that a restart does not bring them all at once. */
const FIRST_MS = 5 * 60_000;
/** Scored time, what measures the band before it, and the two weeks in which seasons are looked up. */
const PAST_MS = 18 * 86_400_000;
const MAX_STEPS = 30_000;
/** The forecaster that leads on this load, the model, and what serves where neither can. */
const SIMPLE = 'ridge';

interface Entry {
  dueAt: number;
  /** Of the spec that the wait belongs to. */
  mark: string;
}

export function createVerdicts(options: VerdictsOptions): Verdicts {
  const { replayer, clock, log, everyMs, signal, random = Math.random } = options;
  const entries = new Map<string, Entry>();
  /** In order; the newest request of a scaler stands in its old place. */
  const waiting = new Map<string, VerdictRequest>();
  let busy = false;

  async function work(request: VerdictRequest): Promise<void> {
    const { key, memory, spec, nowMs } = request;
    const startedAt = clock.monotonic();
    const judged: { readonly judgement: Judgement; readonly replay: Replay }[] = [];
    for (const job of jobsOf(request, options)) {
      // A thread costs memory: it is not started for pasts that prove nothing yet.
      if (replaySpan(job.trace) === undefined) break;
      // oxlint-disable-next-line no-await-in-loop -- one at a time
      const replay = await replayer.replay(job, modelsOf(request, options), signal);
      if (replay === undefined) break;
      judged.push({ judgement: judge(replay, spec.objective), replay });
    }
    // Of several metrics the worst one counts: the forecast acts on all of them or on none.
    const worst = judged.toSorted((a, b) => badness(b.judgement) - badness(a.judgement))[0];
    if (worst === undefined || judged.length < spec.metrics.filter(isForecastable).length) return;
    const of = markOf(request);
    const before = memory.verdict?.of === of ? memory.verdict.state : undefined;
    const state = revise(before, worst.judgement, nowMs + (clock.monotonic() - startedAt));
    memory.verdict = { of, state, message: worst.judgement.message, replay: worst.replay };
    if (state.recommendation !== before?.recommendation)
      log.info('verdict on the forecast', {
        scaler: key,
        recommendation: state.recommendation,
        reason: state.reason,
        detail: worst.judgement.message,
      });
  }

  function pump(): void {
    const [next] = waiting;
    if (busy || next === undefined || signal.aborted) return;
    const [uid, request] = next;
    waiting.delete(uid);
    busy = true;
    const startedAt = clock.monotonic();
    work(request)
      .catch((error: unknown) => {
        if (!signal.aborted)
          log.warn('no verdict on the forecast', { scaler: request.key, error: messageOf(error) });
      })
      .finally(() => {
        const entry = entries.get(uid);
        if (entry !== undefined) entry.dueAt = clock.monotonic() + everyMs * (0.75 + random() / 2);
        clock.after(REST * (clock.monotonic() - startedAt), () => {
          busy = false;
          pump();
        });
      });
  }

  return {
    of(request) {
      const { memory } = request;
      const mark = markOf(request);
      const now = clock.monotonic();
      let entry = entries.get(memory.uid);
      if (entry?.mark !== mark) {
        entry = { mark, dueAt: now + Math.min(FIRST_MS, everyMs) * (1 - phaseOf(memory.uid)) };
        entries.set(memory.uid, entry);
      }
      if (now >= entry.dueAt && !signal.aborted) {
        entry.dueAt = Number.POSITIVE_INFINITY;
        waiting.set(memory.uid, request);
        pump();
      } else if (waiting.has(memory.uid)) waiting.set(memory.uid, request);
      return memory.verdict?.of === mark ? memory.verdict : undefined;
    },
    forget(uid) {
      entries.delete(uid);
      waiting.delete(uid);
    },
  };
}

/** A verdict belongs to a load and to what is asked for it; the mode changes neither. */
function markOf({ spec, coverage }: VerdictRequest): string {
  const { mode: _, paused: __, fallback: ___, metrics, ...rest } = spec;
  const loads = metrics.map((plan) => [metricId(plan), plan.target, plan.capacityMilli]);
  return createHash('sha256')
    .update(JSON.stringify([loads, rest, coverage]))
    .digest('base64url')
    .slice(0, 16);
}

function badness({ kind }: Judgement): number {
  return { good: 0, weak: 1, bad: 2 }[kind];
}

function* jobsOf(request: VerdictRequest, options: VerdictsOptions): Generator<ReplayJob> {
  const { spec, memory, views, learnedCapacityMilli, coverage, leadMs, nowMs } = request;
  const { history, tuning, metricDelayMs } = options;
  for (const [i, plan] of spec.metrics.entries()) {
    if (!isForecastable(plan)) continue;
    const stepMs = memory.learned.stepOf(plan);
    const metric = metricOf(plan, learnedCapacityMilli[i], views);
    if (stepMs === undefined || metric === undefined) return;
    const { capacityMilli, target } = metric;
    const [leader] = memory.learned.learner(plan)?.order() ?? [];
    const models = modelsOf(request, options).map(({ id }) => id);
    yield {
      trace: pastOf(history, seriesKeyOf(memory.uid, plan), stepMs, nowMs),
      spec: { ...spec, metrics: [metric] },
      tuning,
      coverage,
      startUpMs: leadMs,
      metricDelayMs,
      // While it is not known what a replica carries, it is taken to carry what HPA lets it carry.
      capacity: (capacityMilli ?? Math.round(target.milli * (1 + tuning.tolerance))) / 1000,
      forecasters: [...new Set([...(leader === undefined ? [] : [leader]), ...models, SIMPLE])],
    };
  }
}

/** In the order in which they serve. */
function modelsOf({ own }: VerdictRequest, { model }: VerdictsOptions): Forecaster[] {
  return own === undefined ? [model] : [own, model];
}

/** The metric as a total: how a utilisation is shared among pods is not in the past. */
function metricOf(plan: MetricPlan, learnedMilli: number | undefined, views: readonly PodView[]) {
  const { capacityMilli: named, ...bare } = plan;
  const target = perReplica(bare, undefined, views);
  if (target === undefined) return undefined;
  const capacityMilli = named ?? learnedMilli;
  return {
    type: 'Prometheus' as const,
    name: plan.name,
    target: { kind: 'AverageValue' as const, milli: target.milli },
    ...(capacityMilli === undefined ? {} : { capacityMilli }),
  };
}

function pastOf(history: HistoryStore, name: SeriesKey, stepMs: number, nowMs: number): ReplayJob['trace'] {
  // The step that runs now is not complete.
  const lastMs = (Math.floor(nowMs / stepMs) - 1) * stepMs;
  const span = history.span(name);
  const known = span === undefined ? 0 : Math.floor((lastMs - span.firstMs) / stepMs) + 1;
  const count = Math.max(Math.min(known, Math.ceil(PAST_MS / stepMs), MAX_STEPS), 0);
  const values = history.window(name, lastMs, stepMs, count);
  return { name, startMs: lastMs - (count - 1) * stepMs, stepMs, values };
}
