import { expect, test } from '@jest/globals';
import { frontierText } from './frontier-text.ts';
import { madeUpReport } from './report/testing/report.ts';

test('a frontier is told in full, with words where HPA cannot follow', () => {
  const report = madeUpReport();
  const frontier = (report.frontier ?? []).map((cell, i) =>
    i === 0 ? { ...cell, hpaReplicaHoursAtSameTauU: null, ratio: null } : { ...cell, ratio: 0.75 },
  );
  const text = frontierText({ ...report, frontier });
  const lines = text.split('\n').filter((line) => line.startsWith('wave'));
  expect(lines[0]).toMatch(/^wave +120 s +0\.1 % +0\.1 % +\d+ +not reachable +not reachable$/);
  expect(lines[1]).toMatch(/^wave +120 s +0\.5 % .* −25 %$/);
  expect(text).toContain('default coverage');
});

test('without a frontier there is nothing to tell', () => {
  const { settings, results, aggregate, traces, skipped } = madeUpReport();
  expect(frontierText({ settings, results, aggregate, traces, skipped })).toBe('');
});
