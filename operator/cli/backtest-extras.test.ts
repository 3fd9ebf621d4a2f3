import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { extrasNeedForecasts, withFrontier, writeExtras } from './backtest-extras.ts';
import { madeUpReport, madeUpSeries, madeUpSweep } from './report/testing/report.ts';

// The renderer is a large native module.
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-extras-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('the frontier is added to a report only when it was run', () => {
  const { settings, results, aggregate, traces, skipped } = madeUpReport();
  const plain = { settings, results, aggregate, traces, skipped };
  expect(withFrontier(plain, [])).toBe(plain);
  const report = withFrontier(plain, [madeUpSweep('wave', 30), madeUpSweep('wave', 600)]);
  expect(report.frontier).toHaveLength(6);
  expect(report.frontierAggregate?.map(({ startUpSeconds, tauU }) => [startUpSeconds, tauU])).toEqual(
    [30, 600].flatMap((seconds) => [0.1, 0.5, 1].map((mark) => [seconds, mark])),
  );
  expect(report.frontierDefault).toHaveLength(2);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

test('page and pictures are written where they were asked for, in folders that did not exist', async () => {
  const asked = { traces: ['../up/<wave>'] };
  const html = join(folder, 'deep', 'page.html');
  const png = join(folder, 'pictures');
  await writeExtras({ html, png }, madeUpReport(asked), madeUpSeries(asked));
  expect(await readFile(html, 'utf8')).toContain('<h1>At the same time short');
  expect((await readdir(png)).toSorted()).toEqual([
    '__up_wave_-120s-availability.png',
    '__up_wave_-frontier.png',
  ]);
  expect(await readdir(folder)).toHaveLength(2);
  const picture = await readFile(join(png, '__up_wave_-frontier.png'));
  expect(picture.subarray(1, 4).toString()).toBe('PNG');
  expect(picture.readUInt32BE(16)).toBe(2000);
});

test('only what needs forecasts asks for a model', () => {
  expect(extrasNeedForecasts({})).toBe(false);
  expect(extrasNeedForecasts({ frontier: true })).toBe(true);
  expect(extrasNeedForecasts({ html: 'page.html' })).toBe(true);
});
