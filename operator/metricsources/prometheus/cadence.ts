/**
 * How far apart the samples behind a query lie. A range query answers at any spacing that is asked for and repeats the
 * last sample in between, so the answer itself does not tell; what tells is how many raw samples an hour holds.
 *
 * A series that is younger than the hour holds fewer. It is noticed because the last third of the hour then holds
 * more than a third of the samples; such a series says nothing yet.
 */
import { type LabelMatcher, renderSelector } from '../promql/enforce.ts';
import type { Query } from '../promql/parser.ts';
import type { Answer } from './answer.ts';
import { liveSelectors } from './freshness.ts';

const indexLabel = 'foresail_selector';
const spanLabel = 'foresail_span';
const hourMs = 3_600_000;
const spans = { hour: '1h', third: '20m' } as const;
/** Below this many an hour tells little. */
const fewest = 3;

/** A query for the number of samples per hour of each selector's densest series; undefined when there is none. */
export function cadenceQuery(query: Query, matcher: LabelMatcher | undefined): string | undefined {
  const parts = liveSelectors(query).flatMap((selector, index) =>
    Object.entries(spans).map(([span, range]) => {
      const count = `max(count_over_time(${renderSelector(selector, matcher)}[${range}]))`;
      const indexed = `label_replace(${count}, "${indexLabel}", "${index}", "", "")`;
      return `label_replace(${indexed}, "${spanLabel}", "${span}", "", "")`;
    }),
  );
  return parts.length === 0 ? undefined : parts.join(' or ');
}

/**
 * Milliseconds between two samples of the fastest selector: as often as that one changes, the value changes. Undefined
 * while no selector has had one rhythm for an hour.
 */
export function cadenceOf(answer: Answer): number | undefined {
  const counts = new Map<string, { hour?: number; third?: number }>();
  for (const { labels, samples } of answer.series) {
    const index = String(labels[indexLabel]);
    const span = labels[spanLabel];
    if (span === 'hour' || span === 'third')
      counts.set(index, { ...counts.get(index), [span]: samples[0]?.value ?? Number.NaN });
  }
  const cadences = [...counts.values()].flatMap(({ hour = 0, third = 0 }) => {
    const expected = hour / 3;
    // One more or less by where the edges fall, a tenth by scrapes that were missed.
    const steady = Math.abs(third - expected) <= Math.max(1, expected / 10);
    return hour >= fewest && steady ? [hourMs / hour] : [];
  });
  return cadences.length === 0 ? undefined : Math.min(...cadences);
}
