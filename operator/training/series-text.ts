/**
 * A part of a series as JSON. Writing a hundred thousand numbers takes a tenth of a second, which others would wait
 * for, so it is done a few thousand at a time.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SeriesPart } from './data-export.ts';

const VALUES_PER_TURN = 4096;

/** `{"key", "t0", "stepSeconds", "values": [number or null, …]}`; null is unknown, never zero. */
export async function seriesText({ values, ...head }: SeriesPart): Promise<string> {
  const parts: string[] = [];
  for (let i = 0; i < values.length; i += VALUES_PER_TURN) {
    const slice = values.subarray(i, i + VALUES_PER_TURN);
    parts.push(Array.from(slice, (value) => (Number.isFinite(value) ? String(value) : 'null')).join());
    // oxlint-disable-next-line no-await-in-loop -- that is the point
    await nextTurn();
  }
  return `${JSON.stringify(head).slice(0, -1)},"values":[${parts.join()}]}`;
}
