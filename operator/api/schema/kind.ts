/**
 * What every kind of ours has in common: group and version, its names, its metadata, and how an object from the API
 * server becomes a typed one.
 */
import { z } from 'zod';
import { ForesailError } from '../../errors.ts';

export const GROUP = 'foresail.io';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** Group, version and resource for paths and watches, and the names that people use. */
export interface KindNames {
  readonly group: typeof GROUP;
  readonly version: typeof VERSION;
  readonly apiVersion: typeof API_VERSION;
  readonly kind: string;
  readonly listKind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
}

export const metadataSchema = z.looseObject({
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

export type ObjectMeta = z.infer<typeof metadataSchema>;

/**
 * Reads an object as it came from the API server, with defaults filled in. The server has validated it, but perhaps
 * under another version of the CRD; one bad object must cost that object only.
 *
 * A status that cannot be read is left out: the operator writes it anew.
 *
 * @param withoutStatus schema of the whole object but its status
 * @throws ForesailError `SPEC_INVALID`, terminal: `subject` is the path of the first bad field, the message names
 *   up to three, and neither repeats what the field held.
 */
export function parseObject<O extends object, S>(
  object: unknown,
  withoutStatus: z.ZodType<O>,
  statusSchema: z.ZodType<S>,
): O & { status?: S | undefined } {
  const whole = withoutStatus.safeParse(object, { error: requiredText });
  if (!whole.success) throw specInvalid(whole.error);
  const status = statusSchema.safeParse((object as { status?: unknown }).status);
  return { ...whole.data, ...(status.success ? { status: status.data } : {}) };
}

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
