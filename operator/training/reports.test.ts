import { describe, expect, test } from '@jest/globals';
import { silentLogger } from '../logger.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { parseReport } from './bodies.ts';
import { createRunReports } from './reports.ts';
import { parseLastWords } from './termination.ts';

const key = (uid: string, attempt = 1) => ({ namespace: 'shop', name: 'loadcast', uid, attempt });
const progress = (step: number) => parseReport('progress', { step, total: 500, workers: 1 });
const error = parseReport('error', { code: 'DATA_INVALID', message: 'series web: constant' });

describe('run reports', () => {
  test('keep the newest of each sort, and when a step was new', async () => {
    const clock = new FakeClock(1000);
    const reports = createRunReports({ clock, log: silentLogger });
    reports.take(key('a'), 'progress', progress(10));
    await clock.advance(500);
    reports.take(key('a'), 'progress', progress(10));
    expect(reports.latest('a', 1)).toMatchObject({ at: 1500, advancedAt: 1000, progress: { step: 10 } });
    reports.take(key('a'), 'error', error);
    expect(reports.latest('a', 1)).toMatchObject({ error, progress: { step: 10 } });
  });

  test('take a prepared series for an advance, before the first step', async () => {
    const clock = new FakeClock(1000);
    const reports = createRunReports({ clock, log: silentLogger });
    const preparing = (prepared: number) =>
      parseReport('progress', { step: 0, total: 500, workers: 1, prepared });
    reports.take(key('a'), 'progress', preparing(1));
    await clock.advance(500);
    reports.take(key('a'), 'progress', preparing(1));
    expect(reports.latest('a', 1)?.advancedAt).toBe(1000);
    reports.take(key('a'), 'progress', preparing(2));
    expect(reports.latest('a', 1)).toMatchObject({ advancedAt: 1500, progress: { step: 0, prepared: 2 } });
  });

  test('of ranks that say different things by turns are no advance: a gang that hangs must show', async () => {
    const clock = new FakeClock(1000);
    const reports = createRunReports({ clock, log: silentLogger });
    const say = (prepared?: number) =>
      reports.take(
        key('a'),
        'progress',
        parseReport('progress', { step: 0, total: 500, workers: 2, prepared }),
      );
    say(5);
    for (const prepared of [3, 5, undefined, 5]) {
      await clock.advance(500);
      say(prepared);
    }
    expect(reports.latest('a', 1)).toMatchObject({ at: 3000, advancedAt: 1000, progress: { prepared: 5 } });
  });

  test('never go back, though requests overtake each other', () => {
    const reports = createRunReports({ clock: new FakeClock(), log: silentLogger });
    reports.take(key('a'), 'progress', progress(20));
    reports.take(key('a'), 'progress', progress(10));
    expect(reports.latest('a', 1)?.progress?.step).toBe(20);
    reports.take(key('a', 2), 'progress', progress(5));
    expect(reports.latest('a', 2)?.progress?.step).toBe(5);
  });

  test('forget runs and old attempts, and are bounded', () => {
    const reports = createRunReports({ clock: new FakeClock(), log: silentLogger, maxRuns: 2 });
    for (const attempt of [1, 2, 3]) reports.take(key('a', attempt), 'progress', progress(1));
    expect([1, 2, 3].map((attempt) => reports.latest('a', attempt) !== undefined)).toEqual([
      false,
      true,
      true,
    ]);
    reports.take(key('b'), 'error', error);
    reports.take(key('c'), 'error', error);
    expect(reports.latest('a', 3)).toBeUndefined();
    reports.forget('c');
    expect(reports.latest('c', 1)).toBeUndefined();
    expect(reports.latest('b', 1)).toBeDefined();
  });

  test('a listener that fails keeps nobody else from hearing, and can leave', () => {
    const reports = createRunReports({ clock: new FakeClock(), log: silentLogger });
    const heard: string[] = [];
    reports.onReport(() => {
      throw new Error('broken');
    });
    const leave = reports.onReport(({ uid }) => heard.push(uid));
    reports.take(key('a'), 'error', error);
    leave();
    reports.take(key('b'), 'error', error);
    expect(heard).toEqual(['a']);
  });
});

test('what is only blanks is no text, and of a lineage what nobody reads is not kept', () => {
  expect(() => parseReport('error', { code: 'DATA_INVALID', message: '\n \u0000' })).toThrow(/^message: /);
  const sha256 = 'ab'.repeat(32);
  const lineage = {
    schema: 1,
    name: 'loadcast',
    family: 'linear',
    sha256,
    data: { series: 3, manifest: 'x'.repeat(9000) },
    config: { notes: 'x'.repeat(9000) },
    scores: { mase: 0.8, unknown: null, table: ['x'.repeat(9000)] },
  };
  expect(parseReport('result', { sha256, sizeBytes: 1, lineage }).lineage).toEqual({
    schema: 1,
    name: 'loadcast',
    family: 'linear',
    sha256,
    data: { series: 3 },
    scores: { mase: 0.8 },
  });
});

describe('last words', () => {
  const sha256 = 'ab'.repeat(32);

  test('are read as reports are', () => {
    expect(parseLastWords('{"error":{"code":"CONFIG_INVALID","message":"steps: must be above 0"}}')).toEqual({
      error: { code: 'CONFIG_INVALID', message: 'steps: must be above 0' },
    });
    const result = { sha256, sizeBytes: 7, lineage: null };
    expect(parseLastWords(JSON.stringify({ result }))).toEqual({ result });
    const gate = { verdict: 'Fail', failed: ['Leakage'], scores: { ratio: null }, published: null };
    expect(parseLastWords(JSON.stringify({ gate }))).toEqual({ gate });
  });

  test.each([
    undefined,
    '',
    'Traceback (most recent call last)',
    '{',
    '[]',
    '{"error":{"code":"x"}}',
    `{"result":{"sha256":"${'g'.repeat(64)}","sizeBytes":1,"lineage":null}}`,
    `{"error":${' '.repeat(5000)}}`,
  ])('%j are none', (text) => {
    expect(parseLastWords(text)).toEqual({});
  });
});
