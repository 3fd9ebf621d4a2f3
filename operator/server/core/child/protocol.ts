/** What server and child say to each other besides tensors: small JSON texts, checked on arrival. */
import { z } from 'zod';
import type { TensorSpec } from '../types.ts';

export type Provider = 'cpu' | 'cuda' | 'tensorrt';

/** Server to child, in front of the model's bytes: `[u32 length of this JSON][JSON][padding][bytes]`. */
export interface LoadOrder {
  readonly provider: Provider;
  readonly intraOpThreads: number;
  readonly interOpThreads: number;
  readonly modelBytes: number;
  /** A larger answer is refused where it arises. */
  readonly maxResultBytes: number;
}

const specSchema = z.object({
  name: z.string().min(1).max(1024),
  datatype: z.enum([
    'BOOL',
    'UINT8',
    'UINT16',
    'UINT32',
    'UINT64',
    'INT8',
    'INT16',
    'INT32',
    'INT64',
    'FP16',
    'FP32',
    'FP64',
    'BYTES',
  ]),
  shape: z.array(z.int().min(-1)).max(16),
});

/** As long as a text of a model's metadata may be. */
const MAX_GOLDEN_TEXT = 64 * 1024;

export const signatureSchema = z.object({
  opset: z.int().positive(),
  /** The same input has not always the same answer. */
  random: z.boolean(),
  /** Golden vectors that the file itself carries, as it has them. */
  golden: z.string().max(MAX_GOLDEN_TEXT).optional(),
  /** Only for a file that keeps the forecast contract. */
  forecast: z
    .object({
      name: z.string().max(128),
      version: z.string().max(128),
      horizon: z.int().positive(),
      levels: z.array(z.number()).max(101),
    })
    .optional(),
  inputs: z.array(specSchema).max(256),
  outputs: z.array(specSchema).min(1).max(256),
});

type Checked = z.infer<typeof signatureSchema>;

export interface Signature {
  readonly opset: number;
  readonly random: boolean;
  readonly golden?: string | undefined;
  readonly forecast?: Readonly<Checked['forecast']>;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}
