/** The kind as a whole: its names, its schema, and how an object from the API server becomes a typed one. */
import { z } from 'zod';
import { API_VERSION, GROUP, metadataSchema, type ObjectMeta, parseObject, VERSION } from '../schema/kind.ts';
import { withRules } from '../schema/rules.ts';
import { type ModelDeploymentSpec, modelDeploymentSpecSchema } from './spec.ts';
import { type ModelDeploymentStatus, modelDeploymentStatusSchema } from './status.ts';

export const MODEL_DEPLOYMENT = {
  group: GROUP,
  version: VERSION,
  apiVersion: API_VERSION,
  kind: 'ModelDeployment',
  listKind: 'ModelDeploymentList',
  plural: 'modeldeployments',
  singular: 'modeldeployment',
  shortNames: ['mdep'],
  categories: ['foresail'],
} as const;

/** A Service’s name has at most 63 characters; `-v` and the number of a version want theirs. */
const MAX_NAME = 50;

const objectSchema = z
  .object({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal(MODEL_DEPLOYMENT.kind),
    metadata: metadataSchema,
    spec: modelDeploymentSpecSchema.describe('What is wanted. The operator never writes it.'),
    status: modelDeploymentStatusSchema
      .optional()
      .describe('What is. Written when something changed, never for a timestamp alone.'),
  })
  .describe(
    'A ModelDeployment serves an ONNX model over the Open Inference Protocol, lets a new version prove itself ' +
      'beside the one that serves, and promotes it or goes back.',
  );

const nameRule = {
  cel: `self.metadata.name.matches('^[a-z]([-a-z0-9]{0,${MAX_NAME - 2}}[a-z0-9])?$')`,
  message: `metadata.name must begin with a letter, hold letters, digits and dashes only, and have at most ${MAX_NAME} characters, because Services are named after it`,
  holds: ({ metadata }: { metadata: { name: string } }) =>
    new RegExp(`^[a-z]([-a-z0-9]{0,${MAX_NAME - 2}}[a-z0-9])?$`).test(metadata.name),
};

/** Types, defaults, CRD and reference documentation all come from this schema. */
export const modelDeploymentSchema = withRules(objectSchema, nameRule);

const withoutStatus = withRules(objectSchema.omit({ status: true }), nameRule);

export interface ModelDeployment {
  apiVersion: typeof API_VERSION;
  kind: typeof MODEL_DEPLOYMENT.kind;
  metadata: ObjectMeta;
  spec: ModelDeploymentSpec;
  status?: ModelDeploymentStatus | undefined;
}

/** @see parseObject */
export function parseModelDeployment(object: unknown): ModelDeployment {
  return parseObject(object, withoutStatus, modelDeploymentStatusSchema);
}
