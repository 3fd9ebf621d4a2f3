import { describe, expect, test } from '@jest/globals';
import { DEFAULT_BEHAVIOR, NOW, rules, SECOND } from './fixtures.ts';
import { firstSight, recordRecommendation, recordScale } from './memory.ts';

const WINDOW = 300 * SECOND;

describe('recommendations', () => {
  test('first sight counts the present replicas', () => {
    expect(firstSight(7, NOW).recommendations).toEqual([{ replicas: 7, atMs: NOW }]);
  });

  test('a run of equal ones is kept as its latest, the edge of the window stays', () => {
    let memory = firstSight(7, NOW);
    for (const [second, replicas] of [
      [10, 7],
      [20, 5],
      [30, 5],
      [40, 7],
    ] as const) {
      memory = recordRecommendation(memory, replicas, NOW + second * SECOND, WINDOW);
    }
    const shown = (now: number) =>
      recordRecommendation(memory, 9, now, WINDOW).recommendations.map(({ replicas }) => replicas);
    expect(shown(NOW + 50 * SECOND)).toEqual([7, 5, 7, 9]);
    expect(shown(NOW + 10 * SECOND + WINDOW)).toEqual([7, 5, 7, 9]);
    expect(shown(NOW + 10 * SECOND + WINDOW + 1)).toEqual([5, 7, 9]);
  });
});

describe('scale events', () => {
  const spec = { behavior: { scaleUp: rules(), scaleDown: DEFAULT_BEHAVIOR.scaleDown } };

  test('are kept by direction, as absolute changes', () => {
    const up = recordScale(firstSight(3, NOW), spec, 3, 8, NOW);
    const both = recordScale(up, spec, 8, 6, NOW + SECOND);
    expect(both).toMatchObject({
      scaleUps: [{ change: 5, atMs: NOW }],
      scaleDowns: [{ change: 2, atMs: NOW + SECOND }],
    });
  });

  test('are not kept without behaviour, nor for no change', () => {
    expect(recordScale(firstSight(3, NOW), {}, 3, 8, NOW).scaleUps).toEqual([]);
    expect(recordScale(firstSight(3, NOW), spec, 3, 3, NOW).scaleUps).toEqual([]);
  });

  test('reuse the last slot that their own direction no longer needs, as HPA does', () => {
    let memory = firstSight(1, NOW);
    for (const second of [0, 5, 10]) memory = recordScale(memory, spec, 1, 2, NOW + second * SECOND);
    const later = recordScale(memory, spec, 1, 9, NOW + 21 * SECOND);
    expect(later.scaleUps).toEqual([
      { change: 1, atMs: NOW },
      { change: 8, atMs: NOW + 21 * SECOND },
      { change: 1, atMs: NOW + 10 * SECOND },
    ]);
  });
});
