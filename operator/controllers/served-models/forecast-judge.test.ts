import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parseModelDeployment } from '../../api/index.ts';
import { systemClock } from '../../clock.ts';
import type { ForecastWindow, QuantileForecast } from '../../forecast/types.ts';
import { buildWindow } from '../../forecast/window.ts';
import { silentLogger } from '../../logger.ts';
import { seededRandom } from '../../simulate/generated.ts';
import {
  createForecastJudge,
  type ForecastJudge,
  type Judging,
  type StoredDesk,
  type WholeDesk,
} from './forecast-judge.ts';
import { createJudgementFiles, newerOf } from './judgement-files.ts';
import type { NamedModel, ServedVersion } from './served-models.ts';
import { decodeJudgement, encodeJudgement, markOf } from './stored-judgement.ts';

const MINUTE = 60_000;
const UID = 'uid-1';
const LEVELS = [0.1, 0.5, 0.9];
const random = seededRandom(9);
const loads = Float64Array.from({ length: 3_000 }, () => 90 + 20 * random());
const history = {
  window: (_key: string, endMs: number, _stepMs: number, count: number) =>
    loads.slice(endMs / MINUTE - count + 1, endMs / MINUTE + 1),
};

/** A version with a middle of its own; 'fails' is the fault that is injected. */
function version(number: number, middle: number | 'fails') {
  const asked: ForecastWindow[] = [];
  const link = {
    id: `mine@${number}`,
    forecast(window: ForecastWindow): Promise<QuantileForecast> {
      asked.push(window);
      if (middle === 'fails') return Promise.reject(new Error('connection refused'));
      const values = Float32Array.from({ length: 16 * 3 }, (_, i) => middle + 10 * ((i % 3) - 1));
      const model = { name: 'mine', version: String(number), digest: `sha256:${number}` };
      const { originMs, stepMs } = window;
      return Promise.resolve({ originMs, stepMs, horizon: 16, levels: LEVELS, values, model });
    },
  };
  const forecaster = { id: link.id, forecast: () => Promise.reject(new Error('not asked')) };
  const served: ServedVersion = {
    version: number,
    digest: `sha256:${number}`,
    link,
    forecaster,
    failure: undefined,
  };
  return { served, asked };
}

const object = parseModelDeployment({
  apiVersion: 'foresail.io/v1alpha1',
  kind: 'ModelDeployment',
  metadata: { name: 'mine', namespace: 'shop', uid: UID, generation: 1 },
  spec: { model: { storageUri: 's3://m/1', sha256: 'a'.repeat(64) } },
});

function setUp(candidateMiddle: number | 'fails', restored?: WholeDesk) {
  const judge = createForecastJudge({
    history,
    restore: () => restored,
    living: () => new Set([UID]),
    log: silentLogger,
    signal: new AbortController().signal,
  });
  const baseline = version(1, 100);
  const candidate = version(2, candidateMiddle);
  const shadows: string[] = [];
  const model: Extract<NamedModel, { kind: 'served' }> = {
    kind: 'served',
    uid: UID,
    acting: baseline.served,
    compared: { candidate: candidate.served, baseline: baseline.served, margin: 0.02, minLabels: 50 },
  };
  const see = async (from: number, to: number, more: Partial<Parameters<ForecastJudge['sight']>[0]> = {}) => {
    for (let minute = from; minute < to; minute++) {
      const window = buildWindow('u/web', minute * MINUTE, MINUTE, (end, step, count) =>
        history.window('', end, step, count),
      );
      // oxlint-disable-next-line no-await-in-loop -- steps come one after the other
      await judge.sight({
        model,
        window,
        name: 'web Prometheus load',
        leadMs: 2 * MINUTE,
        seen: undefined,
        learner: { shadow: (by) => void shadows.push(by) },
        nowMs: minute * MINUTE,
        ...more,
      });
    }
  };
  const judgementOf = (pair = { candidate: 2, baseline: 1 }) => judge.judgementOf({ object, ...pair });
  return { judge, see, judgementOf, baseline, candidate, shadows, model };
}

function storedOf(judge: ForecastJudge): StoredDesk {
  const [one] = judge.judging();
  expect(one?.uid).toBe(UID);
  return (one as Judging).stored();
}

describe('versions of a ModelDeployment, judged by the loads of its scalers', () => {
  test('a worse one is told to go back, with what was found', async () => {
    const { see, judgementOf } = setUp(140);
    expect(judgementOf()).toBeUndefined();
    await see(600, 1_100);
    const judgement = judgementOf();
    expect(judgement).toMatchObject({ verdict: 'Rollback', candidate: 2, baseline: 1 });
    expect(judgement?.details).toMatchObject({
      reason: 'CanaryWorse',
      effect: expect.stringMatching(/^\+\d+\.\d %$/),
      worstSeries: expect.stringMatching(/^web Prometheus load \+/),
    });
    expect(judgement?.message).toContain('version 2');
  });

  test('one that is as good may be promoted', async () => {
    const { see, judgementOf } = setUp(100);
    await see(600, 1_100);
    expect(judgementOf()).toMatchObject({ verdict: 'Promote' });
  });

  test('one that does not answer is told to go back', async () => {
    const { see, judgementOf } = setUp('fails');
    await see(600, 900);
    expect(judgementOf()?.details?.reason).toBe('CanaryFails');
  });

  test('both are asked once a step, and the one that acts not again', async () => {
    const { see, baseline, candidate, shadows } = setUp(100);
    await see(600, 610);
    await see(609, 610);
    expect([baseline.asked.length, candidate.asked.length]).toEqual([10, 10]);
    const window = baseline.asked.at(-1) as ForecastWindow;
    const forecast = await baseline.served.link.forecast(window, new AbortController().signal);
    await see(610, 620, { seen: { by: 'mine@1', forecast } });
    expect([baseline.asked.length, candidate.asked.length]).toEqual([11, 20]);
    // Only the one that does not act is calibrated apart.
    expect(new Set(shadows)).toEqual(new Set(['mine@2']));
  });

  test('nothing is asked while nothing is compared', async () => {
    const { see, model, baseline, candidate, judgementOf } = setUp(100);
    await see(600, 610, { model: { ...model, compared: undefined } });
    expect([baseline.asked.length, candidate.asked.length]).toEqual([0, 0]);
    expect(judgementOf()).toBeUndefined();
  });

  test('a judgement of other versions says nothing about these', async () => {
    const { see, judgementOf } = setUp(140);
    await see(600, 1_100);
    expect(judgementOf({ candidate: 3, baseline: 1 })).toBeUndefined();
    expect(judgementOf({ candidate: 1, baseline: 2 })).toBeUndefined();
  });

  test('a new operator goes on where the old one was', async () => {
    const before = setUp(140);
    await before.see(600, 1_100);
    const stored = storedOf(before.judge);
    const text = encodeJudgement(stored);
    const after = setUp(140, decodeJudgement(text));
    await after.see(1_100, 1_101);
    expect(after.judgementOf()).toMatchObject({ verdict: 'Rollback' });
    expect(after.judgementOf()?.labels).toBe(before.judgementOf()?.labels);
  });
});

describe('a judgement that is kept', () => {
  async function stored(): Promise<StoredDesk> {
    const { judge, see } = setUp(140);
    await see(600, 700);
    return storedOf(judge);
  }

  test('is the same when it is read again', async () => {
    const one = await stored();
    expect(decodeJudgement(encodeJudgement(one))).toEqual(JSON.parse(JSON.stringify(one)));
  });

  test('that is damaged is none, and says so', async () => {
    const text = encodeJudgement(await stored());
    const reasons: string[] = [];
    const damaged = [text.slice(0, -40), 'hello', encodeJudgement({ ...(await stored()), margin: 7 })];
    for (const each of damaged)
      expect(decodeJudgement(each, (reason) => void reasons.push(reason))).toBeUndefined();
    expect(reasons).toHaveLength(3);
    expect(reasons[2]).toContain('margin');
    expect(decodeJudgement(undefined)).toBeUndefined();
  });

  test('is worth a write when a tenth was added', async () => {
    const one = await stored();
    const more = (labels: number): StoredDesk => ({
      ...one,
      desk: { ...one.desk, judge: { ...one.desk.judge, labels } },
    });
    expect(markOf(more(1_000))).toBe(markOf(more(1_001)));
    expect(markOf(more(1_000))).not.toBe(markOf(more(1_150)));
  });
});

describe('a judgement on disk', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'foresail-judgements-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const filesOf = (warnings: string[] = []) =>
    createJudgementFiles({
      folder,
      everyMs: 3_600_000,
      clock: systemClock,
      log: { ...silentLogger, warn: (message) => void warnings.push(message) },
    });

  /** As at a shutdown: the last picture is written when it ends. */
  async function save(judge: Pick<ForecastJudge, 'judging'>, living = new Set([UID])): Promise<void> {
    const files = filesOf();
    files.attach(judge, () => living);
    await files.run(AbortSignal.abort());
  }

  test('is gone on from without the loss of a forecast, and none is scored twice', async () => {
    const undisturbed = setUp(110);
    await undisturbed.see(600, 700);
    const before = setUp(110);
    await before.see(600, 660);
    await save(before.judge);
    const after = setUp(110, filesOf().restore(UID));
    await after.see(660, 700);
    expect(storedOf(after.judge)).toEqual(storedOf(undisturbed.judge));
    // Without the file, the forecasts that waited for their loads are gone.
    const poorer = setUp(110, storedOf(before.judge));
    await poorer.see(660, 700);
    expect(storedOf(poorer.judge).desk.judge.labels).toBeLessThan(
      storedOf(undisturbed.judge).desk.judge.labels,
    );
  });

  test('is written when something was taken in, and not again', async () => {
    const { judge, see } = setUp(110);
    await see(600, 660);
    const files = filesOf();
    files.attach(judge, () => new Set([UID]));
    await files.run(AbortSignal.abort());
    const [name = ''] = readdirSync(folder);
    const inode = () => statSync(join(folder, name)).ino;
    const first = inode();
    await files.run(AbortSignal.abort());
    expect(inode()).toBe(first);
    await see(660, 661);
    await files.run(AbortSignal.abort());
    expect(inode()).not.toBe(first);
  });

  test('goes with its ModelDeployment', async () => {
    const { judge, see } = setUp(110);
    await see(600, 660);
    await save(judge);
    expect(readdirSync(folder)).toHaveLength(1);
    await save({ judging: () => [] }, new Set());
    expect(readdirSync(folder)).toEqual([]);
  });

  test('that is damaged is none, and says so', async () => {
    const { judge, see } = setUp(110);
    await see(600, 660);
    await save(judge);
    const [name = ''] = readdirSync(folder);
    const warnings: string[] = [];
    const files = filesOf(warnings);
    expect(files.restore(UID)?.waiting?.forecasts.length).toBeGreaterThan(0);
    writeFileSync(join(folder, name), 'torn');
    expect(files.restore(UID)).toBeUndefined();
    expect(files.restore('another')).toBeUndefined();
    expect(warnings).toEqual(['judgement set aside']);
  });

  test('yields to a checkpoint that knows more', async () => {
    const { judge, see } = setUp(110);
    await see(600, 660);
    const file = storedOf(judge);
    await see(660, 700);
    const checkpoint = storedOf(judge);
    expect(newerOf(file, checkpoint)).toBe(checkpoint);
    expect(newerOf(checkpoint, file)).toBe(checkpoint);
    expect(newerOf({ ...checkpoint, candidate: 'another' }, file)).toBe(file);
    expect(newerOf(undefined, file)).toBe(file);
    expect(newerOf(file, undefined)).toBe(file);
  });
});
