/** The recorded load that the demo replays, and the rule by which a window of it is chosen. */
import { readFileSync } from 'node:fs';

export interface Trace {
  /** Load time of the first value, milliseconds since the epoch. */
  readonly startMs: number;
  readonly stepMs: number;
  readonly values: readonly number[];
}

export const MINUTE_MS = 60_000;
const DAY_MINUTES = 1440;
/** What the forecaster may look back on before the window: two weeks. */
export const HISTORY_MINUTES = 14 * DAY_MINUTES;

export function readTrace(path = new URL('data/nasa-http-1995-08.txt', import.meta.url)): Trace {
  const [head = '', ...lines] = readFileSync(path, 'utf8').trim().split('\n');
  const start = /from (\S+) on/.exec(head)?.[1];
  if (start === undefined) throw new Error(`${path.pathname}: the first line must say "from TIME on"`);
  return { startMs: Date.parse(start), stepMs: MINUTE_MS, values: lines.map(Number) };
}

/** Load at an instant: the value of a minute is held for that minute. */
export function loadAt(trace: Trace, loadMs: number): number | undefined {
  return trace.values[Math.floor((loadMs - trace.startMs) / trace.stepMs)];
}

export interface Window {
  readonly fromMs: number;
  readonly toMs: number;
  /** How it was chosen, for people. */
  readonly rule: string;
}

/**
 * The first working day with two weeks of history before it; of that day the span that begins an hour before the
 * hour in which the load rises most, among the spans without a missing minute (the log of the trace has gaps, which
 * it counts as 0). The rule looks at the load alone, never at what a scaler made of it.
 *
 * @param requested start of another window (ISO time), as in `WINDOW=1995-08-25T09:00Z make demo`
 */
export function chooseWindow(trace: Trace, minutes: number, requested?: string): Window {
  if (requested !== undefined) {
    const fromMs = Date.parse(requested);
    const earliest = trace.startMs + HISTORY_MINUTES * MINUTE_MS;
    const latest = trace.startMs + (trace.values.length - minutes) * MINUTE_MS;
    if (!(fromMs >= earliest && fromMs <= latest)) {
      throw new Error(
        `WINDOW must be a time between ${new Date(earliest).toISOString()} and ${new Date(latest).toISOString()}, not ${requested}`,
      );
    }
    return { fromMs, toMs: fromMs + minutes * MINUTE_MS, rule: 'asked for by WINDOW' };
  }
  for (let day = HISTORY_MINUTES; day + DAY_MINUTES <= trace.values.length; day += DAY_MINUTES) {
    const start = isWorkingDay(trace, day) ? steepest(trace, day, minutes) : undefined;
    if (start === undefined) continue;
    const fromMs = trace.startMs + start * MINUTE_MS;
    return {
      fromMs,
      toMs: fromMs + minutes * MINUTE_MS,
      rule: 'first working day with 14 days of history, from an hour before its steepest hourly rise, no minute missing',
    };
  }
  throw new Error(
    'the trace has no working day with two weeks of history and a window without a missing minute',
  );
}

function isWorkingDay(trace: Trace, minute: number): boolean {
  return ![0, 6].includes(new Date(trace.startMs + minute * MINUTE_MS).getUTCDay());
}

/** Minute at which the window of that day begins. Whole hours, so that the choice does not hang on single minutes. */
function steepest(trace: Trace, day: number, minutes: number): number | undefined {
  const hour = (from: number) => trace.values.slice(from, from + 60).reduce((sum, value) => sum + value, 0);
  let best: number | undefined;
  let rise = -Infinity;
  for (let from = day; from + minutes <= day + DAY_MINUTES; from += 60) {
    const change = hour(from + 60) - hour(from);
    if (change > rise && !trace.values.slice(from, from + minutes).includes(0)) [best, rise] = [from, change];
  }
  return best;
}
