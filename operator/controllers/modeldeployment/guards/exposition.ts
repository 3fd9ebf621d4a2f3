/**
 * Reads what a pod's server counts of one version out of its `/metrics`. Only the series that guards compare are looked
 * at, and nothing is believed: what is no number is not there, and what is not there is unknown, not zero.
 */

/** Counters of one version in one pod since its process began. */
export interface PodCounters {
  /** When the process began, seconds since the epoch: another one means that all counters began anew. */
  readonly startedAt: number;
  /** Requests by how they ended; one that ended in no way yet is absent. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Answers with NaN or infinity; undefined from a server that does not count them. */
  readonly nonFinite: number | undefined;
  /** Answers by time: upper bound in seconds to how many were as fast or faster. */
  readonly latency: ReadonlyMap<number, number>;
}

const REQUESTS = 'foresail_inference_requests_total';
const NON_FINITE = 'foresail_inference_nonfinite_answers_total';
const LATENCY = 'foresail_inference_request_duration_seconds_bucket';
const STARTED = 'process_start_time_seconds';

const LINE = /^([A-Za-z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? ([^ ]+)/;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** @returns undefined when the text is not what a server of ours writes */
export function readCounters(text: string, model: string, version: number): PodCounters | undefined {
  let startedAt: number | undefined;
  let nonFinite: number | undefined;
  const outcomes = new Map<string, number>();
  const latency = new Map<number, number>();
  for (const line of text.split('\n')) {
    const [, name, labelText = '', valueText = ''] = LINE.exec(line) ?? [];
    if (name !== STARTED && name !== REQUESTS && name !== NON_FINITE && name !== LATENCY) continue;
    const value = Number(valueText);
    if (!Number.isFinite(value) || value < 0) return undefined;
    if (name === STARTED) {
      startedAt = value;
      continue;
    }
    const labels = new Map([...labelText.matchAll(LABEL)].map(([, key = '', text = '']) => [key, text]));
    if (labels.get('model') !== model || labels.get('version') !== String(version)) continue;
    if (name === REQUESTS) outcomes.set(labels.get('outcome') ?? '', value);
    else if (name === NON_FINITE) nonFinite = value;
    else {
      const bound = labels.get('le') === '+Inf' ? Infinity : Number(labels.get('le'));
      if (!Number.isNaN(bound)) latency.set(bound, value);
    }
  }
  return startedAt === undefined ? undefined : { startedAt, outcomes, nonFinite, latency };
}
