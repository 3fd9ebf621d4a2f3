/**
 * The last words of a pod's container (`/dev/termination-log`): the same report as over HTTP, which survives operator,
 * network and pod as long as the pod's object does.
 */
import { isForesailError } from '../errors.ts';
import { parseReport, type Reports } from './bodies.ts';

export type LastWords = Partial<Omit<Reports, 'progress'>>;

/** What Kubernetes keeps of them. */
const MAX_BYTES = 4096;

/** Empty for what is no report, such as the last lines of a log: a crash has words of its own. */
export function parseLastWords(text: string | undefined): LastWords {
  if (text === undefined || text.length > MAX_BYTES || !text.startsWith('{')) return {};
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return {};
  }
  const words: { -readonly [K in keyof LastWords]: LastWords[K] } = {};
  for (const kind of ['error', 'result', 'gate', 'trials'] as const) {
    const body = (said as Record<string, unknown>)[kind];
    if (body === undefined) continue;
    try {
      Object.assign(words, { [kind]: parseReport(kind, body) });
    } catch (error) {
      if (!isForesailError(error, 'REPORT_INVALID')) throw error;
    }
  }
  return words;
}
