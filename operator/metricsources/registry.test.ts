import { describe, expect, test } from '@jest/globals';
import type { MetricReading, Observation } from '../observation.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { never, prometheusRequest, serverEntry, sourcesFor } from './testing/requests.ts';
import { freshThen, json, scriptedServer, vector } from './testing/scripted-server.ts';
import type { ReadEvent } from './types.ts';

test('the compiler keeps an unknown from being used as a number', () => {
  const replicasFor = (observation: Observation<MetricReading>): number => {
    // @ts-expect-error A reading may be unknown: `value` is not there until the kind has been asked.
    const careless: unknown = observation.value;
    void careless;
    return observation.kind === 'value' && observation.value.form === 'total' ? observation.value.milli : -1;
  };
  expect(replicasFor({ kind: 'unknown', reason: 'NoData', message: '', since: 0 })).toBe(-1);
});

describe('reads', () => {
  test('of a server that is on no list are not configured', async () => {
    await using sources = sourcesFor([]);
    const request = prometheusRequest('x', 'nowhere');
    expect(await sources.read(request, never())).toMatchObject({ reason: 'NotConfigured' });
    expect(await sources.backfill(request, 0, 1, 1, never())).toMatchObject({ reason: 'NotConfigured' });
    expect(sources.canBackfill(request.metric)).toBe(false);
  });

  test('carry the beginning of an outage through changing reasons', async () => {
    const clock = new FakeClock(Date.now());
    await using server = await scriptedServer(json(vector([])));
    await using sources = sourcesFor([serverEntry(server.url)], { clock });
    const read = () => sources.read(prometheusRequest(), never());
    const since = clock.now();
    expect(await read()).toMatchObject({ reason: 'NoData', since });
    await clock.advance(10_000);
    server.answer(json('', 500));
    expect(await read()).toMatchObject({ reason: 'Unreachable', since });
    server.answer(freshThen(vector(['5'])));
    expect(await read()).toMatchObject({ kind: 'value' });
    await clock.advance(10_000);
    server.answer(json(vector([])));
    expect(await read()).toMatchObject({ reason: 'NoData', since: since + 20_000 });
  });

  test('of one metric by several scalers are one request, whatever their targets', async () => {
    await using server = await scriptedServer(freshThen(vector(['5'])));
    await using sources = sourcesFor([serverEntry(server.url, { freshnessProbe: false })]);
    const request = prometheusRequest();
    const metric = {
      ...request.metric,
      capacity: '70',
    } as typeof request.metric;
    const both = [
      sources.read(request, never()),
      sources.read({ ...request, metric, podSelector: 'app=b' }, never()),
    ];
    expect((await Promise.all(both)).map(({ kind }) => kind)).toEqual(['value', 'value']);
    expect(server.asked).toHaveLength(1);
  });

  test('in two namespaces are two requests', async () => {
    await using server = await scriptedServer(freshThen(vector(['5'])));
    await using sources = sourcesFor([serverEntry(server.url, { freshnessProbe: false })]);
    await Promise.all(
      ['a', 'b'].map((namespace) => sources.read(prometheusRequest('x', 'default', namespace), never())),
    );
    expect(server.asked).toHaveLength(2);
  });

  test('reject only with the reason of the caller’s own abort', async () => {
    await using server = await scriptedServer(() => {});
    await using sources = sourcesFor([serverEntry(server.url)]);
    const controller = new AbortController();
    const stopped = sources.read(prometheusRequest(), controller.signal);
    setTimeout(() => controller.abort(new Error('stop')), 50);
    await expect(stopped).rejects.toThrow('stop');
    await expect(sources.read(prometheusRequest(), controller.signal)).rejects.toThrow('stop');
  });

  test('after the end are unknown', async () => {
    await using server = await scriptedServer(freshThen(vector(['5'])));
    await using sources = sourcesFor([serverEntry(server.url)]);
    await sources.read(prometheusRequest(), never());
    await sources.close();
    expect(await sources.read(prometheusRequest('y'), never())).toMatchObject({ kind: 'unknown' });
  });

  test('are told to the observer, with no label that a tenant chose', async () => {
    const events: ReadEvent[] = [];
    await using server = await scriptedServer(freshThen(vector(['5'])));
    await using sources = sourcesFor([serverEntry(server.url)], { observe: (event) => events.push(event) });
    await sources.read(prometheusRequest(), never());
    await sources.read(prometheusRequest('x', 'made-up'), never());
    await sources.backfill(prometheusRequest(), 5, 1, 1, never());
    expect(events).toMatchObject([
      { operation: 'read', source: 'Prometheus', server: 'default', outcome: 'value' },
      { operation: 'read', source: 'Prometheus', server: '', outcome: 'NotConfigured' },
      { operation: 'backfill', source: 'Prometheus', server: 'default', outcome: 'NoData' },
    ]);
    expect(events.every(({ seconds }) => seconds >= 0 && seconds < 60)).toBe(true);
  });

  test('survive a mistake of ours, which is told to the log', async () => {
    const mistakes: unknown[] = [];
    const broken = Object.defineProperty({}, 'items', {
      get: () => {
        throw new TypeError('ours');
      },
    });
    await using sources = sourcesFor([], {
      api: { getJson: () => Promise.resolve(broken) },
      unexpected: (error) => mistakes.push(error),
    });
    const target = { type: 'AverageValue' as const, averageValue: '1' };
    const metric = { type: 'External' as const, external: { metric: { name: 'm' }, target } };
    const observation = await sources.read({ namespace: 'a', podSelector: '', metric }, never());
    expect(observation).toMatchObject({ kind: 'unknown', reason: 'BadAnswer' });
    expect(mistakes).toHaveLength(1);
  });
});
