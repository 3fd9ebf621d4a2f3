import { describe, expect, test } from '@jest/globals';
import { Histogram, Registry } from 'prom-client';
import { counter, histogram, once, perKey } from './series.ts';

const BOUNDS = [0.5, 1, 2];

test('a counter says what was added, once per scrape', async () => {
  const registry = new Registry();
  const made = counter({ name: 'c_total', help: 'some', registry }, ['model', 'outcome']);
  const series = made({ model: 'web', outcome: 'ok' });
  made({ model: 'web', outcome: 'late' });
  series.value += 3;
  await registry.metrics();
  const text = await registry.metrics();
  expect(text).toContain('# TYPE c_total counter');
  expect(text).toContain('c_total{model="web",outcome="ok"} 3\n');
  expect(text).toContain('c_total{model="web",outcome="late"} 0\n');
});

test("a histogram is written as prom-client's own", async () => {
  const [ours, theirs] = [new Registry(), new Registry()];
  const description = { name: 'h_seconds', help: 'times' };
  const series = histogram({ ...description, registry: ours }, BOUNDS);
  const own = new Histogram({ ...description, labelNames: ['model'], buckets: BOUNDS, registers: [theirs] });
  const [web, api] = [series({ model: 'web' }), series({ model: 'api' })];
  for (const value of [0.1, 0.5, 0.500001, 2, 7]) {
    web.observe(value);
    own.observe({ model: 'web' }, value);
  }
  api.observe(1);
  own.observe({ model: 'api' }, 1);
  expect(await ours.metrics()).toBe(await theirs.metrics());
});

describe('perKey and once', () => {
  test('make each value one time', () => {
    let made = 0;
    const get = perKey((key: string) => `${key}${++made}`);
    expect([get('a'), get('b'), get('a')]).toEqual(['a1', 'b2', 'a1']);
    const only = once(() => ++made);
    expect([only(), only()]).toEqual([3, 3]);
  });
});
