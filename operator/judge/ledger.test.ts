import { describe, expect, test } from '@jest/globals';
import { type IssuedForecast, Ledger } from './ledger.ts';

const VERSIONS = { stable: 1, canary: 2 };

function issued(change: Partial<IssuedForecast> = {}): IssuedForecast {
  return {
    series: 'web',
    targetMs: 60_000,
    lead: 1,
    version: 1,
    digest: 'sha256:aa',
    levels: [0.5],
    values: [10],
    ...change,
  };
}

function of(loads: readonly (readonly [string, number])[]) {
  const map = new Map(loads);
  return (series: string) => map.get(series) ?? Number.NaN;
}

describe('the ledger', () => {
  test('joins a label with both versions at each lead', () => {
    const ledger = new Ledger(100, [
      issued(),
      issued({ version: 2, values: [14] }),
      issued({ lead: 5, values: [20] }),
      issued({ lead: 5, version: 2, values: [12] }),
      issued({ lead: 7, version: 2 }),
    ]);
    expect(ledger.label(60_000, of([['web', 12]]), VERSIONS)).toEqual([
      { targetMs: 60_000, lead: 1, pairs: [{ series: 'web', stable: 1, canary: 1 }] },
      { targetMs: 60_000, lead: 5, pairs: [{ series: 'web', stable: 4, canary: 0 }] },
    ]);
    expect(ledger.waiting).toBe(0);
  });

  test('two versions are scored on the quantiles that both forecast', () => {
    const ledger = new Ledger(100, [
      issued({ levels: [0.5, 0.9], values: [10, 12] }),
      issued({ version: 2, levels: [0.1, 0.5], values: [0, 10] }),
      issued({ series: 'api', levels: [0.5] }),
      issued({ series: 'api', version: 2, levels: [0.9] }),
    ]);
    const loads = of([
      ['web', 12],
      ['api', 12],
    ]);
    expect(ledger.label(60_000, loads, VERSIONS)).toEqual([
      { targetMs: 60_000, lead: 1, pairs: [{ series: 'web', stable: 1, canary: 1 }] },
    ]);
  });

  test('a second label of the same step finds nothing', () => {
    const ledger = new Ledger(100, [issued(), issued({ version: 2 })]);
    const loads = of([['web', 12]]);
    expect(ledger.label(60_000, loads, VERSIONS)).toHaveLength(1);
    expect(ledger.label(60_000, loads, VERSIONS)).toEqual([]);
  });

  test('an unknown load is no label, and what waited is counted', () => {
    const ledger = new Ledger(100, [issued(), issued({ version: 2 })]);
    expect(ledger.label(60_000, of([['web', Number.NaN]]), VERSIONS)).toEqual([]);
    expect(ledger).toMatchObject({ waiting: 0, dropped: 2 });
  });

  test('the first forecast of a step stands', () => {
    const ledger = new Ledger(100, [issued(), issued({ values: [99] }), issued({ version: 2 })]);
    const [step] = ledger.label(60_000, of([['web', 10]]), VERSIONS);
    expect(step?.pairs).toEqual([{ series: 'web', stable: 0, canary: 0 }]);
  });

  test('never holds more than it may; the oldest step goes first', () => {
    const ledger = new Ledger(10);
    for (let t = 0; t < 40; t++) ledger.issue(issued({ targetMs: t * 1000 }));
    expect(ledger).toMatchObject({ waiting: 10, dropped: 30 });
    expect([...ledger].map(({ targetMs }) => targetMs)).toEqual(
      Array.from({ length: 10 }, (_, i) => (30 + i) * 1000),
    );
  });

  test('a step that is larger than the ledger keeps what came first', () => {
    const ledger = new Ledger(2);
    for (const series of ['a', 'b', 'c']) ledger.issue(issued({ series }));
    expect(ledger).toMatchObject({ waiting: 2, dropped: 1 });
    expect([...ledger].map(({ series }) => series)).toEqual(['a', 'b']);
  });

  test('names the targets whose time has come, oldest first', () => {
    const ledger = new Ledger(
      10,
      [3, 1, 2].map((minute) => issued({ targetMs: minute * 60_000 })),
    );
    expect(ledger.due(120_000)).toEqual([60_000, 120_000]);
  });

  test('is whole again from what it tells of itself', () => {
    const ledger = new Ledger(100, [issued(), issued({ version: 2, values: [14] })]);
    const again = new Ledger(100, JSON.parse(JSON.stringify([...ledger])));
    expect(again.label(60_000, of([['web', 12]]), VERSIONS)).toEqual(
      ledger.label(60_000, of([['web', 12]]), VERSIONS),
    );
  });
});
