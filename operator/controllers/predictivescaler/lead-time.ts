/** Which lead time is in force: the user's, the learned one, or an assumption that says that it is one. */
import { parseDurationMs } from '../../duration.ts';
import type { LeadTime } from '../../forecast/types.ts';

export interface Lead {
  /** Real time from ordering a replica until it serves. */
  readonly ms: number;
  readonly source: 'Configured' | 'Learned' | 'Assumed';
  readonly learned: LeadTime | undefined;
}

/** Fewer starts than this are an anecdote. */
const MIN_SAMPLES = 3;

export function leadTimeOf(
  configured: string | undefined,
  learned: LeadTime | undefined,
  assumedMs: number,
): Lead {
  if (configured !== undefined) return { ms: parseDurationMs(configured), source: 'Configured', learned };
  if (learned !== undefined && learned.samples >= MIN_SAMPLES)
    return { ms: learned.p90Ms, source: 'Learned', learned };
  return { ms: assumedMs, source: 'Assumed', learned };
}
