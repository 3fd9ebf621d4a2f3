/** Where a candidate comes from, as its trainer wrote it beside the file. */
import { z } from 'zod';
import { ForesailError } from '../errors.ts';

const digest = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits');
const time = z.iso.datetime({ offset: true });

/** What the gate reads; whatever else stands there is kept. */
const schema = z.looseObject({
  schema: z.literal(1),
  name: z.string().min(1).max(128),
  family: z.string().min(1).max(128),
  /** Of model.onnx. */
  sha256: digest,
  seed: z.int().optional(),
  code: z.looseObject({ package: z.string().max(128).optional(), sha256: digest.optional() }).optional(),
  data: z.looseObject({
    from: z.string().max(2048).optional(),
    /** Of the manifest of the training folder. */
    sha256: digest.optional(),
    series: z.int().min(0).optional(),
    points: z.int().min(0).optional(),
    firstTime: time.optional(),
    lastTime: time.optional(),
    trainEnd: time,
    validateEnd: time,
  }),
  attempts: z.array(z.int()).optional(),
});

export type Lineage = z.infer<typeof schema>;

/** @throws LINEAGE_INVALID (terminal) that names the field */
export function parseLineage(text: string, file: string): Lineage {
  let json: unknown;
  try {
    // The trainer writes null for what it does not know.
    json = JSON.parse(text, (_, value: unknown) => value ?? undefined);
  } catch (cause) {
    throw invalid(file, 'is no JSON', cause);
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw invalid(file, `${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'is invalid'}`);
}

function invalid(file: string, why: string, cause?: unknown): ForesailError {
  return new ForesailError('LINEAGE_INVALID', 'terminal', `${file}: ${why}`, { subject: file, cause });
}
