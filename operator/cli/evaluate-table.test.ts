import { expect, test } from '@jest/globals';
import type { EvaluationReport } from '../simulate/accuracy/report-types.ts';
import { evaluationText } from './evaluate-table.ts';

const levels = (value: number): Record<string, number> => ({ '0.9': value, '0.95': 0.95, '0.99': 0.99 });
const worst = (series: string, realised: number) => ({ series, realised });

const REPORT: EvaluationReport = {
  results: [],
  aggregate: ['flat', 'flat+calibrated'].map((model) => ({
    model,
    horizonSeconds: 900,
    series: 2,
    relMase: 0.5,
    relWql: 0.25,
    worstSeries: 'shop',
    worstRelWql: 1.5,
    betterThanNaive: 1,
    wape: null,
    relPinball: levels(0.3),
    coverage: levels(0.9),
    coverageTopDecile: { ...levels(0.7), '0.99': null },
    coverageError: levels(0.004),
    worstCoverage: { '0.9': worst('till', 0.8), '0.95': worst('shop', 0.94), '0.99': worst('shop', 0.99) },
  })),
  scenarios: [
    {
      scenario: 'noise',
      model: 'flat',
      horizonSeconds: 900,
      series: 2,
      wqlVsClean: 1.25,
      relWql: null,
      coverage: levels(0.88),
    },
  ],
  speed: [
    {
      model: 'flat',
      p50Ms: 0.5,
      p99Ms: 2,
      batch: 256,
      seriesPerSecond: 20_000,
      fileBytes: 4_600_000,
      memoryMiB: null,
    },
  ],
  models: [],
  settings: { protocol: 'as agreed', horizonSeconds: [900], levels: [0.9], excludeTrained: false },
  skipped: [
    { series: 'a', model: 'm', horizonSeconds: 900, reason: 'too early' },
    { series: 'a', model: 'n', horizonSeconds: 900, reason: 'too early' },
    { series: 'a', model: 'n', horizonSeconds: 3600, reason: 'too early' },
    { series: 'b', model: 'm', horizonSeconds: 900, reason: 'too early' },
    { series: 'c', reason: 'constant' },
    { series: 'd', reason: 'constant' },
  ],
};

test('tables for people: points of coverage, the worst named, unknown as a dash, calibration not shown as a forecast', () => {
  const text = evaluationText(REPORT);
  const rows = text.split('\n').map((line) => line.split(/ {2,}/));
  expect(rows).toContainEqual(['flat', '2', '0.500', '0.250', '-', '1/2', '1.50 shop']);
  expect(rows.filter(([first]) => first === 'flat+calibrated')).toEqual([
    [
      'flat+calibrated',
      '0.900 0.950 0.990',
      '0.700 0.950 -',
      '0.40 95.00 99.00',
      '0.300 0.950 0.990',
      '0.800 for 0.9 on till',
    ],
  ]);
  expect(rows).toContainEqual(['noise', 'flat', '15m', '2', '1.25', '-', '0.880 0.950 0.990']);
  expect(rows).toContainEqual(['flat', '0.500', '2.000', '256', '20000', '4.6', '-']);
});

test('what was not scored takes one line per reason and those who share it', () => {
  const notes = evaluationText(REPORT).split('\n\n').at(-1)?.split('\n');
  expect(notes).toEqual([
    'not scored: too early (m, n at 15m, 1h): a',
    'not scored: too early (m at 15m): b',
    'not scored: constant: c, d',
  ]);
});

test('without an aggregate the text says so', () => {
  expect(evaluationText({ ...REPORT, aggregate: [] })).toContain('No series enters the aggregate');
});
