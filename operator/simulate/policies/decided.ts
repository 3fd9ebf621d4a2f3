/**
 * Policies that decide as the operator does, by the same chain as `decide`: HPA (mode Reactive), ours (Active) and Shadow. What
 * the controller gathers from a cluster is put together here from the trace.
 */
import { decideReplicas } from '../../decision/decide.ts';
import { DEFAULT_OUTLIER_CONFIG } from '../../decision/guards/outlier.ts';
import { recordScale } from '../../decision/memory.ts';
import { HPA_DEFAULTS } from '../../decision/reactive/tuning.ts';
import type {
  DecisionInput,
  DecisionMemory,
  DecisionSpec,
  ForecastInput,
  GuardsConfig,
  MetricPlan,
  Mode,
  Objective,
  ReactiveTuning,
} from '../../decision/types.ts';
import { type LeadConditions, leadWindow } from '../../forecast/lead-window.ts';
import { builtin } from '../../forecast/residuals.ts';
import { known, type MetricReading, type Observation, type Unknown, unknown } from '../../observation.ts';
import type { Band } from '../band.ts';
import type { ObjectiveName, PolicyName } from '../report-types.ts';
import { type Conditions, DECISION_MS, type Order, type Policy } from '../simulate.ts';
import { startOf, type Trace } from '../trace.ts';

export interface ReactiveAsked {
  /** Share of its capacity that one replica should carry. */
  readonly target: number;
}

export interface ForecastAsked extends ReactiveAsked {
  readonly objective: ObjectiveName;
  readonly band: Band;
}

/** The HPA of Kubernetes: Reactive mode, proven equal to the real controller. */
export function hpaPolicy({ target }: ReactiveAsked): Policy {
  return decided('hpa', 'Reactive', { target, objective: 'availability' });
}

/** The operator in mode Active. */
export function foresailPolicy(asked: ForecastAsked): Policy {
  return decided('foresail', 'Active', asked);
}

/** The operator in mode Shadow: the reactive rule acts behind our guards, the forecast is only scored. */
export function shadowPolicy(asked: ForecastAsked): Policy {
  return decided('shadow', 'Shadow', asked);
}

/** What a scaler of a cluster asks for; its one metric is a total in the trace's unit. */
export function scalerPolicy(
  name: PolicyName,
  spec: DecisionSpec,
  tuning: ReactiveTuning,
  band?: Band,
): Policy {
  return { name, begin: (trace, conditions) => begin({ spec, tuning, band }, trace, conditions) };
}

export const OBJECTIVES = {
  availability: 'Availability',
  efficiency: 'Efficiency',
} as const satisfies Record<ObjectiveName, Objective>;

/** As the operator is configured by default. */
const GUARDS: GuardsConfig = { outlier: DEFAULT_OUTLIER_CONFIG };

interface Asked extends ReactiveAsked {
  readonly objective: ObjectiveName;
  readonly band?: Band;
}

function decided(name: PolicyName, mode: Mode, asked: Asked): Policy {
  const { target, objective, band } = asked;
  return {
    name,
    begin(trace, conditions) {
      const spec = specFor(mode, objective, target, conditions.capacity);
      return begin({ spec, tuning: HPA_DEFAULTS, band }, trace, conditions);
    },
  };
}

interface Decided {
  readonly spec: DecisionSpec;
  readonly tuning: ReactiveTuning;
  readonly band: Band | undefined;
}

/** Load that is known to both: the target is a share of what one replica carries. */
export function specFor(
  mode: Mode,
  objective: ObjectiveName,
  target: number,
  capacity: number,
): DecisionSpec {
  const metric: MetricPlan = {
    type: 'Prometheus',
    name: 'load',
    target: { kind: 'AverageValue', milli: 1000 * target * capacity },
    capacityMilli: 1000 * capacity,
  };
  return {
    mode,
    objective: OBJECTIVES[objective],
    minReplicas: 1,
    maxReplicas: 2_147_483_647,
    metrics: [metric],
  };
}

export function leadConditions(
  stepMs: number,
  { startUpMs, metricDelayMs }: Pick<Conditions, 'startUpMs' | 'metricDelayMs'>,
): LeadConditions {
  return { stepMs, metricDelayMs, leadMs: startUpMs, decisionMs: DECISION_MS };
}

function begin({ spec, tuning, band }: Decided, trace: Trace, conditions: Conditions): Order {
  const lead = leadConditions(trace.stepMs, conditions);
  const ageMs = trace.stepMs + conditions.metricDelayMs;
  let memory: DecisionMemory | undefined;
  let unreadSince = Number.NaN;
  let lastForecast: ForecastInput | undefined;
  let step = Number.NaN;
  let seen: MetricReading | undefined;
  let forecast: Observation<ForecastInput> = unknown('NotRead', 'no forecast', trace.startMs);
  return ({ nowMs, newest, ordered }) => {
    if (newest !== step) {
      step = newest;
      seen = readingAt(trace, step);
      if (band !== undefined) {
        forecast = forecastAt(band, step, ageMs, nowMs);
        if (forecast.kind === 'value') lastForecast = forecast.value;
      }
    }
    if (seen !== undefined) unreadSince = Number.NaN;
    else if (Number.isNaN(unreadSince)) unreadSince = nowMs;
    const input: DecisionInput = {
      id: '',
      nowMs,
      spec,
      specReplicas: ordered,
      statusReplicas: ordered,
      // A total shared among replicas asks nothing of single pods.
      pods: [],
      readings: [seen === undefined ? unread(unreadSince) : known(seen, nowMs)],
      forecast,
      window: leadWindow(nowMs, lead),
      learnedCapacityMilli: NONE_LEARNED,
      activeSchedules: NO_SCHEDULES,
      tuning,
      guards: GUARDS,
      memory,
    };
    const decision = decideReplicas(
      forecast.kind === 'value' || lastForecast === undefined ? input : { ...input, lastForecast },
    );
    memory = decision.memory;
    if (decision.write) memory = recordScale(memory, spec, ordered, decision.desiredReplicas, nowMs);
    return decision.write ? decision.desiredReplicas : ordered;
  };
}

const NONE_LEARNED = [undefined] as const;
const NO_SCHEDULES = [] as const;

function readingAt({ values }: Trace, step: number): MetricReading | undefined {
  const load = step < 0 ? Number.NaN : (values[step] ?? Number.NaN);
  return Number.isNaN(load) ? undefined : { form: 'total', milli: load * 1000, series: 1 };
}

function unread(since: number): Unknown {
  return unknown('NoData', 'the trace has no value here', since);
}

/** In the time of readings, which is that of the load later by `ageMs`: the newest step's load is what is read now. */
function forecastAt(band: Band, step: number, ageMs: number, nowMs: number): Observation<ForecastInput> {
  const width = band.horizon + 1;
  const loadMilli = band.pathMilli.subarray(step * width, (step + 1) * width);
  if (step < 0 || Number.isNaN(loadMilli[0]) || loadMilli.length === 0)
    return unknown('NoData', 'no forecast', nowMs);
  const { stepMs } = band.trace;
  const originMs = startOf(band.trace, step) + ageMs;
  return known(
    {
      paths: [{ originMs, stepMs, loadMilli }],
      model: band.model ?? builtin('none'),
      coverage: band.coverage,
      lowConfidence: band.calibrated[step] !== 1,
    },
    originMs,
  );
}
