/** The kind as a whole: its names, its schema, and how an object from the API server becomes a typed one. */
import { z } from 'zod';
import { ForesailError } from '../../errors.ts';
import { type PredictiveScalerSpec, predictiveScalerSpecSchema } from './spec.ts';
import { type PredictiveScalerStatus, predictiveScalerStatusSchema } from './status.ts';

export const GROUP = 'foresail.io';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** Group, version and resource for paths and watches, and the names that people use. */
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

const metadataSchema = z.looseObject({
  name: z.string(),
  namespace: z.string(),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  generation: z.int().optional(),
  creationTimestamp: z.string().optional(),
  deletionTimestamp: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});

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

export type ObjectMeta = z.infer<typeof metadataSchema>;

export interface PredictiveScaler {
  apiVersion: typeof API_VERSION;
  kind: typeof PREDICTIVE_SCALER.kind;
  metadata: ObjectMeta;
  spec: PredictiveScalerSpec;
  status?: PredictiveScalerStatus | undefined;
}

/**
 * Reads an object as it came from the API server, with defaults filled in. The server has validated it, but perhaps
 * under another version of the CRD; one bad object must cost that object only.
 *
 * A status that cannot be read is left out: the operator writes it anew, and it decides nothing.
 *
 * @throws ForesailError `SPEC_INVALID`, terminal: `subject` is the path of the first bad field, the message names
 *   up to three, and neither repeats what the field held.
 */
export function parsePredictiveScaler(object: unknown): PredictiveScaler {
  const whole = withoutStatus.safeParse(object, { error: requiredText });
  if (!whole.success) throw specInvalid(whole.error);
  const status = predictiveScalerStatusSchema.safeParse((object as { status?: unknown }).status);
  return status.success ? { ...whole.data, status: status.data } : whole.data;
}

const withoutStatus = predictiveScalerSchema.omit({ status: true });

const SHOWN_ISSUES = 3;

/** Says "is required" where zod speaks of undefined; leaves every other text alone. */
function requiredText(issue: { readonly input?: unknown }): string | undefined {
  return issue.input === undefined ? 'is required' : undefined;
}

function specInvalid(error: z.ZodError): ForesailError {
  const paths = error.issues.map((issue) => pathText(issue.path));
  const shown = error.issues.slice(0, SHOWN_ISSUES).map((issue, i) => `${paths[i]}: ${issue.message}`);
  const more = error.issues.length - shown.length;
  const message = shown.join('; ') + (more > 0 ? `; and ${more} more` : '');
  return new ForesailError('SPEC_INVALID', 'terminal', message, { subject: paths[0] ?? '' });
}

/** `['spec', 'metrics', 0, 'type']` as `spec.metrics[0].type`. */
function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'object';
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}
