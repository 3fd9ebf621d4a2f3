/** The kind as a whole: its names, its schema, and how an object from the API server becomes a typed one. */
import { z } from 'zod';
import { API_VERSION, GROUP, metadataSchema, type ObjectMeta, parseObject, VERSION } from '../schema/kind.ts';
import { type PredictiveScalerSpec, predictiveScalerSpecSchema } from './spec.ts';
import { type PredictiveScalerStatus, predictiveScalerStatusSchema } from './status.ts';

export { API_VERSION, GROUP, type ObjectMeta, VERSION } from '../schema/kind.ts';

export const PREDICTIVE_SCALER = {
  group: GROUP,
  version: VERSION,
  apiVersion: API_VERSION,
  kind: 'PredictiveScaler',
  listKind: 'PredictiveScalerList',
  plural: 'predictivescalers',
  singular: 'predictivescaler',
  shortNames: ['psc'],
  categories: ['foresail'],
} as const;

/** Types, defaults, CRD and reference documentation all come from this schema. */
export const predictiveScalerSchema = z
  .object({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal(PREDICTIVE_SCALER.kind),
    metadata: metadataSchema,
    spec: predictiveScalerSpecSchema.describe('What is wanted. The operator never writes it.'),
    status: predictiveScalerStatusSchema
      .optional()
      .describe('What is. Written when something changed, never for a timestamp alone.'),
  })
  .describe(
    'A PredictiveScaler scales a workload before the load arrives. It takes every field of an autoscaling/v2 ' +
      'HorizontalPodAutoscaler and adds a calibrated forecast.',
  );

export interface PredictiveScaler {
  apiVersion: typeof API_VERSION;
  kind: typeof PREDICTIVE_SCALER.kind;
  metadata: ObjectMeta;
  spec: PredictiveScalerSpec;
  status?: PredictiveScalerStatus | undefined;
}

/** @see parseObject */
export function parsePredictiveScaler(object: unknown): PredictiveScaler {
  return parseObject(object, withoutStatus, predictiveScalerStatusSchema);
}

const withoutStatus = predictiveScalerSchema.omit({ status: true });
