/**
 * What autoscaling/v2 fills in where the user said nothing (pkg/apis/autoscaling/v2/defaults.go of Kubernetes). It is
 * applied when deciding and not in the CRD, because some of it depends on the controller's flags and because a user's
 * object should say what the user said.
 */
import type { Behavior, ScalingPolicy, ScalingRules } from './behavior.ts';
import type { MetricSpec } from './metrics.ts';
import type { PredictiveScalerSpec } from './spec.ts';

/** HPA's metric when none is given: CPU at 80 % of the request. */
export const DEFAULT_METRIC: MetricSpec = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
};

/** A direction with nothing left open but the tolerance, whose default is the controller's own. */
export interface ResolvedScalingRules {
  readonly stabilizationWindowSeconds: number;
  readonly selectPolicy: 'Max' | 'Min' | 'Disabled';
  readonly policies: readonly ScalingPolicy[];
  /** A quantity; absent means the controller's tolerance. */
  readonly tolerance?: string | number;
}

export interface ResolvedBehavior {
  readonly scaleUp: ResolvedScalingRules;
  readonly scaleDown: ResolvedScalingRules;
}

/** The part of a spec that HPA knows, completed. `behavior` stays absent when it was absent. */
export interface HpaDefaultedSpec {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly metrics: readonly MetricSpec[];
  readonly behavior?: ResolvedBehavior;
}

/**
 * @param downscaleStabilizationSeconds what HPA has as `--horizontal-pod-autoscaler-downscale-stabilization`, 300 s.
 */
export function applyHpaDefaults(
  spec: PredictiveScalerSpec,
  downscaleStabilizationSeconds = 300,
): HpaDefaultedSpec {
  return {
    minReplicas: spec.minReplicas,
    maxReplicas: spec.maxReplicas,
    metrics: spec.metrics === undefined || spec.metrics.length === 0 ? [DEFAULT_METRIC] : spec.metrics,
    ...(spec.behavior === undefined
      ? {}
      : { behavior: applyBehaviorDefaults(spec.behavior, downscaleStabilizationSeconds) }),
  };
}

/** Completes a behavior that was given, be it `{}`. */
export function applyBehaviorDefaults(
  behavior: Behavior,
  downscaleStabilizationSeconds = 300,
): ResolvedBehavior {
  return {
    scaleUp: resolve(behavior.scaleUp, 0, [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ]),
    scaleDown: resolve(behavior.scaleDown, downscaleStabilizationSeconds, [
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ]),
  };
}

function resolve(
  rules: ScalingRules | undefined,
  windowSeconds: number,
  policies: readonly ScalingPolicy[],
): ResolvedScalingRules {
  return {
    stabilizationWindowSeconds: rules?.stabilizationWindowSeconds ?? windowSeconds,
    selectPolicy: rules?.selectPolicy ?? 'Max',
    policies: rules?.policies ?? policies,
    ...(rules?.tolerance === undefined ? {} : { tolerance: rules.tolerance }),
  };
}
