/** A duration in the administrator's files: text like `90s` in, milliseconds out, inside bounds that make sense. */
import { z } from 'zod';
import { parseDurationMs } from './duration.ts';

/** @param least shortest that makes sense; a period of nothing would be a busy loop */
export const configDuration = (fallback: string, least = '0s', most = '87600h') =>
  z
    .string()
    .default(fallback)
    .transform((text, context) => {
      try {
        const ms = parseDurationMs(text);
        if (ms >= parseDurationMs(least) && ms <= parseDurationMs(most)) return ms;
      } catch {
        // Reported below, in the same words.
      }
      context.addIssue({ code: 'custom', message: `must be a duration between ${least} and ${most}` });
      return z.NEVER;
    });
