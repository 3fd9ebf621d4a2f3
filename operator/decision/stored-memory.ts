/** A decision's memory out of a checkpoint: text that may be damaged, older than this code, or somebody's invention. */
import { z } from 'zod';
import type { DecisionMemory } from './types.ts';

const time = z.number().min(0).max(8.64e15);
const replicas = z.int().min(0).max(2_147_483_647);
const events = z.array(z.strictObject({ change: replicas, atMs: time })).max(4096);
const level = z.number();

const memorySchema = z.strictObject({
  recommendations: z.array(z.strictObject({ replicas, atMs: time })).max(4096),
  scaleUps: events,
  scaleDowns: events,
  outliers: z.record(
    z.string().max(16_384),
    z.strictObject({
      acceptedMilli: level,
      acceptedAtMs: time,
      suspect: z
        .strictObject({ milli: level, sinceMs: time, samples: z.int().min(0), lastAtMs: time })
        .exactOptional(),
    }),
  ),
  unknownSinceMs: time.nullable(),
});

/** Undefined when it makes no sense; the scaler then starts as on first sight, which never lowers at once. */
export function parseDecisionMemory(value: unknown): DecisionMemory | undefined {
  const parsed = memorySchema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}
