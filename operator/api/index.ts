/** The kinds as the rest of the operator sees them. */
export type { GuardSpec, JudgeSpec } from './modeldeployment/judge.ts';
export {
  MODEL_DEPLOYMENT,
  type ModelDeployment,
  modelDeploymentSchema,
  parseModelDeployment,
} from './modeldeployment/kind.ts';
export { LABELS, PORTS, versionName } from './modeldeployment/labels.ts';
export { type Model, URI_SCHEMES } from './modeldeployment/model.ts';
export type { RolloutSpec, Step } from './modeldeployment/rollout.ts';
export type { Gpu, Server } from './modeldeployment/server.ts';
export type { ModelDeploymentSpec } from './modeldeployment/spec.ts';
export type {
  GuardStatus,
  JudgeStatus,
  ModelDeploymentStatus,
  Outcome,
  Phase,
  TrafficShare,
  VersionRecord,
} from './modeldeployment/status.ts';
export type { Behavior, ScalingPolicy, ScalingRules } from './predictivescaler/behavior.ts';
export type { ForecastSpec } from './predictivescaler/forecast.ts';
export {
  applyBehaviorDefaults,
  applyHpaDefaults,
  DEFAULT_METRIC,
  type HpaDefaultedSpec,
  type ResolvedBehavior,
  type ResolvedScalingRules,
} from './predictivescaler/hpa-defaults.ts';
export {
  API_VERSION,
  GROUP,
  type ObjectMeta,
  PREDICTIVE_SCALER,
  type PredictiveScaler,
  parsePredictiveScaler,
  predictiveScalerSchema,
  VERSION,
} from './predictivescaler/kind.ts';
export {
  type LabelSelector,
  type MetricIdentifier,
  type MetricSpec,
  type MetricSpecOf,
  type MetricTarget,
  type MetricType,
  targetOf,
} from './predictivescaler/metrics.ts';
export type { Fallback, Schedule } from './predictivescaler/schedules.ts';
export type { Mode, Objective, PredictiveScalerSpec, ScaleTargetRef } from './predictivescaler/spec.ts';
export type {
  Condition,
  MetricStatus,
  MetricValueStatus,
  PredictiveScalerStatus,
} from './predictivescaler/status.ts';
