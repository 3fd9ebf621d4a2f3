import { expect, test } from '@jest/globals';
import type { MetricPlan } from '../../decision/types.ts';
import { decodeState, encodeState } from '../../history/state.ts';
import { markOf } from './checkpoint-mark.ts';
import { Learned, metricId } from './learned.ts';

const metric = (name: string, change: Partial<MetricPlan> = {}): MetricPlan => ({
  type: 'External',
  name,
  target: { kind: 'AverageValue', milli: 100_000 },
  ...change,
});

const start = (learned: Learned, uid: string, tookMs: number) => {
  learned.lead.observe({ uid, createdMs: 0, readyMs: undefined, restarts: 0 });
  learned.lead.observe({ uid, createdMs: 0, readyMs: tookMs, restarts: 0 });
};

test.each<[what: string, a: MetricPlan, b: MetricPlan, same: boolean]>([
  ['a target that moves', metric('q'), metric('q', { target: { kind: 'AverageValue', milli: 1 } }), true],
  ['a capacity', metric('q'), metric('q', { capacityMilli: 5 }), true],
  ['another name', metric('q'), metric('r'), false],
  ['another selector', metric('q', { scope: 'a=b' }), metric('q', { scope: 'a=c' }), false],
  [
    'another kind of target',
    metric('q'),
    metric('q', { target: { kind: 'Utilization', percent: 5 } }),
    false,
  ],
])('%s', (_what, a, b, same) => {
  expect(metricId(a) === metricId(b)).toBe(same);
});

test('what a checkpoint brings back is what was learned', () => {
  const learned = new Learned();
  for (const [i, ms] of [9000, 10_000, 30_000].entries()) start(learned, `p${i}`, ms);
  for (let i = 0; i < 70; i++)
    learned.capacity(metric('q')).observe({ load: 300, readyReplicas: 2, healthy: true }, 100);
  const text = encodeState({ asOfMs: 0, ...learned.toState() });
  const decoded = decodeState(text);
  if (decoded.kind !== 'state') throw new Error(decoded.kind);
  const again = new Learned(decoded.state);
  expect(again.lead.leadTime()).toEqual({ p50Ms: 10_000, p90Ms: 30_000, samples: 3 });
  expect(again.capacity(metric('q')).capacity(100)).toBe(150);
});

test('a drift outlives the operator that saw it', () => {
  const learned = new Learned();
  learned.forecast(metric('q'), 60_000, 0.99, 'loadcast');
  for (let minute = 0; minute <= 90; minute++)
    learned.drift(metric('q'))?.settle(minute * 60_000, () => Number.NaN, true);
  const { drifting, sinceMs } = learned.drift(metric('q'))?.report() ?? {};
  expect(drifting).toBe(true);
  const decoded = decodeState(encodeState({ asOfMs: 0, ...learned.toState() }));
  if (decoded.kind !== 'state') throw new Error(decoded.kind);
  const again = new Learned(decoded.state);
  expect(again.drift(metric('q'))).toBeUndefined();
  // Not asked for yet, and still there when the next checkpoint is written.
  expect(again.toState().metrics[0]?.drift).toBeDefined();
  again.forecast(metric('q'), 60_000, 0.99, 'loadcast');
  expect(again.drift(metric('q'))?.report()).toMatchObject({ drifting: true, by: 'Pinned', sinceMs });
});

test('however often the metrics are edited, the checkpoint stays readable and holds those of now', () => {
  const learned = new Learned();
  for (let i = 0; i < 100; i++) {
    learned.forecast(metric(`q${i}`), 60_000, 0.99, 'loadcast');
    learned.keep([metric(`q${i}`)]);
  }
  const decoded = decodeState(encodeState({ asOfMs: 0, ...learned.toState() }));
  expect(decoded).toMatchObject({ kind: 'state', state: { metrics: [{ key: metricId(metric('q99')) }] } });
});

test('another step begins a new calibration, the same one keeps it', () => {
  const learned = new Learned();
  const first = learned.forecast(metric('q'), 60_000, 0.99, 'loadcast');
  expect(learned.forecast(metric('q'), 60_000, 0.95, 'loadcast')).toBe(first);
  expect(learned.forecast(metric('q'), 30_000, 0.95, 'loadcast')).not.toBe(first);
});

test('the mark of a checkpoint moves with what matters, not with time', () => {
  const learned = new Learned();
  start(learned, 'a', 9000);
  const memory = (atMs: number, replicas: number) => ({
    recommendations: [{ replicas, atMs }],
    scaleUps: [],
    scaleDowns: [],
    outliers: { q: { acceptedMilli: 1000 + atMs / 1000, acceptedAtMs: atMs } },
    unknownSinceMs: null,
  });
  const mark = (atMs: number, replicas: number, target = 't') =>
    markOf(learned.toState(), memory(atMs, replicas), target);
  const before = mark(0, 3);
  expect(mark(15_000, 3)).toBe(before);
  expect(mark(15_000, 4)).not.toBe(before);
  expect(mark(15_000, 3, 'other')).not.toBe(before);
  start(learned, 'b', 9000);
  expect(mark(0, 3)).not.toBe(before);
});
