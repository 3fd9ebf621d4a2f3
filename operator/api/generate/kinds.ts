/** Each kind with all that its CRD and its reference page are made of: schema, columns, subresources. */
import type { z } from 'zod';
import { CLUSTER_TRAINING_RUNTIME, clusterTrainingRuntimeSchema } from '../clustertrainingruntime/kind.ts';
import { MODEL_DEPLOYMENT, modelDeploymentSchema } from '../modeldeployment/kind.ts';
import { PREDICTIVE_SCALER, predictiveScalerSchema } from '../predictivescaler/kind.ts';
import type { KindNames } from '../schema/kind.ts';
import { TRAINING_JOB, trainingJobSchema } from '../trainingjob/kind.ts';

export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  readonly description: string;
}

/** As in a CRD: what /scale reads and writes. */
export interface ScaleSubresource {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  readonly labelSelectorPath: string;
}

export interface KindDefinition {
  readonly names: KindNames;
  readonly schema: z.ZodType;
  /** Absent: objects live in namespaces. */
  readonly scope?: 'Cluster';
  /** What `kubectl get` shows. */
  readonly columns: readonly Column[];
  readonly scale?: ScaleSubresource;
  /** Markdown of the reference page, between its head and the fields. */
  readonly notes: readonly string[];
}

const READY: Column = {
  name: 'Ready',
  type: 'string',
  jsonPath: '.status.conditions[?(@.type=="Ready")].status',
  description: 'Whether the object does its work.',
};
const AGE: Column = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Age of the object.',
};

const UNITS =
  'A quantity is a Kubernetes quantity (`250m`, `1.5`, `2Gi`). A duration is text of Go’s form (`90s`, `1h30m`, ' +
  '`336h`), without days.';

export const PREDICTIVE_SCALER_KIND: KindDefinition = {
  names: PREDICTIVE_SCALER,
  schema: predictiveScalerSchema,
  columns: [
    { name: 'Target', type: 'string', jsonPath: '.status.target', description: 'What is scaled.' },
    { name: 'Mode', type: 'string', jsonPath: '.status.mode', description: 'Mode in force.' },
    { name: 'Min', type: 'integer', jsonPath: '.spec.minReplicas', description: 'Lower bound.' },
    { name: 'Max', type: 'integer', jsonPath: '.spec.maxReplicas', description: 'Upper bound.' },
    { name: 'Replicas', type: 'integer', jsonPath: '.status.currentReplicas', description: 'Replicas now.' },
    {
      name: 'Desired',
      type: 'integer',
      jsonPath: '.status.desiredReplicas',
      description: 'Replicas ordered.',
    },
    {
      name: 'Forecast',
      type: 'integer',
      jsonPath: '.status.forecast.replicas',
      description: 'Replicas that the forecast asks for.',
    },
    {
      name: 'Lead',
      type: 'string',
      jsonPath: '.status.leadTime.value',
      description: 'Lead time in force.',
    },
    {
      name: 'Verdict',
      type: 'string',
      jsonPath: '.status.verdict.recommendation',
      description: 'Mode that the comparison with HPA speaks for.',
    },
    READY,
    AGE,
  ],
  notes: [
    '## From a HorizontalPodAutoscaler',
    '',
    'Change `apiVersion` and `kind` of an `autoscaling/v2` manifest, and it is a PredictiveScaler; delete the ' +
      'HorizontalPodAutoscaler, because two of them would fight. What HPA would fill in is filled in alike, also where ' +
      'the object stays silent. Stricter here: `minReplicas` is at least 1 (HPA has 0 behind a feature gate), ' +
      '`target.type` must be the type of the member that is set, a fraction stands in quotes (`"0.5"`), lists and ' +
      'texts have a limit.',
    '',
    UNITS,
  ],
};

export const MODEL_DEPLOYMENT_KIND: KindDefinition = {
  names: MODEL_DEPLOYMENT,
  schema: modelDeploymentSchema,
  columns: [
    {
      name: 'Stable',
      type: 'integer',
      jsonPath: '.status.stable.version',
      description: 'Version that was promoted last.',
    },
    {
      name: 'Canary',
      type: 'integer',
      jsonPath: '.status.canary.version',
      description: 'Version that is being rolled out.',
    },
    {
      name: 'Weight',
      type: 'integer',
      jsonPath: '.status.canary.weight',
      description: 'Per cent of the traffic that the canary answers.',
    },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'How the rollout stands.' },
    {
      name: 'Verdict',
      type: 'string',
      jsonPath: '.status.judge.verdict',
      description: 'What the judge says of the canary.',
    },
    READY,
    AGE,
  ],
  scale: {
    specReplicasPath: '.spec.server.replicas',
    statusReplicasPath: '.status.replicas',
    labelSelectorPath: '.status.selector',
  },
  notes: [
    'How a new version takes over, step by step, and what to do when it does not: ' +
      '[Roll out a model](../guides/roll-out-a-model.md).',
    '',
    UNITS,
  ],
};

export const TRAINING_JOB_KIND: KindDefinition = {
  names: TRAINING_JOB,
  schema: trainingJobSchema,
  columns: [
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'How the run stands.' },
    { name: 'Step', type: 'integer', jsonPath: '.status.progress.step', description: 'Steps done.' },
    { name: 'Total', type: 'integer', jsonPath: '.status.progress.total', description: 'Steps to do.' },
    {
      name: 'ETA',
      type: 'string',
      jsonPath: '.status.progress.eta',
      description: 'Time that the rest will take.',
    },
    {
      name: 'Version',
      type: 'integer',
      jsonPath: '.status.producedVersion.version',
      description: 'Version that was registered.',
    },
    AGE,
  ],
  notes: [
    'A run needs a PersistentVolumeClaim in its namespace and a [ClusterTrainingRuntime](clustertrainingruntime.md). ' +
      'What its model learned from, and what the gate measured, stands in `status`; what the data must look like: ' +
      '[Training data](training-data.md). How the gate decides: [guide](../guides/how-the-gate-decides.md).',
    '',
    UNITS,
  ],
};

export const CLUSTER_TRAINING_RUNTIME_KIND: KindDefinition = {
  names: CLUSTER_TRAINING_RUNTIME,
  schema: clusterTrainingRuntimeSchema,
  scope: 'Cluster',
  columns: [
    { name: 'Image', type: 'string', jsonPath: '.spec.image', description: 'Image of the trainer.' },
    { name: 'Nodes', type: 'integer', jsonPath: '.spec.maxNodes', description: 'Most pods of a run.' },
    AGE,
  ],
  notes: [
    'Whoever may write one may run any image with any folder of a node: leave it to administrators. Everybody may ' +
      'read it.',
    '',
    UNITS,
  ],
};

export const KINDS: readonly KindDefinition[] = [
  PREDICTIVE_SCALER_KIND,
  MODEL_DEPLOYMENT_KIND,
  TRAINING_JOB_KIND,
  CLUSTER_TRAINING_RUNTIME_KIND,
];
