/** The kind as a whole. It has no status and no controller: runs read it when they begin an attempt. */
import { z } from 'zod';
import { API_VERSION, GROUP, metadataSchema, parseObject, VERSION } from '../schema/kind.ts';
import { type ClusterTrainingRuntimeSpec, clusterTrainingRuntimeSpecSchema } from './spec.ts';

export const CLUSTER_TRAINING_RUNTIME = {
  group: GROUP,
  version: VERSION,
  apiVersion: API_VERSION,
  kind: 'ClusterTrainingRuntime',
  listKind: 'ClusterTrainingRuntimeList',
  plural: 'clustertrainingruntimes',
  singular: 'clustertrainingruntime',
  shortNames: ['ctr'],
  categories: ['foresail'],
} as const;

/** Types, defaults, CRD and reference documentation all come from this schema. */
export const clusterTrainingRuntimeSchema = z
  .object({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal(CLUSTER_TRAINING_RUNTIME.kind),
    metadata: metadataSchema.omit({ namespace: true }).loose(),
    spec: clusterTrainingRuntimeSpecSchema.describe('What runs that name it are made of.'),
  })
  .describe(
    'A ClusterTrainingRuntime is what the pods of TrainingJobs run: image, volumes, resources, security. It belongs to ' +
      'the administrator; a TrainingJob can only name it.',
  );

export interface ClusterTrainingRuntime {
  apiVersion: typeof API_VERSION;
  kind: typeof CLUSTER_TRAINING_RUNTIME.kind;
  metadata: z.infer<typeof clusterTrainingRuntimeSchema>['metadata'];
  spec: ClusterTrainingRuntimeSpec;
}

/** @see parseObject */
export function parseClusterTrainingRuntime(object: unknown): ClusterTrainingRuntime {
  return parseObject(object, clusterTrainingRuntimeSchema, z.undefined());
}
