/**
 * Looks ahead for one scaler: appends the load to history, forecasts each forecastable metric, calibrates the band and
 * gives the decision the upper path of load. A metric without a usable forecast is unknown with a reason; the
 * decision then falls back rung by rung.
 */
import type { Clock } from '../../clock.ts';
import type { ForecastInput, LoadPath, MetricPlan } from '../../decision/types.ts';
import { parseDurationMs } from '../../duration.ts';
import { messageOf } from '../../errors.ts';
import { readySteps } from '../../forecast/lead-window.ts';
import type { ForecastLearner } from '../../forecast/learner.ts';
import { leadStepOf, lookAhead } from '../../forecast/look-ahead.ts';
import { forecastQuantile } from '../../forecast/quantiles.ts';
import { builtin } from '../../forecast/residuals.ts';
import type { Plan } from '../../forecast/service-level.ts';
import type { ServiceTerms } from '../../forecast/service-terms.ts';
import type {
  ForecastFailure,
  ForecastOutcome,
  ForecastWindow,
  QuantileForecast,
  UpperLoadPath,
} from '../../forecast/types.ts';
import { buildWindow, lastKnown } from '../../forecast/window.ts';
import type { HistoryStore } from '../../history/types.ts';
import type { ChainLink } from '../../inference/chain.ts';
import type { ForecastService } from '../../inference/types.ts';
import { known, unknown } from '../../observation.ts';
import type { ForecastJudge } from '../served-models/forecast-judge.ts';
import type { NamedModel, ServedModels } from '../served-models/served-models.ts';
import type { Backfill } from './backfill.ts';
import { driftOf } from './drift.ts';
import { createForecastReasons, type ForecastBasis, type ForecastReasons } from './forecast-reasons.ts';
import { metricId } from './learned.ts';
import { isForecastable } from './load.ts';
import type { Look, LookRequest, Outlook } from './ports.ts';
import { createSeason } from './season.ts';
import type { OwnCondition } from './status.ts';
import type { Steps } from './steps.ts';

export interface OutlookOptions {
  readonly history: HistoryStore;
  readonly service: ForecastService;
  readonly backfill: Backfill;
  readonly steps: Steps;
  readonly clock: Clock;
  /** Id of the model in the box, which serves a load unless its record there speaks against it. */
  readonly model: string;
  readonly models: Pick<ServedModels, 'named'>;
  readonly judge: Pick<ForecastJudge, 'sight'>;
}

type Served = Extract<NamedModel, { kind: 'served' }>;

/** A window whose newest value is older than this many steps says nothing about now. */
const MAX_GAP_STEPS = 3;
/** Kept beyond what is asked, so that the season of the oldest asked step is there too. */
const SEASON_MS = 15 * 86_400_000;

interface Missing {
  readonly kind: 'missing';
  /** What the season says instead; only where the load itself cannot be read. */
  readonly season?: LoadPath | undefined;
  readonly reason:
    | ForecastFailure
    | 'BackFilling'
    | 'StaleHistory'
    | 'NoForecastableMetric'
    | 'ForecastFailed';
  readonly message: string;
}

interface Seen {
  readonly kind: 'seen';
  readonly path: LoadPath;
  readonly plan: Plan;
  readonly upper: UpperLoadPath;
  readonly confidence: UpperLoadPath['confidence'];
  readonly forecast: QuantileForecast;
  readonly by: string;
  readonly learner: ForecastLearner;
  /** Why the forecaster that should have served did not. */
  readonly fellBack: { readonly reason: ForecastFailure; readonly message: string } | undefined;
}

/** With the reasons of the newest forecasts, for `foresail explain --why-forecast`. */
export interface ExplainedOutlook extends Outlook {
  readonly reasons: ForecastReasons['of'];
}

export function createOutlook(options: OutlookOptions): ExplainedOutlook {
  const { history, service, backfill, steps, clock, model, models, judge } = options;
  const season = createSeason(history);
  const reasons = createForecastReasons(history, service);
  const keysOf = new Map<string, ReadonlySet<string>>();

  async function lookAt(
    request: LookRequest,
    plan: MetricPlan,
    i: number,
    named: NamedModel | undefined,
    signal: AbortSignal,
  ): Promise<Missing | Seen> {
    const { scaler, learned, nowMs } = request;
    const own = named?.kind === 'served' ? named.acting.link : undefined;
    const { step, coverage, history: span } = scaler.spec.forecast;
    const seriesKey = seriesKeyOf(request.uid, plan);
    const stepMs = step === undefined ? ownStep(request, plan, i, seriesKey) : parseDurationMs(step);
    if (stepMs === undefined) return missing('BackFilling', 'the metric’s cadence is being asked for');
    const spanMs = parseDurationMs(span);
    const retainMs = spanMs + SEASON_MS;
    history.declare(seriesKey, { stepMs, retainMs });
    const load = request.loads[i];
    if (load !== undefined) history.append(seriesKey, nowMs, load);

    const learner = learned.forecast(plan, stepMs, Number(coverage), own?.id ?? model);
    const metric = request.metrics[i];
    const { namespace } = scaler.metadata;
    const { podSelector } = request;
    if (metric !== undefined) {
      const { ready } = backfill.ensure({
        seriesKey,
        stepMs,
        namespace,
        metric,
        podSelector,
        spanMs,
        retainMs,
        nowMs,
        learner,
        own,
      });
      if (!ready) return missing('BackFilling', 'the past of the metric is being fetched');
    }

    const originMs = Math.floor(nowMs / stepMs) * stepMs;
    const past = (endMs: number, ms: number, count: number) => history.window(seriesKey, endMs, ms, count);
    const read = (atMs: number): number => past(atMs, stepMs, 1)[0] ?? Number.NaN;
    learner.settle(originMs - stepMs, read);
    const drift = learned.drift(plan);
    const [leader = ''] = learner.order();
    const pinned = learner.pinned(leader, request.window.toMs - originMs);
    drift?.settle(originMs - stepMs, read, pinned);
    const window = buildWindow(seriesKey, originMs, stepMs, past);
    const newest = lastKnown(window);
    if (newest === undefined || newest.age > MAX_GAP_STEPS) {
      const seasonal = { seriesKey, stepMs, spanMs, window: request.window, coverage: Number(coverage) };
      const why =
        newest === undefined
          ? missing('NoHistory', 'no load has been seen lately')
          : missing('StaleHistory', `the newest load is ${newest.age} steps of ${stepMs / 1000} s old`);
      return { ...why, season: season.path(seasonal) };
    }
    const asked = { order: learner.order(), everyone: learner.competes(originMs), own };
    const { outcome, others } = await service.contest(window, asked, signal);
    if (named?.kind === 'served') shadow(request, plan, window, named, outcome, learner);
    for (const { by, forecast } of others) learner.compete(by, forecast);
    if (outcome.kind === 'unavailable') return missing(outcome.reason, outcome.message);
    drift?.issue(outcome.by, outcome.forecast, leadStepOf(outcome.forecast, request.window.toMs));
    return taken(outcome, learner, nowMs, newest.value, termsOf(request, i, stepMs));
  }

  /** Nothing of it is waited for: what does not act must not delay what does. */
  function shadow(
    { scaler, nowMs, window: { toMs } }: LookRequest,
    plan: MetricPlan,
    window: ForecastWindow,
    named: Served,
    outcome: ForecastOutcome,
    learner: ForecastLearner,
  ): void {
    const name = `${scaler.metadata.name} ${plan.type} ${plan.name}`;
    const seen = outcome.kind === 'forecast' ? outcome : undefined;
    const leadMs = toMs - window.originMs;
    void judge.sight({ model: named, window, name, leadMs, seen, learner, nowMs });
  }

  function ownStep(
    { learned, metrics, scaler, podSelector, sampledAtMs }: LookRequest,
    plan: MetricPlan,
    i: number,
    seriesKey: string,
  ): number | undefined {
    const metric = metrics[i];
    if (metric === undefined) return undefined;
    return steps.stepOf({
      seriesKey,
      namespace: scaler.metadata.namespace,
      metric,
      podSelector,
      sampledAtMs: sampledAtMs[i],
      learnedStepMs: learned.stepOf(plan),
    });
  }

  /** Whatever goes wrong ahead costs the forecast alone: the reactive rule still has its metrics. */
  async function tryToLook(
    request: LookRequest,
    plan: MetricPlan,
    i: number,
    named: NamedModel | undefined,
    signal: AbortSignal,
  ): Promise<Missing | Seen> {
    try {
      return await lookAt(request, plan, i, named, signal);
    } catch (error) {
      signal.throwIfAborted();
      return missing('ForecastFailed', messageOf(error));
    }
  }

  /** Lets go of the series that a spec no longer has. */
  function keep(uid: string, keys: ReadonlySet<string>): void {
    for (const key of keysOf.get(uid) ?? []) {
      if (keys.has(key)) continue;
      history.forget(key);
      backfill.forget(key);
      steps.forget(key);
      season.forget(key);
    }
    if (keys.size === 0) keysOf.delete(uid);
    else keysOf.set(uid, keys);
  }

  return {
    async look(request, signal) {
      const { uid, plans, scaler } = request;
      const name = scaler.spec.forecast.model?.name;
      const named = name === undefined ? undefined : models.named(scaler.metadata.namespace, name);
      const own = named?.kind === 'served' ? named.acting : undefined;
      keep(uid, new Set(plans.filter(isForecastable).map((plan) => seriesKeyOf(uid, plan))));
      const looks = await Promise.all(
        plans.map(async (plan, i) =>
          isForecastable(plan) ? await tryToLook(request, plan, i, named, signal) : undefined,
        ),
      );
      reasons.note(uid, basesOf(request, looks, own?.link));
      const drift = driftOf(plans.flatMap((plan) => request.learned.drift(plan)?.report() ?? []));
      return { ...summary(request, looks, clock.now(), named), own: own?.forecaster, drift };
    },
    forget(uid) {
      keep(uid, new Set());
      reasons.forget(uid);
    },
    reasons: (uid, signal) => reasons.of(uid, signal),
  };
}

export function seriesKeyOf(uid: string, plan: MetricPlan): string {
  return `${uid}/${metricId(plan)}`;
}

/** Undefined where it is not known what a replica carries. */
function termsOf(
  { scaler, carries, window, holdMs }: LookRequest,
  i: number,
  stepMs: number,
): ServiceTerms | undefined {
  const per = carries[i];
  if (per === undefined) return undefined;
  return {
    ...per,
    objective: scaler.spec.objective,
    readySteps: readySteps({ fromMs: window.fromMs, readyMs: window.readyMs ?? window.toMs }, stepMs),
    holdSteps: Math.ceil(holdMs / stepMs),
  };
}

/** From where each metric was forecast. */
function basesOf(
  { uid, plans, scaler, window }: LookRequest,
  looks: readonly (Missing | Seen | undefined)[],
  own: ChainLink | undefined,
): ForecastBasis[] {
  return plans.flatMap((plan, i) => {
    const look = looks[i];
    if (look?.kind !== 'seen') return [];
    const { forecast, by } = look;
    return {
      metric: `${plan.type} ${plan.name}`,
      seriesKey: seriesKeyOf(uid, plan),
      stepMs: forecast.stepMs,
      originMs: forecast.originMs,
      by,
      own,
      step: leadStepOf(forecast, window.toMs),
      level: Number(scaler.spec.forecast.coverage),
    };
  });
}

function missing(reason: Missing['reason'], message: string): Missing {
  return { kind: 'missing', reason, message };
}

function taken(
  { forecast, by, failed }: Extract<ForecastOutcome, { kind: 'forecast' }>,
  learner: ForecastLearner,
  nowMs: number,
  load: number,
  terms: ServiceTerms | undefined,
): Missing | Seen {
  const ahead = lookAhead(learner, by, forecast, nowMs, load, terms);
  if (ahead === undefined) return missing('ForecastRejected', 'the forecast ends before it begins to count');
  return { kind: 'seen', ...ahead, forecast, by, learner, fellBack: failed[0] };
}

function summary(
  request: LookRequest,
  looks: readonly (Missing | Seen | undefined)[],
  realNowMs: number,
  named: NamedModel | undefined,
): Look {
  const { scaler, window } = request;
  const coverage = Number(scaler.spec.forecast.coverage);
  const seen = looks.filter((look) => look?.kind === 'seen');
  const [first] = seen;
  const problem = looks.find((look) => look?.kind === 'missing');
  if (first === undefined) {
    const why = problem ?? missing('NoForecastableMetric', 'every metric has a target of type Value');
    const paths = looks.map((look) => (look?.kind === 'missing' ? look.season : undefined));
    return {
      forecast: unknown('NoData', why.message, realNowMs),
      seasonalProfile: paths.some((path) => path !== undefined)
        ? { paths, model: builtin('seasonal-profile'), coverage }
        : undefined,
      report: undefined,
      condition:
        named?.kind === 'absent' ? notServed(named) : forecastReady('False', why.reason, why.message),
      realisedCoverage: undefined,
    };
  }
  const { forecast, learner, by } = first;
  const leadMs = window.toMs - forecast.originMs;
  const leadStep = leadStepOf(forecast, window.toMs);
  const upper = (valueAt(first.upper, forecast.originMs + leadStep * forecast.stepMs) ?? Number.NaN) / 1000;
  const lowConfidence = seen.some((look) => look.confidence !== 'Calibrated');
  const input: ForecastInput = {
    paths: looks.map((look) => (look?.kind === 'seen' ? look.path : undefined)),
    model: forecast.model,
    coverage,
    lowConfidence,
    headroom: seen.some(({ plan }) => plan.kind === 'Headroom'),
  };
  return {
    forecast: known(input, forecast.originMs),
    seasonalProfile: undefined,
    report: {
      forecaster: by,
      model: forecast.model,
      stepMs: forecast.stepMs,
      quantiles: [
        { level: 0.5, load: Math.max(0, forecastQuantile(forecast, leadStep - 1, 0.5)) },
        { level: coverage, load: upper },
      ],
    },
    condition:
      named?.kind === 'absent' ? notServed(named) : servingCondition(seen, problem, lowConfidence, named),
    realisedCoverage: learner.realised(by, leadMs).realised,
  };
}

/** Of the step that contains `atMs`, else of the last one; milli. */
function valueAt({ fromMs, stepMs, loadMilli }: UpperLoadPath, atMs: number): number | undefined {
  return loadMilli[Math.floor((atMs - fromMs) / stepMs)] ?? loadMilli.at(-1);
}

function servingCondition(
  seen: readonly Seen[],
  problem: Missing | undefined,
  lowConfidence: boolean,
  named: Served | undefined,
): OwnCondition {
  if (problem !== undefined) return forecastReady('False', problem.reason, problem.message);
  const fallen = seen.find((look) => look.fellBack !== undefined);
  // Its owner wants to know of a server that is away, also while another forecaster does better than it.
  const failure = fallen?.fellBack ?? named?.acting.failure;
  const server = fallen ?? seen[0];
  if (failure !== undefined && server !== undefined)
    return forecastReady('False', failure.reason, `${server.by} serves instead: ${failure.message}`);
  const own = named?.acting.link.id;
  const leading = seen.find(({ forecast, by }) =>
    own === undefined ? forecast.model.digest === 'builtin' : by !== own,
  );
  const who = leading === undefined ? 'the forecast' : `${leading.by}, which has forecast this load best,`;
  return lowConfidence
    ? forecastReady(
        'True',
        'LowConfidence',
        `${who} serves; its band is not measured well yet and is kept wide`,
      )
    : forecastReady('True', 'Calibrated', `${who} serves and its band is measured on this load`);
}

function forecastReady(status: OwnCondition['status'], reason: string, message: string): OwnCondition {
  return { type: 'ForecastReady', status, reason, message };
}

/** The scaler names a model that cannot be asked. */
function notServed({ reason, message }: Extract<NamedModel, { kind: 'absent' }>): OwnCondition {
  return forecastReady('False', reason, `${message}; what forecasts without it acts`);
}
