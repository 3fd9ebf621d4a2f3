/**
 * All metrics of the operator in one place, so that a dashboard author reads one file. Label values are bounded:
 * an object's namespace and name (removed when the object goes), or members of a fixed set. Every fixed series
 * starts at 0, because a counter that appears only with its first error cannot be alerted on.
 * A decision's id is an exemplar, never a label.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { DriftSign } from '../forecast/drift/signs.ts';
import type { RuntimeObserver } from '../runtime/types.ts';
import { type RolloutMetrics, rolloutMetrics } from './rollout-metrics.ts';
import { runtimeMetrics, SECONDS } from './runtime-metrics.ts';
import { type TrainingMetrics, trainingMetrics } from './training-metrics.ts';

const DRIFT_SIGNS: readonly DriftSign[] = ['Adwin', 'Psi', 'Pinned'];
const PER_SCALER = ['namespace', 'name'] as const;

export type ReplayedPolicy = 'foresail' | 'hpa';
const REPLAYED: readonly ReplayedPolicy[] = ['foresail', 'hpa'];

export type DesiredSource = 'reactive' | 'forecast' | 'final';

export interface ScalerSample {
  readonly namespace: string;
  readonly name: string;
  readonly desired: Partial<Readonly<Record<DesiredSource, number>>>;
  readonly currentReplicas: number;
  /** Load the model expects at the lead time, unit of the metric; absent when there is no forecast. */
  readonly forecastLoad?: { readonly median: number; readonly upper: number };
  readonly coverage?: { readonly asked: number; readonly realised?: number };
  readonly leadTimeSeconds?: { readonly p50: number; readonly p90: number };
  /** Age of the oldest metric sample that the decision used. */
  readonly metricAgeSeconds?: number;
  /** Signs of drift that are up; absent while too little is known to judge. */
  readonly driftSigns?: readonly DriftSign[];
  /** The last replay of the load's own past; absent while nothing was replayed. */
  readonly replay?: {
    readonly proven: boolean;
    readonly shortMinutes: Readonly<Record<ReplayedPolicy, number>>;
    readonly replicaHours: Readonly<Record<ReplayedPolicy, number>>;
  };
}

export interface Metrics {
  readonly registry: Registry;
  /** `decisionId` becomes the exemplar of the duration. */
  decision(mode: string, boundBy: string, seconds: number, decisionId: string): void;
  scaler(sample: ScalerSample): void;
  /** Drops every series of an object that no longer exists. */
  forgetScaler(namespace: string, name: string): void;
  scaleWrite(outcome: 'written' | 'conflict' | 'failed'): void;
  metricRead(source: string, outcome: string, seconds: number): void;
  /** What the API client, the informers, the queues and the election report. */
  readonly runtime: RuntimeObserver;
  readonly rollouts: RolloutMetrics;
  readonly training: TrainingMetrics;
  forecast(model: string, outcome: 'ok' | 'unavailable', seconds: number, batch: number): void;
  historyHealthy(healthy: boolean): void;
}

export function createMetrics(): Metrics {
  const registry = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  const registers = [registry as unknown as Registry];
  collectDefaultMetrics({ register: registers[0] as Registry });

  const decisions = new Counter({
    name: 'foresail_decisions_total',
    help: 'Decisions by mode and by what bound them.',
    labelNames: ['mode', 'bound_by'],
    registers,
  });
  const decisionSeconds = new Histogram({
    name: 'foresail_decision_duration_seconds',
    help: 'Time of one decision without fetching metrics.',
    buckets: SECONDS,
    enableExemplars: true,
    registers,
  });
  const perScaler = (name: string, help: string) => scalerGauge(registers, name, help);
  const current = perScaler('foresail_scaler_current_replicas', 'Replicas of the target.');
  const age = perScaler('foresail_scaler_metric_age_seconds', 'Age of the oldest sample in the decision.');
  const perScalerAnd = <V extends string>(name: string, help: string, label: string, values: readonly V[]) =>
    labelledScalerGauge(registers, name, help, label, values);
  const desired = perScalerAnd(
    'foresail_scaler_desired_replicas',
    'Replicas each source asks for.',
    'source',
    ['reactive', 'forecast', 'final'],
  );
  const load = perScalerAnd('foresail_scaler_forecast_load', 'Forecast load at the lead time.', 'bound', [
    'median',
    'upper',
  ]);
  const coverage = perScalerAnd('foresail_scaler_coverage', 'Coverage of the forecast band.', 'kind', [
    'asked',
    'realised',
  ]);
  const lead = perScalerAnd(
    'foresail_scaler_lead_time_seconds',
    'Learned time from order to ready.',
    'quantile',
    ['0.5', '0.9'],
  );
  const drift = perScalerAnd(
    'foresail_forecast_drift',
    '1 while the forecast is worse than it used to be, by the sign that says so.',
    'sign',
    DRIFT_SIGNS,
  );
  const proven = perScaler(
    'foresail_scaler_forecast_proven',
    '1 while the replays of the load speak for the forecast: what mode Auto goes by.',
  );
  const short = perScalerAnd(
    'foresail_scaler_replay_short_minutes',
    'Minutes with too few replicas in the last replay.',
    'policy',
    REPLAYED,
  );
  const hours = perScalerAnd(
    'foresail_scaler_replay_replica_hours',
    'Replica-hours in the last replay.',
    'policy',
    REPLAYED,
  );
  const objectGauges = [current, age, desired, load, coverage, lead, drift, proven, short, hours];

  const scaleWrites = new Counter({
    name: 'foresail_scale_writes_total',
    help: 'Writes of the scale subresource.',
    labelNames: ['outcome'],
    registers,
  });
  for (const outcome of ['written', 'conflict', 'failed']) scaleWrites.inc({ outcome }, 0);
  const reads = new Counter({
    name: 'foresail_metric_reads_total',
    help: 'Metric reads by kind of source and outcome (ok, or why the value is unknown).',
    labelNames: ['source', 'outcome'],
    registers,
  });
  const readSeconds = new Histogram({
    name: 'foresail_metric_read_duration_seconds',
    help: 'Time of one metric read.',
    labelNames: ['source'],
    buckets: SECONDS,
    registers,
  });
  const forecastSeconds = new Histogram({
    name: 'foresail_forecast_duration_seconds',
    help: 'Time of one batched forecast.',
    labelNames: ['model', 'outcome'],
    buckets: SECONDS,
    registers,
  });
  const forecastBatch = new Histogram({
    name: 'foresail_forecast_batch_size',
    help: 'Scalers forecast together.',
    buckets: [1, 2, 4, 8, 16, 32, 64],
    registers,
  });
  const history = new Gauge({
    name: 'foresail_history_healthy',
    help: '1 while history reaches the disk; scaling goes on from memory at 0.',
    registers,
  });
  history.set(1);

  return {
    registry: registers[0] as Registry,
    decision(mode, boundBy, seconds, decisionId) {
      decisions.inc({ mode, bound_by: boundBy });
      decisionSeconds.observe({ labels: {}, value: seconds, exemplarLabels: { decision_id: decisionId } });
    },
    scaler(sample) {
      const id: ScalerId = { namespace: sample.namespace, name: sample.name };
      current.set(id, sample.currentReplicas);
      age.set(id, sample.metricAgeSeconds);
      desired.set(id, sample.desired);
      load.set(id, sample.forecastLoad ?? {});
      coverage.set(id, sample.coverage ?? {});
      const { driftSigns, replay } = sample;
      proven.set(id, replay && Number(replay.proven));
      short.set(id, replay?.shortMinutes ?? {});
      hours.set(id, replay?.replicaHours ?? {});
      drift.set(
        id,
        driftSigns === undefined
          ? {}
          : Object.fromEntries(DRIFT_SIGNS.map((sign) => [sign, driftSigns.includes(sign) ? 1 : 0])),
      );
      lead.set(id, { '0.5': sample.leadTimeSeconds?.p50, '0.9': sample.leadTimeSeconds?.p90 });
    },
    forgetScaler(namespace, name) {
      for (const gauge of objectGauges) gauge.forget({ namespace, name });
    },
    scaleWrite: (outcome) => scaleWrites.inc({ outcome }),
    metricRead(source, outcome, seconds) {
      reads.inc({ source, outcome });
      readSeconds.observe({ source }, seconds);
    },
    runtime: runtimeMetrics(registers),
    rollouts: rolloutMetrics(registers),
    training: trainingMetrics(registers),
    forecast(model, outcome, seconds, batch) {
      forecastSeconds.observe({ model, outcome }, seconds);
      forecastBatch.observe(batch);
    },
    historyHealthy: (healthy) => history.set(healthy ? 1 : 0),
  };
}

type ScalerId = Record<(typeof PER_SCALER)[number], string>;

/** A gauge per scaler. Unknown is never zero: a value that is not known has no series. */
function scalerGauge(registers: Registry[], name: string, help: string) {
  const gauge = new Gauge({ name, help, labelNames: PER_SCALER, registers });
  return {
    set(id: ScalerId, value: number | undefined) {
      if (value === undefined) gauge.remove(id);
      else gauge.set(id, value);
    },
    forget: (id: ScalerId) => gauge.remove(id),
  };
}

/** The same with one more label whose values are a fixed set. */
function labelledScalerGauge<V extends string>(
  registers: Registry[],
  name: string,
  help: string,
  label: string,
  values: readonly V[],
) {
  const gauge = new Gauge({ name, help, labelNames: [...PER_SCALER, label], registers });
  return {
    set(id: ScalerId, readings: { readonly [K in V]?: number | undefined }) {
      for (const value of values) {
        const reading = readings[value];
        if (reading === undefined) gauge.remove({ ...id, [label]: value });
        else gauge.set({ ...id, [label]: value }, reading);
      }
    },
    forget(id: ScalerId) {
      for (const value of values) gauge.remove({ ...id, [label]: value });
    },
  };
}
