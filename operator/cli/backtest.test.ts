import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { BacktestReport } from '../simulate/report-types.ts';
import { bursty } from '../simulate/testing/loads.ts';
import { startOf, type Trace } from '../simulate/trace.ts';
import { backtestCommand } from './backtest.ts';
import { backtestText } from './backtest-text.ts';

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-backtest-'));
  await writeFile(join(folder, 'minutes.csv'), csv(bursty(0.4)));
  await writeFile(join(folder, 'coarse.csv'), csv({ ...bursty(0.2), stepMs: 300_000 }));
  await writeFile(join(folder, 'minutes.labels.csv'), 'start,end\n1,2\n');
  await writeFile(join(folder, 'other.csv'), 'a,b\n1,2\n');
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function csv(trace: Trace): string {
  const rows = Array.from(trace.values, (value, i) => `${startOf(trace, i) / 1000},${value}`);
  return `timestamp,value\n${rows.join('\n')}\n`;
}

/** Runs the command; what it printed goes to `out` and `notes`. */
async function run(...args: string[]): Promise<{ report: BacktestReport; out: string; notes: string }> {
  const written = { out: '', notes: '' };
  const keep = (where: 'out' | 'notes') => (text: unknown) => {
    written[where] += String(text);
    return true;
  };
  const spies = [
    jest.spyOn(process.stdout, 'write').mockImplementation(keep('out')),
    jest.spyOn(process.stderr, 'write').mockImplementation(keep('notes')),
  ];
  const json = join(folder, 'out', 'report.json');
  try {
    await backtestCommand()
      .exitOverride()
      .parseAsync([...args, '--json', json], { from: 'user' });
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return { report: JSON.parse(await readFile(json, 'utf8')) as BacktestReport, ...written };
}

describe('foresail backtest', () => {
  test('writes every result and aggregate, says what it skipped, and prints a table', async () => {
    const { report, out, notes } = await run('--data', folder, '--start-up', '30s,2m', '--coverage', '0.9');
    expect(Object.keys(report)).toEqual(['results', 'aggregate', 'settings', 'traces', 'skipped']);
    expect(report.results.length).toBe(2 * 2 * 5);
    expect(report.results[1]).toEqual({
      trace: 'minutes',
      startUpSeconds: 30,
      objective: 'availability',
      policy: 'foresail',
      thetaU: expect.any(Number),
      thetaO: expect.any(Number),
      tauU: expect.any(Number),
      tauO: expect.any(Number),
      underProvisionedMinutes: expect.any(Number),
      replicaMinutesShort: expect.any(Number),
      replicaHours: expect.any(Number),
      actionsPerDay: expect.any(Number),
      eps: expect.any(Number),
      coverageAsked: 0.9,
      coverageRealised: expect.any(Number),
      coverageRealisedTopDecile: expect.any(Number),
    });
    expect(new Set(report.aggregate.map(({ startUpSeconds }) => startUpSeconds))).toEqual(new Set([30, 120]));
    expect(report.aggregate.find(({ policy }) => policy === 'hpa')).toMatchObject({
      underProvisionedMinutesVsHpa: 0,
      replicaHoursVsHpa: 0,
      worstTrace: 'minutes',
    });
    expect(report.settings).toMatchObject({ coverage: 0.9, target: 0.7, capacity: 'p95/20' });
    expect(report.settings.model).toMatch(/^loadcast .*sha256:/);
    expect(report.skipped.map(({ trace, startUpSeconds }) => [trace, startUpSeconds])).toEqual([
      ['coarse', 30],
      ['coarse', 120],
    ]);
    expect(notes).toMatch(/other\.csv: skipped/);
    expect(notes).toMatch(/coarse at 30 s, 120 s: skipped, its step of 300 s/);
    expect(notes).not.toMatch(/labels/);
    expect(out).toBe(backtestText(report));
    expect(out).toMatch(/minutes +30 s +availability +foresail/);
  });

  test('is the same whatever runs at once', async () => {
    await writeFile(join(folder, 'hours.csv'), csv(bursty(0.3, 7)));
    const args = ['--data', folder, '--generated', '--start-up=30s', '--policies=profile', '--parallel'];
    const [alone, together] = [await run(...args, '1'), await run(...args, '4')];
    expect(together.report).toEqual(alone.report);
    expect(together.out).toBe(alone.out);
    expect(alone.report.traces.map(({ trace }) => trace).slice(0, 3)).toEqual([
      'hours',
      'minutes',
      'generated_white_noise',
    ]);
    await rm(join(folder, 'hours.csv'));
  });

  test('without a policy that forecasts no model is opened; hpa is always there', async () => {
    const { report } = await run(
      '--data',
      join(folder, 'minutes.csv'),
      '--policies=oracle',
      '--capacity=50',
      '--start-up=30s',
      '--objective=efficiency',
      '--model=/nowhere.onnx',
    );
    expect(report.results.map(({ policy }) => policy)).toEqual(['hpa', 'oracle']);
    expect(report.settings.model).toBeNull();
    expect(report.traces[0]).toMatchObject({ capacity: 50, stepSeconds: 60 });
  });

  test.each([
    [[], 'DATA_MISSING'],
    [['--prometheus', 'http://127.0.0.1:1'], 'DATA_MISSING'],
    [['--generated', '--model', '/nowhere.onnx'], 'MODEL_INVALID'],
    [['--data', '/nowhere'], 'TRACE_INVALID'],
    [['--generated', '--policies', 'magic'], 'commander.invalidArgument'],
    [['--generated', '--start-up', '2'], 'commander.invalidArgument'],
    [['--generated', '--capacity', 'p95'], 'commander.invalidArgument'],
    [['--generated', '--coverage', '99'], 'commander.invalidArgument'],
    [['--generated', '--parallel', '0'], 'commander.invalidArgument'],
  ])('%j is refused: %s', async (args, code) => {
    await expect(run(...args)).rejects.toMatchObject({ code });
  });

  test('a folder of which nothing can be scored ends in an error', async () => {
    const coarse = ['--data', join(folder, 'coarse.csv'), '--start-up', '30s', '--policies', 'hpa'];
    await expect(run(...coarse)).rejects.toMatchObject({ code: 'NOTHING_TO_SCORE' });
  });
});
