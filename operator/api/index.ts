/** The kinds as the rest of the operator sees them. */
export {
  CLUSTER_TRAINING_RUNTIME,
  type ClusterTrainingRuntime,
  clusterTrainingRuntimeSchema,
  parseClusterTrainingRuntime,
} from './clustertrainingruntime/kind.ts';
export type { ClusterTrainingRuntimeSpec, RuntimeVolume } from './clustertrainingruntime/spec.ts';
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
export { type BudgetReason, type BudgetUse, budgetUse, type TriggerHistory } from './trainingjob/budget.ts';
export { DATA_SCHEMES, type TrainingData } from './trainingjob/data.ts';
export { TRAINING_EXIT } from './trainingjob/exit-codes.ts';
export { type Hyperparameters, hyperparameterTree } from './trainingjob/hyperparameters.ts';
export { parseTrainingJob, TRAINING_JOB, type TrainingJob, trainingJobSchema } from './trainingjob/kind.ts';
export {
  QUEUE_LABEL,
  TRAINING_ANNOTATIONS,
  TRAINING_DISABLED,
  TRAINING_LABELS,
  TRAINING_PATHS,
} from './trainingjob/labels.ts';
export type { TrainedModel } from './trainingjob/model.ts';
export { type Checkpoint, type GateSpec, OUTPUT_SCHEMES, type Output } from './trainingjob/outcome.ts';
export { type RunCause, runCauseOf, runDueMs, runName, runOf } from './trainingjob/run.ts';
export type { Search } from './trainingjob/search.ts';
export type { TrainingJobSpec } from './trainingjob/spec.ts';
export {
  RESTART_CAUSES,
  type RestartCause,
  TRAINING_PHASES,
  type TrainingJobStatus,
  type TrainingPhase,
  type TrainingRun,
} from './trainingjob/status.ts';
export { TRACKING_CREDENTIALS, type Tracking, trackingUri } from './trainingjob/tracking.ts';
export { MOST_BUDGET_RUNS, type TriggerBudget, type Triggers, triggersOf } from './trainingjob/triggers.ts';
export type { Workers } from './trainingjob/workers.ts';
