/** What one look at a scaler puts into the metrics. */
import type { Decision } from '../../decision/types.ts';
import type { ScalerSample } from '../../observability/metrics.ts';
import type { MetricReading, Observation } from '../../observation.ts';
import type { Lead } from './lead-time.ts';
import type { Look } from './ports.ts';
import type { StoredVerdict } from './stored-verdict.ts';

export interface Measured {
  readonly namespace: string;
  readonly name: string;
  readonly currentReplicas: number;
  readonly decision: Decision;
  readonly look: Look | undefined;
  readonly lead: Lead;
  readonly askedCoverage: number;
  readonly verdict: StoredVerdict | undefined;
  readonly readings: readonly Observation<MetricReading>[];
  readonly nowMs: number;
}

/** Unknown is never zero: a number that is not known is absent. */
export function sampleOf({ decision, look, lead, readings, nowMs, ...rest }: Measured): ScalerSample {
  const { namespace, name, currentReplicas, askedCoverage, verdict } = rest;
  const ages = readings.flatMap((reading) => (reading.kind === 'value' ? [(nowMs - reading.at) / 1000] : []));
  const quantiles = look?.report?.quantiles;
  const [median, upper] = [quantiles?.at(0)?.load, quantiles?.at(-1)?.load];
  return {
    namespace,
    name,
    currentReplicas,
    desired: {
      final: decision.desiredReplicas,
      ...(decision.reactive.replicas === undefined ? {} : { reactive: decision.reactive.replicas }),
      ...(decision.forecast.kind === 'known' ? { forecast: decision.forecast.replicas } : {}),
    },
    ...(median === undefined || upper === undefined ? {} : { forecastLoad: { median, upper } }),
    coverage: {
      asked: askedCoverage,
      ...(look?.realisedCoverage === undefined ? {} : { realised: look.realisedCoverage }),
    },
    ...(lead.learned === undefined
      ? {}
      : { leadTimeSeconds: { p50: lead.learned.p50Ms / 1000, p90: lead.learned.p90Ms / 1000 } }),
    ...(look?.drift?.signs === undefined ? {} : { driftSigns: look.drift.signs }),
    ...(verdict === undefined ? {} : { replay: replayOf(verdict) }),
    ...(ages.length === 0 ? {} : { metricAgeSeconds: Math.max(...ages) }),
  };
}

function replayOf({ state, replay: { ours, hpa } }: StoredVerdict): NonNullable<ScalerSample['replay']> {
  return {
    proven: state.recommendation === 'Active',
    shortMinutes: { foresail: ours.underProvisionedMinutes, hpa: hpa.underProvisionedMinutes },
    replicaHours: { foresail: ours.replicaHours, hpa: hpa.replicaHours },
  };
}
