/** A value can look young while the samples behind it are old. */
import { describe, expect, test } from '@jest/globals';
import { systemClock } from '../../clock.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { parseQuery } from '../promql/parser.ts';
import { ReadError } from '../read-error.ts';
import { never, prometheusRequest, serverEntry, sourcesFor } from '../testing/requests.ts';
import { json, type Script, scriptedServer, vector } from '../testing/scripted-server.ts';
import { parseAnswer } from './answer.ts';
import { FlatLine, freshnessQuery, newestSample } from './freshness.ts';

const probe = (query: string, maxAgeMs = 300_000) => freshnessQuery(parseQuery(query), maxAgeMs, undefined);

describe('the question after the age', () => {
  test('names each selector once, without its range', () => {
    expect(probe('sum(rate(a{x="1"}[5m])) / sum(b) + sum(b)')).toBe(
      'label_replace(max(timestamp(a{x="1"})), "foresail_selector", "0", "", "") or ' +
        'label_replace(max(timestamp(b{})), "foresail_selector", "1", "", "")',
    );
  });
  test('looks back further when older samples are allowed', () => {
    expect(probe('a', 3_600_000)).toContain('max(max_over_time(timestamp(a{})[3600s:1m]))');
  });
  test.each(['vector(1)', 'time()', 'a offset 1w', 'a @ 5', '(a + b) offset 5m', 'rate(a[5m] @ end())'])(
    'has nothing to ask for %s',
    (query) => {
      expect(probe(query)).toBeUndefined();
    },
  );
});

describe('the age counts from', () => {
  const newest = (query: string, secondsAgo: readonly number[]): number | string | undefined => {
    const now = 1_700_000_000;
    const body = vector(secondsAgo.map((ago) => String(now - ago)));
    try {
      const at = newestSample(parseQuery(query), parseAnswer(JSON.stringify(body)));
      return at === undefined ? undefined : now - at / 1000;
    } catch (error) {
      if (error instanceof ReadError) return error.reason;
      throw error;
    }
  };
  const rows: readonly (readonly [string, string, readonly number[], number | string | undefined])[] = [
    ['the oldest of the selectors that are needed', 'a / b', [10, 200], 200],
    ['nothing when one of them has no sample', 'a / b', [10], 'Stale'],
    ['nothing when none has', 'sum(a)', [], 'Stale'],
    ['the newest of alternatives', 'a or b', [10, 200], 10],
    ['the one alternative that is there', 'a or b', [200], 200],
    ['nothing when no alternative is there', 'a or b', [], 'Stale'],
    ['a sample rather than the default', 'sum(a) or vector(0)', [200], 200],
    ['no sample when the author gives a default', 'sum(a) or vector(0)', [], undefined],
    ['no sample when absence itself is asked for', 'absent(a)', [], undefined],
  ];
  test.each(rows)('%s', (_, query, ago, expected) => {
    expect(newest(query, ago)).toBe(expected);
  });
});

test('a flat line counts from its first equal value; zero never does', () => {
  const line = new FlatLine();
  expect([
    line.ageMs(5, 0),
    line.ageMs(5, 100),
    line.ageMs(5.000001, 200),
    line.ageMs(5.000001, 250),
  ]).toEqual([0, 100, 0, 50]);
  expect([line.ageMs(0, 300), line.ageMs(0, 400), line.ageMs(5, 500)]).toEqual([0, 0, 0]);
});

/** Wall clock of a FakeClock, timers of the real one: the server behind it is real. */
function movableClock() {
  const fake = new FakeClock(Date.now());
  return {
    clock: { ...systemClock, now: () => fake.now(), monotonic: () => performance.now() + fake.monotonic() },
    advance: (ms: number) => fake.advance(ms),
    now: () => fake.now(),
  };
}

describe('reads', () => {
  test('ask for the age seldom while the samples are young, and see when they stop', async () => {
    const { clock, advance, now } = movableClock();
    let probes = 0;
    let newestMs = now();
    const script: Script = (response, asked) => {
      const isProbe = (asked.params.get('query') ?? '').includes('timestamp(');
      probes += isProbe ? 1 : 0;
      json(vector([isProbe ? String(newestMs / 1000) : '5'], now()))(response, asked);
    };
    await using server = await scriptedServer(script);
    await using sources = sourcesFor([serverEntry(server.url)], { clock });
    const read = () => sources.read(prometheusRequest(), never());
    for (let i = 0; i < 40; i += 1) {
      newestMs = now();
      expect(await read()).toMatchObject({ kind: 'value' });
      await advance(15_000);
    }
    expect(probes).toBeLessThanOrEqual(7);
    // From here on the samples stand still while the query goes on giving a value.
    const stoppedMs = newestMs;
    const outcomes: boolean[] = [];
    for (let i = 0; i < 30; i += 1) {
      const fresh = (await read()).kind === 'value';
      expect(fresh).toBe(now() - stoppedMs <= 300_000);
      outcomes.push(fresh);
      await advance(15_000);
    }
    expect(new Set(outcomes)).toEqual(new Set([true, false]));
  });

  test('keep a value whose age could not be asked while the last sample seen is young', async () => {
    const { clock, advance, now } = movableClock();
    let failing = false;
    const script: Script = (response, asked) => {
      const isProbe = (asked.params.get('query') ?? '').includes('timestamp(');
      if (isProbe && failing) json('', 500)(response, asked);
      else json(vector([isProbe ? String(now() / 1000) : '5'], now()))(response, asked);
    };
    await using server = await scriptedServer(script);
    await using sources = sourcesFor([serverEntry(server.url)], { clock });
    const read = () => sources.read(prometheusRequest(), never());
    expect(await read()).toMatchObject({ kind: 'value' });
    failing = true;
    await advance(200_000);
    expect(await read()).toMatchObject({ kind: 'value' });
    await advance(200_000);
    expect(await read()).toMatchObject({ kind: 'unknown', reason: 'Unreachable' });
  });

  test('end on a line that is flat for hours', async () => {
    const { clock, advance, now } = movableClock();
    let text = '5';
    const script: Script = (response, asked) => {
      const isProbe = (asked.params.get('query') ?? '').includes('timestamp(');
      json(vector([isProbe ? String(now() / 1000) : text], now()))(response, asked);
    };
    await using server = await scriptedServer(script);
    await using sources = sourcesFor([serverEntry(server.url, { flatLineLimit: '10h' })], { clock });
    const read = () => sources.read(prometheusRequest(), never());
    for (let hour = 0; hour < 10; hour += 1) {
      expect(await read()).toMatchObject({ kind: 'value' });
      await advance(3_600_000);
    }
    expect(await read()).toMatchObject({ kind: 'unknown', reason: 'Stale' });
    text = '5.1';
    expect(await read()).toMatchObject({ kind: 'value' });
  });
});
