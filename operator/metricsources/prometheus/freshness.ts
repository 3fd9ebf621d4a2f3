/**
 * How old the samples behind a value are. An instant query answers with the time at which it was evaluated, so a
 * series that stopped four minutes ago looks as young as one that lives. The age is asked for with `timestamp()` of
 * each selector in the query. That costs a second query, but seldom: a sample seen at T keeps the value at most
 * `now - T` old, so while that is well below the limit there is nothing to ask.
 *
 * What cannot be seen: an exporter that hangs and goes on serving the same numbers. For that there is the flat line.
 */

import type { LabelMatcher } from '../promql/enforce.ts';
import { renderSelector } from '../promql/enforce.ts';
import type { Query, Selector } from '../promql/parser.ts';
import { ReadError } from '../read-error.ts';
import type { Answer } from './answer.ts';

const indexLabel = 'foresail_selector';
/** Prometheus looks back five minutes for an instant selector; further only when told how far. */
const lookbackMs = 300_000;

/** The selectors whose newest samples make the value, each once. */
export function liveSelectors(query: Query): readonly Selector[] {
  const seen = new Set<string>();
  return query.selectors.filter((selector) => {
    const text = renderSelector(selector);
    if (selector.moved || seen.has(text)) return false;
    seen.add(text);
    return true;
  });
}

/** A query for the time of the newest sample of each selector, or undefined when there is nothing to ask. */
export function freshnessQuery(
  query: Query,
  maxAgeMs: number,
  matcher: LabelMatcher | undefined,
): string | undefined {
  const parts = liveSelectors(query).map((selector, index) => {
    const stamp = `timestamp(${renderSelector(selector, matcher)})`;
    const newest =
      maxAgeMs <= lookbackMs
        ? `max(${stamp})`
        : `max(max_over_time(${stamp}[${Math.ceil(maxAgeMs / 1000)}s:1m]))`;
    return `label_replace(${newest}, "${indexLabel}", "${index}", "", "")`;
  });
  return parts.length === 0 ? undefined : parts.join(' or ');
}

/**
 * The time that the age of the value counts from, in milliseconds since the epoch; undefined when the query itself
 * says what to take where there is no sample. Throws Stale when a selector that the value needs has none.
 */
export function newestSample(query: Query, answer: Answer): number | undefined {
  const times = answer.series.map(({ samples }) => (samples[0]?.value ?? Number.NaN) * 1000);
  if (times.some((time) => !Number.isFinite(time)))
    throw new ReadError('BadAnswer', 'the server does not say how old the samples are');
  if (query.tolerant) {
    if (times.length > 0) return Math.max(...times);
    if (query.defaulting) return undefined;
  }
  const needed = query.tolerant ? 1 : liveSelectors(query).length;
  if (times.length < needed)
    throw new ReadError(
      'Stale',
      'the query still gives a value, but a series behind it has no recent sample',
    );
  return Math.min(...times);
}

/** A load that does not move by one bit for hours. Zero is exempt: an idle service is a normal thing. */
export class FlatLine {
  #value = Number.NaN;
  #sinceMs = 0;

  /** How long the value has been what it is. */
  ageMs(value: number, atMs: number): number {
    if (value !== this.#value || value === 0) {
      this.#value = value;
      this.#sinceMs = atMs;
    }
    return Math.max(0, atMs - this.#sinceMs);
  }
}
