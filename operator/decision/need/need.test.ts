import { describe, expect, test } from '@jest/globals';
import { cpu, external, forecast, MINUTE, NOW, pods, unreadable } from '../fixtures.ts';
import type { LoadPath, MetricPlan } from '../types.ts';
import { type NeedInput, needFrom } from './need.ts';
import { peakOf } from './peak.ts';
import { perReplica } from './per-replica.ts';

const path = (loads: readonly number[], originMs = NOW): LoadPath => ({
  originMs,
  stepMs: MINUTE,
  loadMilli: Float64Array.from(loads),
});
const window = (fromMinute: number, toMinute: number) => ({
  fromMs: NOW + fromMinute * MINUTE,
  toMs: NOW + toMinute * MINUTE,
});

describe('the peak over the window', () => {
  test.each([
    ['only the steps that the window touches', [9, 1, 2, 3, 9], window(1, 4), 3],
    ['a step that is begun counts', [9, 1, 2, 3, 9], window(1, 4.1), 9],
    ['a window inside one step', [5, 9], window(0.2, 0.4), 5],
    ['an empty window is the step it stands in', [5, 9], window(0, 0), 5],
    ['its start may lie inside a step', [7, 2, 2], window(0.5, 2), 7],
  ])('%s', (_, loads, span, milli) => {
    expect(peakOf(path(loads), span, true)).toMatchObject({ kind: 'peak', milli });
  });

  test('an old path must reach from start to end, a fresh one may be cut off', () => {
    expect(peakOf(path([1, 2]), window(0, 3), true).kind).toBe('outside');
    expect(peakOf(path([1, 2]), window(0, 3), false)).toMatchObject({ kind: 'peak', milli: 2 });
    expect(peakOf(path([1, 2]), window(2, 3), false).kind).toBe('outside');
    expect(peakOf(path([1, 2], NOW + 5 * MINUTE), window(0, 3), false).kind).toBe('outside');
    expect(peakOf(path([1, 2], NOW + MINUTE), window(0, 3), true).kind).toBe('outside');
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, -1])('%p inside the window makes it invalid', (bad) => {
    expect(peakOf(path([1, bad, 2]), window(0, 3), true).kind).toBe('invalid');
    expect(peakOf(path([1, 2, bad]), window(0, 2), true).kind).toBe('peak');
  });

  test('a path without steps or without a step length is outside', () => {
    expect(peakOf(path([]), window(0, 1), false).kind).toBe('outside');
    expect(peakOf({ ...path([1]), stepMs: 0 }, window(0, 1), false).kind).toBe('outside');
  });
});

describe('what one replica carries', () => {
  const plan = external('AverageValue', 50);
  test.each([
    ['the spec says it', { ...plan, capacityMilli: 70_000 }, 60_000, { milli: 70_000, from: 'spec' }],
    ['it was learned', plan, 60_000, { milli: 60_000, from: 'learned' }],
    ['the target stands in', plan, undefined, { milli: 50_000, from: 'target' }],
    ['nonsense that was learned is not used', plan, 0, { milli: 50_000, from: 'target' }],
    ['a utilization of the request', cpu(50), undefined, { milli: 50, from: 'target' }],
    ['a Value target says nothing', external('Value', 50), 60_000, undefined],
  ])('%s', (_, metric: MetricPlan, learned, expected) => {
    expect(perReplica(metric, learned, pods(3))).toEqual(expected);
  });

  test('a utilization without requests says nothing', () => {
    expect(perReplica(cpu(50), undefined, pods(3, unreadable))).toBeUndefined();
    expect(perReplica(cpu(50), undefined, [])).toBeUndefined();
  });
});

const asked = (change: Partial<NeedInput>): NeedInput => ({
  window: window(0, 5),
  metrics: [],
  learnedCapacityMilli: [],
  pods: [],
  current: 1,
  ...change,
});

describe('need', () => {
  const metrics = [external('AverageValue', 50)];
  const need = (loads: readonly number[], learned?: number) =>
    needFrom(
      { ...forecast(0), paths: [path(loads)] },
      asked({ window: window(0, loads.length), metrics, learnedCapacityMilli: [learned] }),
      true,
    );

  test.each([
    ['rounds up', [101_000], undefined, 3],
    ['is exact at a whole number', [100_000], undefined, 2],
    ['ignores rounding noise', [100_000.000_000_01], undefined, 2],
    ['takes the highest of the window', [50_000, 400_000, 10_000], undefined, 8],
    ['divides by the capacity', [400_000], 100_000, 4],
    ['no load needs none', [0], undefined, 0],
  ])('%s', (_, loads, learned, replicas) => {
    expect(need(loads, learned)).toMatchObject({ kind: 'known', replicas });
  });

  test('the largest of several metrics counts, one without a forecast is left out', () => {
    const three = [external('AverageValue', 50), external('AverageValue', 10), external('Value', 1)];
    const found = needFrom(forecast(100, 100, 5), asked({ metrics: three }), true);
    expect(found).toMatchObject({
      kind: 'known',
      replicas: 10,
      metrics: [{ replicas: 2 }, { replicas: 10 }, null],
    });
  });

  test('one metric that cannot be seen to the end makes the whole need unknown', () => {
    const two = [external('AverageValue', 50), external('AverageValue', 10)];
    const short = { ...forecast(100, 100), paths: [path([1, 1, 1, 1, 1]), path([1])] };
    expect(needFrom(short, asked({ metrics: two }), true)).toMatchObject({
      kind: 'unknown',
      reason: 'HorizonPassed',
    });
  });

  test('says when it was no quantile of the forecast', () => {
    const metrics = [external('AverageValue', 50)];
    expect(needFrom(forecast(100), asked({ metrics }), true)).not.toHaveProperty('headroom');
    expect(needFrom({ ...forecast(100), headroom: true }, asked({ metrics }), true)).toMatchObject({
      headroom: true,
    });
  });

  test('no path at all is unknown, not zero', () => {
    expect(needFrom(forecast(undefined), asked({ metrics }), true).kind).toBe('unknown');
  });

  describe('the time before new replicas are ready', () => {
    const metrics = [external('AverageValue', 50)];
    const loads = [100_000, 300_000, 300_000, 200_000];
    const replicas = (current: number, ready = 3) =>
      needFrom(
        { ...forecast(0), paths: [path(loads)] },
        asked({ window: { ...window(0, 4), readyMs: NOW + ready * MINUTE }, metrics, current }),
        true,
      );
    test.each([
      ['what an order cannot reach is not ordered for', 2, 4],
      ['replicas that run are kept for it', 5, 5],
      ['no more of them than it takes', 9, 6],
    ])('%s', (_, current, expected) => {
      expect(replicas(current)).toMatchObject({ kind: 'known', replicas: expected });
    });

    test('a forecast that ends before is taken as it is', () => {
      expect(replicas(1, 9)).toMatchObject({ kind: 'known', replicas: 6 });
    });
  });
});
