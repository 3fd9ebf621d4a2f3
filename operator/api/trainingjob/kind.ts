/** The kind as a whole: its names, its schema, and how an object from the API server becomes a typed one. */
import { z } from 'zod';
import { API_VERSION, GROUP, metadataSchema, type ObjectMeta, parseObject, VERSION } from '../schema/kind.ts';
import { withChangeRules, withRules } from '../schema/rules.ts';
import { type TrainingJobSpec, trainingJobSpecSchema } from './spec.ts';
import { type TrainingJobStatus, trainingJobStatusSchema } from './status.ts';
import { repeats } from './triggers.ts';

export const TRAINING_JOB = {
  group: GROUP,
  version: VERSION,
  apiVersion: API_VERSION,
  kind: 'TrainingJob',
  listKind: 'TrainingJobList',
  plural: 'trainingjobs',
  singular: 'trainingjob',
  shortNames: ['tjob'],
  categories: ['foresail'],
} as const;

/** A pod's host name has at most 63 characters; `-`, the attempt, `-` and the index of the pod want theirs. */
export const MAX_NAME = 52;
/** Its runs are called after it: `-` and the minutes since 1970, of eight digits until the year 2160. */
export const MAX_REPEATING_NAME = MAX_NAME - 9;

const objectSchema = z
  .object({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal(TRAINING_JOB.kind),
    metadata: metadataSchema,
    spec: trainingJobSpecSchema.describe('What is wanted. The operator never writes it.'),
    status: trainingJobStatusSchema
      .optional()
      .describe('What is. Written when something changed, never for a timestamp alone.'),
  })
  .describe(
    'A TrainingJob trains a forecasting model in distributed Jobs, lets it prove itself against the one that serves, ' +
      'and registers it as a new version; once, or again and again.',
  );

type WithName = { metadata: { name: string }; spec: TrainingJobSpec };

const nameRules = [
  {
    cel: `self.metadata.name.matches('^[a-z]([-a-z0-9]{0,${MAX_NAME - 2}}[a-z0-9])?$')`,
    message: `metadata.name must begin with a letter, hold letters, digits and dashes only, and have at most ${MAX_NAME} characters, because pods are named after it`,
    holds: ({ metadata }: WithName) =>
      new RegExp(`^[a-z]([-a-z0-9]{0,${MAX_NAME - 2}}[a-z0-9])?$`).test(metadata.name),
  },
  {
    cel: `(!has(self.spec.schedule) && !has(self.spec.triggers)) || size(self.metadata.name) <= ${MAX_REPEATING_NAME}`,
    message: `metadata.name must have at most ${MAX_REPEATING_NAME} characters with schedule or triggers, because runs are named after it`,
    holds: ({ metadata, spec }: WithName) => !repeats(spec) || metadata.name.length <= MAX_REPEATING_NAME,
  },
];

/** What the run is about; the rest, such as `suspend` and `backoffLimit`, says how long to go on with it. */
const FROZEN = [
  'runtimeRef',
  'data',
  'model',
  'seed',
  'workers',
  'search',
  'checkpoint',
  'gate',
  'output',
  'schedule',
  'triggers',
  'queueName',
] as const satisfies readonly (keyof TrainingJobSpec)[];

/** `==` of optional values would do, but the API server's estimate of its cost knows no limit. */
function same(field: string): string {
  const [now, before] = [`self.spec.${field}`, `oldSelf.spec.${field}`];
  return `has(${now}) == has(${before}) && (!has(${now}) || ${now} == ${before})`;
}

const frozenRules = FROZEN.map((field) => ({
  cel: `!has(oldSelf.status) || !has(oldSelf.status.startTime) || (${same(field)})`,
  message: `${field} cannot be changed once the run has started: make another TrainingJob`,
  path: ['spec', field],
}));

/** Types, defaults, CRD and reference documentation all come from this schema. */
export const trainingJobSchema = withChangeRules(withRules(objectSchema, ...nameRules), ...frozenRules);

const withoutStatus = withRules(objectSchema.omit({ status: true }), ...nameRules);

export interface TrainingJob {
  apiVersion: typeof API_VERSION;
  kind: typeof TRAINING_JOB.kind;
  metadata: ObjectMeta;
  spec: TrainingJobSpec;
  status?: TrainingJobStatus | undefined;
}

/** @see parseObject */
export function parseTrainingJob(object: unknown): TrainingJob {
  return parseObject(object, withoutStatus, trainingJobStatusSchema);
}
