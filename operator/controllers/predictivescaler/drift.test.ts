import { describe, expect, test } from '@jest/globals';
import type { DriftReport } from '../../forecast/drift/monitor.ts';
import { driftOf } from './drift.ts';

const QUIET: DriftReport = {
  drifting: false,
  signs: [],
  judged: true,
  error: { recent: 0.5, reference: 0.5 },
  psi: 0.02,
};
const YOUNG: DriftReport = { ...QUIET, judged: false, psi: undefined };
const GREW: DriftReport = {
  ...QUIET,
  drifting: true,
  by: 'Adwin',
  sinceMs: Date.UTC(2026, 0, 2, 3),
  signs: ['Adwin', 'Psi'],
  error: { recent: 1.4, reference: 0.5 },
};
const PINNED: DriftReport = { ...YOUNG, drifting: true, by: 'Pinned', sinceMs: 5, signs: ['Pinned'] };

describe('ForecastDrift', () => {
  test('is not spoken of without a forecast', () => {
    expect(driftOf([])).toBeUndefined();
  });

  test('is unknown on the first day, and has no number', () => {
    expect(driftOf([YOUNG])).toMatchObject({
      condition: { type: 'ForecastDrift', status: 'Unknown', reason: 'TooEarly' },
      signs: undefined,
    });
  });

  test('is false where a metric has been judged', () => {
    expect(driftOf([YOUNG, QUIET])).toMatchObject({
      condition: { status: 'False', reason: 'NoDrift' },
      signs: [],
    });
  });

  test('says by how much and since when', () => {
    const drift = driftOf([QUIET, GREW]);
    expect(drift?.condition).toMatchObject({ status: 'True', reason: 'ErrorsGrew' });
    expect(drift?.condition.message).toContain('since 2026-01-02T03:00Z');
    expect(drift?.condition.message).toContain(
      '1.40 widths of its band on the last day, 0.50 in the week before',
    );
    expect(drift?.signs).toEqual(['Adwin', 'Psi']);
  });

  test('names the metric that drifts longest and counts the signs of all', () => {
    const drift = driftOf([GREW, PINNED]);
    expect(drift?.condition.reason).toBe('CalibrationPinned');
    expect(drift?.signs).toEqual(['Pinned', 'Adwin', 'Psi']);
  });
});
