/** What the pods of a run may say, checked: each error names the field, and nothing they say is longer than a status takes. */
import { z } from 'zod';
import { ForesailError } from '../errors.ts';
import type {
  ErrorReport,
  GateReport,
  Lineage,
  ProgressReport,
  ResultReport,
  TrialsReport,
} from './types.ts';

/** Sums of some are whole numbers still. */
const count = z.int().min(0).max(1e12);
/** JSON has no NaN, but `1e400` is read as infinity; zod refuses that. */
const number = z.number();
const known = number.nullable().default(null);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, { error: 'must be 64 hex digits in lower case' });
/** A status takes nothing else, and a run must not stand still for want of it: the gate says what a lineage lacks. */
const time = z.iso.datetime({ offset: true }).max(64).nullish().catch(undefined);
/** Ten years; a first slow step promises more, and nobody knows then. */
const LONGEST_S = 315_576_000;
const seconds = z
  .number()
  .min(0)
  .nullable()
  .default(null)
  .transform((value) => (value !== null && value > LONGEST_S ? null : value));

/** For status, events and logs. */
const oneLine = (max: number) =>
  z
    .string()
    .max(max)
    // oxlint-disable-next-line no-control-regex
    .transform((text) => text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim());
const line = (max: number) => oneLine(max).pipe(z.string().min(1));

const scores = z
  .record(z.string().max(128), z.number().nullable())
  .refine((map) => Object.keys(map).length <= 64, { error: 'must have at most 64 keys' });

/** Of a lineage, which may bring tables too: they stay in the run's folder. */
const figures = z.record(z.string(), z.unknown()).transform((all) =>
  Object.fromEntries(
    Object.entries(all)
      .filter((pair): pair is [string, number] => typeof pair[1] === 'number' && pair[0].length <= 128)
      .slice(0, 64),
  ),
);

/** What nobody reads is left out: reports of many runs are kept in memory. */
const lineage: z.ZodType<Lineage> = z.object({
  schema: z.literal(1),
  name: line(253),
  family: line(63),
  sha256,
  seed: count.optional(),
  code: z.object({ package: line(128).optional(), sha256: sha256.optional() }).optional(),
  data: z.object({
    from: line(2048).optional(),
    sha256: sha256.optional(),
    series: count.optional(),
    points: count.optional(),
    firstTime: time,
    trainEnd: time,
    validateEnd: time,
    lastTime: time,
  }),
  scores: figures.optional(),
  attempts: z.array(count).max(1000).optional(),
  createdAt: time,
});

const schemas = {
  progress: z
    .object({
      step: count,
      total: count,
      rank: count.default(0),
      workers: z.int().min(1).max(4096),
      loss: known,
      score: known,
      checkpointStep: count.nullable().default(null),
      samplesPerSecond: number.min(0).nullable().default(null),
      etaSeconds: seconds,
      prepared: count.optional(),
      checkpointError: line(1024).nullish(),
      device: oneLine(64).default(''),
    })
    .refine(({ step, total }) => step <= total, { path: ['step'], error: 'must not be above total' }),
  error: z.object({
    code: z.string().regex(/^[A-Z][A-Z0-9_]{0,62}$/, { error: 'must be upper snake case' }),
    message: line(1024),
  }),
  result: z.object({ sha256, sizeBytes: count, lineage: lineage.nullable() }),
  gate: z
    .object({
      verdict: z.enum(['Pass', 'Fail']),
      failed: z.array(line(63)).max(16).default([]),
      scores: scores.default({}),
      published: z
        .object({ storageUri: z.string().min(1).max(2048), sha256 })
        .nullable()
        .default(null),
    })
    .refine(({ verdict, failed }) => (verdict === 'Pass') === (failed.length === 0), {
      path: ['failed'],
      error: 'must name a gate when the verdict is Fail, and none when it is Pass',
    }),
  trials: z.object({
    finished: count,
    pruned: count,
    failed: count,
    best: z
      .object({
        trial: count,
        params: z
          .record(z.string().max(128), number)
          .refine((map) => Object.keys(map).length <= 64, { error: 'must have at most 64 keys' }),
        score: number,
      })
      .nullable()
      .default(null),
  }),
} as const;

export interface Reports {
  readonly progress: ProgressReport;
  readonly error: ErrorReport;
  readonly result: ResultReport;
  readonly gate: GateReport;
  readonly trials: TrialsReport;
}

export type ReportKind = keyof Reports;

/** @throws ForesailError `REPORT_INVALID`, terminal: `subject` is the field, and what it held is not repeated. */
export function parseReport<K extends ReportKind>(kind: K, body: unknown): Reports[K] {
  const result = schemas[kind].safeParse(body);
  if (result.success) return result.data as unknown as Reports[K];
  const [issue] = result.error.issues;
  const field = issue?.path.map(String).join('.') || 'body';
  throw new ForesailError('REPORT_INVALID', 'terminal', `${field}: ${issue?.message ?? 'is invalid'}`, {
    subject: field,
  });
}
