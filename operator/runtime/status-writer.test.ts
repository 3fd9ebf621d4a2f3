import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { findCondition, removeCondition, setCondition } from './conditions.ts';
import { isTimestampKey, mergeDiff } from './merge-diff.ts';
import { createStatusWriter, statusPatch } from './status-writer.ts';

/** RFC 7386, section 2, as the server applies it. */
function apply(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = apply(result[key], value);
  }
  return result;
}

const keys = fc.constantFrom('a', 'b', 'lastScaleTime', 'replicas');
const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.integer(),
    fc.string(),
    fc.boolean(),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(keys, tie('value'), { maxKeys: 3 }),
  ),
})).value;
const status = fc.dictionary(keys, value, { maxKeys: 4 });

describe('the patch', () => {
  test('turns one status into the other, for any two', () => {
    fc.assert(
      fc.property(status, status, (before, after) => {
        const patch = mergeDiff(before, after);
        expect(patch === undefined ? before : apply(before, patch)).toEqual(after);
      }),
    );
  });

  test('of equal values is nothing, whatever the order of keys', () => {
    expect(mergeDiff({ a: 1, b: { c: [1, { d: 2 }] } }, { b: { c: [1, { d: 2 }] }, a: 1 })).toBeUndefined();
  });

  test('names only what changed, and removes what is gone', () => {
    expect(mergeDiff({ a: 1, b: 2, c: { x: 1, y: 2 } }, { a: 1, b: 3, c: { x: 1 } })).toEqual({
      b: 3,
      c: { y: null },
    });
  });
});

describe('statusPatch', () => {
  const before = {
    observedGeneration: 3,
    desiredReplicas: 4,
    lastScaleTime: '2026-01-01T00:00:00Z',
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }],
  };

  test('a new timestamp alone is no news, at any depth', () => {
    const next = {
      ...before,
      lastScaleTime: '2026-01-01T00:00:15Z',
      conditions: [{ ...before.conditions[0], lastTransitionTime: '2026-01-01T00:00:15Z' }],
    };
    expect(statusPatch(before, next)).toBeUndefined();
  });

  test('with news the timestamps travel along', () => {
    const next = { ...before, desiredReplicas: 5, lastScaleTime: '2026-01-01T00:00:15Z' };
    expect(statusPatch(before, next)).toEqual({ desiredReplicas: 5, lastScaleTime: '2026-01-01T00:00:15Z' });
  });

  test('an object without status gets all of it', () => {
    expect(statusPatch(undefined, { desiredReplicas: 1 })).toEqual({ desiredReplicas: 1 });
  });

  test.each([
    ['lastScaleTime', true],
    ['renewTime', true],
    ['time', true],
    ['firstTimestamp', true],
    ['leadTimeSeconds', false],
    ['runtime', false],
    ['times', false],
  ])('%s is a timestamp: %j', (key, expected) => {
    expect(isTimestampKey(key)).toBe(expected);
  });
});

describe('the writer', () => {
  const ref = { group: 'foresail.io', version: 'v1alpha1', plural: 'predictivescalers', namespaced: true };
  const object = {
    metadata: { namespace: 'shop', name: 'web', resourceVersion: '7' },
    status: { desiredReplicas: 3 },
  };
  const recorded = () => {
    const calls: unknown[][] = [];
    const writer = createStatusWriter({
      patchStatus: (...call) => {
        calls.push(call.slice(1, 4));
        return Promise.resolve({ ...object } as never);
      },
    });
    return { calls, writer };
  };
  const signal = new AbortController().signal;

  test('writes once and only against the version that it compared with', async () => {
    const { calls, writer } = recorded();
    await writer.write(ref, object, { desiredReplicas: 4 }, signal);
    expect(calls).toEqual([
      [{ namespace: 'shop', name: 'web' }, { desiredReplicas: 4 }, { resourceVersion: '7' }],
    ]);
  });

  test('writes nothing when nothing changed', async () => {
    const { calls, writer } = recorded();
    expect(await writer.write(ref, object, { desiredReplicas: 3 }, signal)).toBeUndefined();
    expect(calls).toEqual([]);
  });
});

describe('conditions', () => {
  const ready = { type: 'Ready', status: 'True', reason: 'Ok', message: 'all well' } as const;
  const noon = Date.UTC(2026, 0, 1, 12);

  test('the time moves with the status and not with reason or message', () => {
    const first = setCondition([], ready, noon);
    const second = setCondition(first, { ...ready, reason: 'Fine', message: 'still' }, noon + 60_000);
    const third = setCondition(second, { ...ready, status: 'False' }, noon + 120_000);
    expect([first, second, third].map(([each]) => each?.lastTransitionTime)).toEqual([
      '2026-01-01T12:00:00Z',
      '2026-01-01T12:00:00Z',
      '2026-01-01T12:02:00Z',
    ]);
    expect(findCondition(second, 'Ready')?.reason).toBe('Fine');
  });

  test('keep their place, so that a list does not change by its order', () => {
    const list = setCondition(setCondition([], ready, noon), { ...ready, type: 'Able' }, noon);
    expect(setCondition(list, { ...ready, status: 'False' }, noon).map(({ type }) => type)).toEqual([
      'Ready',
      'Able',
    ]);
    expect(removeCondition(list, 'Ready').map(({ type }) => type)).toEqual(['Able']);
  });
});
