/**
 * What is scored, and how much one replica carries: the rules that make two backtests comparable. Decisions are scored
 * on the last 70 % of a trace; what lies before is lived through, so that everybody has learned what he can.
 */
import { ForesailError } from '../errors.ts';
import { knownSorted, quantileOf } from './statistics.ts';
import type { Span, Trace } from './trace.ts';

const DAY_MS = 86_400_000;
const SCORED_SHARE = 0.7;

/** Public traces whose usual protocol names days (from, to; the end excluded) instead of a share. */
const SCORED_DAYS: Readonly<Record<string, readonly [from: number, to: number]>> = {
  // The tournament's second month; before it there is next to no load, after it the sites were closed.
  worldcup98_1m: [40, 80],
};

export function scoredSpan(trace: Trace): Span {
  const length = trace.values.length;
  return daysOf(trace) ?? { from: Math.round(length * (1 - SCORED_SHARE)), to: length };
}

function daysOf({ name, stepMs, values }: Trace): Span | undefined {
  const [first, end] = SCORED_DAYS[name] ?? [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const perDay = DAY_MS / stepMs;
  if (first * perDay >= values.length) return undefined;
  return { from: Math.round(first * perDay), to: Math.min(Math.round(end * perDay), values.length) };
}

/** A quantile of the trace's load divided among so many replicas, or a plain number in the load's unit. */
export type CapacityRule =
  | { readonly kind: 'share'; readonly text: string; readonly quantile: number; readonly replicas: number }
  | { readonly kind: 'fixed'; readonly text: string; readonly load: number };

/**
 * @param text `p95/20` (the 95th percentile is carried by 20 replicas) or a number
 * @throws CAPACITY_INVALID
 */
export function parseCapacity(text: string): CapacityRule {
  const [, percent, replicas] = /^p(\d{1,2}(?:\.\d+)?)\/(\d+(?:\.\d+)?)$/.exec(text) ?? [];
  if (percent !== undefined && Number(replicas) > 0)
    return { kind: 'share', text, quantile: Number(percent) / 100, replicas: Number(replicas) };
  const load = Number(text);
  if (text.trim() !== '' && Number.isFinite(load) && load > 0) return { kind: 'fixed', text, load };
  throw new ForesailError(
    'CAPACITY_INVALID',
    'terminal',
    `capacity "${text}" is neither a load above 0 nor of the form p95/20`,
    { subject: 'capacity' },
  );
}

/**
 * Load per replica, in the trace's unit, from all of the trace (or the days that its protocol names): capacity is a
 * property of the target, not of what was known at some time.
 *
 * @throws TRACE_INVALID when the rule finds no load in the trace
 */
export function capacityOf(trace: Trace, rule: CapacityRule): number {
  if (rule.kind === 'fixed') return rule.load;
  const { from, to } = daysOf(trace) ?? { from: 0, to: trace.values.length };
  const capacity = quantileOf(knownSorted(trace.values.slice(from, to)), rule.quantile) / rule.replicas;
  if (capacity > 0) return capacity;
  throw new ForesailError(
    'TRACE_INVALID',
    'terminal',
    `its ${rule.text} is ${capacity}, so no replica can be given a capacity`,
    { subject: trace.name },
  );
}
