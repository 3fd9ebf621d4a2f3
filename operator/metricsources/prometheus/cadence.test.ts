import { describe, expect, test } from '@jest/globals';
import { enforceLabelIn } from '../promql/enforce.ts';
import { parseQuery } from '../promql/parser.ts';
import { never, prometheusRequest, serverEntry, sourcesFor } from '../testing/requests.ts';
import { json, type Script, scriptedServer } from '../testing/scripted-server.ts';
import type { Answer } from './answer.ts';
import { cadenceOf, cadenceQuery } from './cadence.ts';

const MINUTE = 60_000;

/** Samples in the last hour and in its last third, per selector. */
function counted(...counts: readonly (readonly [hour: number, third: number])[]): Answer {
  const series = counts.flatMap(([hour, third], index) => [
    one(String(index), 'hour', hour),
    one(String(index), 'third', third),
  ]);
  return { type: 'vector', series };
}

function one(index: string, span: string, value: number) {
  return { labels: { foresail_selector: index, foresail_span: span }, samples: [{ atMs: 0, value }] };
}

test('the question counts the raw samples of each selector, within the tenant’s namespace', () => {
  const query = parseQuery('sum(rate(a{x="1"}[5m])) / sum(b)');
  const text = cadenceQuery(query, { label: 'namespace', value: 'shop' }) ?? '';
  expect(text).toContain('max(count_over_time(a{x="1",namespace="shop"}[1h]))');
  expect(text).toContain('max(count_over_time(b{namespace="shop"}[20m]))');
  // Whatever we ask must itself be a query that can be tied to a namespace.
  expect(() => enforceLabelIn(text, { label: 'namespace', value: 'shop' })).not.toThrow();
  expect(cadenceQuery(parseQuery('vector(1)'), undefined)).toBeUndefined();
});

describe('the answer', () => {
  test.each([
    ['every 15 s', counted([240, 80]), 15_000],
    ['every minute', counted([60, 20]), MINUTE],
    ['every minute, the edge took one', counted([60, 21]), MINUTE],
    ['every five minutes', counted([12, 4]), 5 * MINUTE],
    ['every twenty minutes', counted([3, 1]), 20 * MINUTE],
    ['the fastest of two selectors', counted([12, 4], [60, 20]), MINUTE],
    ['a few scrapes missed', counted([220, 79]), 3_600_000 / 220],
  ])('%s', (_what, answer, expected) => {
    expect(cadenceOf(answer)).toBe(expected);
  });

  test.each([
    ['a series of 25 minutes’ age', counted([25, 20])],
    ['a rhythm that was changed half an hour ago', counted([36, 4])],
    ['too few samples', counted([2, 1])],
    ['no series at all', counted()],
    ['text for a number', counted([Number.NaN, Number.NaN])],
  ])('%s says nothing', (_what, answer) => {
    expect(cadenceOf(answer)).toBeUndefined();
  });
});

test('is asked of the server of the metric, and an error is an unknown with a reason', async () => {
  let failing = false;
  const script: Script = (response, asked) => {
    if (failing) json('', 500)(response, asked);
    else
      json({
        status: 'success',
        data: {
          resultType: 'vector',
          result: [
            { metric: { foresail_selector: '0', foresail_span: 'hour' }, value: [1, '12'] },
            { metric: { foresail_selector: '0', foresail_span: 'third' }, value: [1, '4'] },
          ],
        },
      })(response, asked);
  };
  await using server = await scriptedServer(script);
  await using sources = sourcesFor([serverEntry(server.url)]);
  const ask = () => sources.cadence(prometheusRequest(), never());
  expect(await ask()).toMatchObject({ kind: 'value', value: 5 * MINUTE });
  failing = true;
  expect(await ask()).toMatchObject({ kind: 'unknown', reason: 'Unreachable' });
});
