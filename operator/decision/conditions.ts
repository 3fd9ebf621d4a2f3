/**
 * Conditions as plain data: HPA's types and reasons, so that dashboards and alerts made for HPA keep working. The
 * controller merges them into status; a type that is not in the list keeps what it had.
 */
import type { Observation } from '../observation.ts';
import type { BoundBy, ConditionPlan, MetricProposal, ReactiveResult, Rung } from './types.ts';

export function succeededGetScale(): ConditionPlan {
  return {
    type: 'AbleToScale',
    status: 'True',
    reason: 'SucceededGetScale',
    message: 'the scale of the target was read',
  };
}

/** For the controller: the target's scale could not be read, so nothing was decided. */
export function failedGetScale(message: string): ConditionPlan {
  return { type: 'AbleToScale', status: 'False', reason: 'FailedGetScale', message };
}

/** For the controller, after a successful write. */
export function succeededRescale(replicas: number): ConditionPlan {
  return {
    type: 'AbleToScale',
    status: 'True',
    reason: 'SucceededRescale',
    message: `the target was set to ${replicas} replicas`,
  };
}

/** For the controller, after a write that failed. */
export function failedUpdateScale(message: string): ConditionPlan {
  return { type: 'AbleToScale', status: 'False', reason: 'FailedUpdateScale', message };
}

export function ableToScale(
  stabilisedBy: 'ScaleUpStabilization' | 'ScaleDownStabilization' | undefined,
): ConditionPlan {
  const base = { type: 'AbleToScale', status: 'True' } as const;
  switch (stabilisedBy) {
    case 'ScaleUpStabilization':
      return {
        ...base,
        reason: 'ScaleUpStabilized',
        message: 'a recent recommendation was lower; the lowest in the window applies',
      };
    case 'ScaleDownStabilization':
      return {
        ...base,
        reason: 'ScaleDownStabilized',
        message: 'a recent recommendation was higher; the highest in the window applies',
      };
    case undefined:
      return { ...base, reason: 'ReadyForNewScale', message: 'no recent recommendation stands in the way' };
  }
}

/** Something above the algorithm keeps the number: people, or a breaker. HPA has no reason for that. */
export function heldBack(by: 'GlobalPause' | 'Pause' | 'Freeze', message: string): ConditionPlan {
  return {
    type: 'AbleToScale',
    status: 'False',
    reason: by === 'Freeze' ? 'Frozen' : by === 'Pause' ? 'Paused' : 'GloballyPaused',
    message,
  };
}

const LIMITS: Partial<Record<BoundBy, readonly [reason: string, message: string]>> = {
  Min: ['TooFewReplicas', 'fewer replicas are wanted than minReplicas allows'],
  Max: ['TooManyReplicas', 'more replicas are wanted than maxReplicas allows'],
  ScaleUpPolicy: ['ScaleUpLimit', 'more replicas are wanted than the scale-up policies allow now'],
  ScaleUpLimit: ['ScaleUpLimit', 'more replicas are wanted than twice the present count'],
  ScaleDownPolicy: ['ScaleDownLimit', 'fewer replicas are wanted than the scale-down policies allow now'],
};

export function scalingLimited(by: BoundBy | undefined): ConditionPlan {
  const limit = by === undefined ? undefined : LIMITS[by];
  if (limit === undefined) {
    return {
      type: 'ScalingLimited',
      status: 'False',
      reason: 'DesiredWithinRange',
      message: 'the wanted count is within the limits',
    };
  }
  return { type: 'ScalingLimited', status: 'True', reason: limit[0], message: limit[1] };
}

/** An administrator's breaker cut the move short. */
export function stepLimited(by: 'StepLimit' | 'CreationLimit', up: boolean): ConditionPlan {
  return {
    type: 'ScalingLimited',
    status: 'True',
    reason: up ? 'ScaleUpLimit' : 'ScaleDownLimit',
    message:
      by === 'StepLimit'
        ? 'the operator’s largest step per decision cut the move short'
        : 'the operator’s budget of pod creations per minute cut the move short',
  };
}

export function scalingDisabled(): ConditionPlan {
  return {
    type: 'ScalingActive',
    status: 'False',
    reason: 'ScalingDisabled',
    message: 'the target was scaled to zero by hand; give it at least one replica to switch scaling on again',
  };
}

/** @param acting what moves the target although metrics are unusable, if anything. */
export function scalingActive(reactive: ReactiveResult, rung: Rung): ConditionPlan {
  if (!reactive.hold && reactive.description !== undefined) {
    return {
      type: 'ScalingActive',
      status: 'True',
      reason: 'ValidMetricFound',
      message: `a replica count was computed from ${reactive.description}`,
    };
  }
  const invalid = reactive.metrics.find((proposal) => proposal.kind === 'invalid');
  const acting = rung === 'Hold' || rung === 'None' ? '' : `; meanwhile ${RUNG_TEXT[rung]}`;
  return {
    type: 'ScalingActive',
    status: 'False',
    reason: invalid?.reason ?? 'InvalidMetricSourceType',
    message: `no replica count could be computed: ${invalid?.message ?? 'there are no metrics'}${acting}`,
  };
}

const RUNG_TEXT: Record<Rung, string> = {
  None: '',
  Forecast: 'the forecast may raise',
  LastForecast: 'the last valid forecast may raise',
  SeasonalProfile: 'the seasonal profile may raise',
  ReactiveOnly: 'the metrics act without a forecast',
  PartialMetrics: 'the metrics that are known may raise',
  Fallback: 'spec.fallback applies',
  Hold: 'the replicas are held',
};

export function metricsDegraded(
  readings: readonly Observation<unknown>[],
  proposals: readonly MetricProposal[],
  rung: Rung,
): ConditionPlan {
  const bad = readings.find((reading) => reading.kind === 'unknown');
  if (bad !== undefined && bad.kind === 'unknown') {
    const reason = bad.reason === 'Stale' ? 'StaleMetrics' : bad.reason;
    return degraded(reason, bad.message, rung);
  }
  const invalid = proposals.find((proposal) => proposal.kind === 'invalid');
  if (invalid !== undefined && invalid.kind === 'invalid') {
    return degraded(invalid.reason, invalid.message, rung);
  }
  return {
    type: 'MetricsDegraded',
    status: 'False',
    reason: 'MetricsKnown',
    message: 'every metric has a usable value',
  };
}

function degraded(reason: string, message: string, rung: Rung): ConditionPlan {
  return { type: 'MetricsDegraded', status: 'True', reason, message: `${message}; ${RUNG_TEXT[rung]}` };
}
