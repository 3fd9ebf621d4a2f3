import { gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { CheckpointPolicy, decodeState, encodeState, MAX_STATE_CHARS, type ScalerState } from './state.ts';

const stateWith = (scores: number, calibrations = 1, metrics = 1): ScalerState => ({
  asOfMs: 1_700_000_000_000,
  leadTime: { witnessed: [1000, 2000] },
  metrics: Array.from({ length: metrics }, (_, m) => ({
    key: `ns/uid/${m}`,
    learner: {
      stepMs: 60_000,
      calibrations: Array.from({ length: calibrations }, (__, c) => ({
        by: `model-${c}`,
        state: {
          coverage: 0.99,
          level: 12.5,
          horizons: Array.from({ length: 12 }, (___, h) => ({
            shift: 0.25,
            settled: 100,
            covered: 99,
            scores: Array.from(
              { length: scores },
              (____, i) => Math.round(1000 * Math.sin(i * 7.3 + h + c)) / 1000,
            ),
          })),
        },
      })),
      contest: {
        leader: 'model-0',
        entrants: [{ id: 'model-0', loss: 1.5, settled: 9, weight: 1, losses: [1, 1, 2, 2] }],
      },
    },
    capacity: { borne: [70, 71], ceiling: null },
  })),
  decision: { recommendations: [[1, 2]] },
});

describe('a checkpoint', () => {
  test('comes back as it was', () => {
    const state = stateWith(320);
    expect(decodeState(encodeState(state))).toEqual({ kind: 'state', state });
  });

  test('of a scaler with one metric takes less than 20 KB', () => {
    expect(encodeState(stateWith(320)).length).toBeLessThan(20_000);
  });

  test('stays below its bound, giving up the oldest scores first', () => {
    const text = encodeState(stateWith(320, 4, 16));
    expect(text.length).toBeLessThanOrEqual(MAX_STATE_CHARS);
    const decoded = decodeState(text);
    if (decoded.kind !== 'state') throw new Error('not decoded');
    const kept = decoded.state.metrics[0]?.learner?.calibrations[0]?.state.horizons[0]?.scores ?? [];
    const all = stateWith(320).metrics[0]?.learner?.calibrations[0]?.state.horizons[0]?.scores ?? [];
    expect(kept.length).toBeGreaterThan(0);
    expect(kept).toEqual(all.slice(-kept.length));
  });

  test.each([
    ['nothing', undefined, 'none'],
    ['an empty text', '', 'none'],
    ['another version', 'foresail.state.v9 AAAA', 'another version'],
    ['not gzip', 'foresail.state.v1 AAAA', 'cannot be read'],
    ['too long', 'x'.repeat(MAX_STATE_CHARS + 1), 'characters'],
    ['not JSON', `foresail.state.v1 ${gzipSync('{').toString('base64')}`, 'cannot be read'],
    ['another shape', `foresail.state.v1 ${gzipSync('{"asOfMs":"x"}').toString('base64')}`, 'asOfMs'],
    [
      'a bomb',
      `foresail.state.v1 ${gzipSync(Buffer.alloc(20_000_000)).toString('base64')}`,
      'cannot be read',
    ],
  ])('%s is a clean start with a reason', (_, text, reason) => {
    const decoded = decodeState(text);
    expect(decoded.kind === 'corrupt' ? decoded.reason : decoded.kind).toContain(reason);
  });

  test('damaged anywhere it is never a state and never an exception', () => {
    const text = encodeState(stateWith(20));
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ minLength: 1, maxLength: 3 }), (at, other) => {
        const damaged = text.slice(0, at) + other + text.slice(at + other.length);
        const decoded = decodeState(damaged);
        if (decoded.kind === 'state') expect(decoded).toEqual(decodeState(text));
      }),
    );
    for (let cut = 0; cut < text.length - 4; cut += 5)
      expect(decodeState(text.slice(0, cut)).kind).not.toBe('state');
  });
});

describe('when to write it', () => {
  test('at most every ten minutes and only when it changed; a failed write stays due', () => {
    const policy = new CheckpointPolicy();
    expect(policy.due(0, () => 'a')).toBe('a');
    expect(policy.due(1, () => 'a')).toBe('a');
    policy.written('a', 1);
    expect(policy.due(600_000, () => 'b')).toBeUndefined();
    expect(policy.due(600_001, () => 'a')).toBeUndefined();
    expect(policy.due(600_001, () => 'b')).toBe('b');
  });

  test('the way out does not wait, a start does not write what it has just read', () => {
    const policy = new CheckpointPolicy();
    policy.restored('a', 0);
    expect(policy.due(5, () => 'b')).toBeUndefined();
    expect(policy.due(5, () => 'b', true)).toBe('b');
    expect(policy.due(5, () => 'a', true)).toBeUndefined();
  });
});
