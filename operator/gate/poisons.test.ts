/** No poisoned or degenerate set passes, whatever its candidate is worth; an honest one does. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { readTraces } from '../cli/trace-files.ts';
import { normal, seededRandom, spikes } from '../simulate/generated.ts';
import type { Trace } from '../simulate/trace.ts';
import { dataGate } from './data-gate.ts';
import { leakageGate } from './leakage-gate.ts';
import type { Lineage } from './lineage.ts';
import type { FolderSeries } from './series-folder.ts';
import { type GateSet, honestSet, POISONS } from './testing/sets.ts';
import type { GateResult } from './types.ts';

const SHA = 'c'.repeat(64);
const DATA = 'd'.repeat(64);

function lineageOf({ trainEndMs, validateEndMs }: GateSet): Lineage {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    schema: 1,
    name: 'candidate',
    family: 'linear',
    sha256: SHA,
    data: { sha256: DATA, trainEnd: iso(trainEndMs), validateEnd: iso(validateEndMs) },
  };
}

function judged(set: GateSet, lineage: Lineage = lineageOf(set)): Record<'Data' | 'Leakage', GateResult> {
  const training = { sha256: DATA, series: set.training };
  const holdout = { sha256: 'e'.repeat(64), series: set.holdout };
  const lossVsSimple = 0.8;
  return {
    Data: dataGate({ training, holdout, validateEndMs: set.validateEndMs }),
    Leakage: leakageGate({ lineage, sha256: SHA, training, holdout, lossVsSimple }),
  };
}

function poisonTests(setOf: () => GateSet): void {
  test('an honest set passes', () => {
    const { Data, Leakage } = judged(setOf());
    expect(Data).toMatchObject({ verdict: 'Pass' });
    expect(Leakage).toMatchObject({ verdict: 'Pass' });
  });

  test.each(POISONS.map((poison) => [poison.what, poison] as const))('%s never passes', (_, poison) => {
    const result = judged(poison.apply(setOf()))[poison.named as 'Data' | 'Leakage'];
    expect(result).toMatchObject({ name: poison.named, verdict: 'Fail' });
    expect(result.message).not.toBe('');
  });
}

describe('generated loads', () => {
  const random = seededRandom(5);
  const noisy = (name: string, level: number): Trace => ({
    name,
    startMs: 0,
    stepMs: 300_000,
    values: Float64Array.from(
      { length: 21 * 288 },
      (_, i) => level * (2 + Math.sin((2 * Math.PI * i) / 288) + 0.1 * normal(random)),
    ),
  });
  const set = honestSet([noisy('a', 10), noisy('b', 200), noisy('c', 3e5), spikes(10, seededRandom(1))]);
  poisonTests(() => set);

  test('a load that repeats itself exactly is no leak', () => {
    const values = Float64Array.from({ length: 4000 }, (_, i) => 100 + ((i * 37) % 288));
    const { Leakage } = judged(honestSet([{ name: 'clock', startMs: 0, stepMs: 300_000, values }]));
    expect(Leakage.verdict).toBe('Pass');
  });

  test.each<[string, (lineage: Lineage) => Lineage, RegExp]>([
    ['of another file', (one) => ({ ...one, sha256: 'f'.repeat(64) }), /of another file/],
    [
      'of other data',
      (one) => ({ ...one, data: { ...one.data, sha256: 'f'.repeat(64) } }),
      /not the one of the lineage/,
    ],
    [
      'that trains into its test part',
      (one) => ({ ...one, data: { ...one.data, trainEnd: '2027-01-01T00:00:00Z' } }),
      /trains until/,
    ],
  ])('a lineage %s is refused', (_, change, message) => {
    const { Leakage } = judged(set, change(lineageOf(set)));
    expect(Leakage).toMatchObject({ verdict: 'Fail', message: expect.stringMatching(message) });
  });

  test('each source has a clock of its own, and none may be validated later than the lineage says', () => {
    const shift = 30 * 86_400_000;
    const own = (series: FolderSeries): FolderSeries => ({
      ...series,
      name: `old/${series.name}`,
      startMs: series.startMs - shift,
      validateEndMs: set.validateEndMs - shift,
    });
    const old = { ...set, training: set.training.map(own), holdout: set.holdout.map(own) };
    const both = {
      ...set,
      training: [...set.training, ...old.training],
      holdout: [...set.holdout, ...old.holdout],
    };
    expect(judged(both)).toMatchObject({ Data: { verdict: 'Pass' }, Leakage: { verdict: 'Pass' } });
    const leaking = { ...both, training: [...set.training, ...old.holdout] };
    expect(judged(leaking).Leakage).toMatchObject({
      verdict: 'Fail',
      message: expect.stringContaining('old/'),
    });
    const early = {
      ...lineageOf(set),
      data: { ...lineageOf(set).data, validateEnd: '2026-05-31T00:00:00Z' },
    };
    expect(
      judged(both, { ...early, data: { ...early.data, trainEnd: '2026-05-01T00:00:00Z' } }).Leakage.verdict,
    ).toBe('Fail');
  });

  test('no training folder is no training data', () => {
    const holdout = { sha256: 'e'.repeat(64), series: set.holdout };
    const result = dataGate({ training: undefined, holdout, validateEndMs: set.validateEndMs });
    expect(result).toMatchObject({ verdict: 'Fail', message: expect.stringContaining('missing') });
  });

  test('a few bad series among many are told and pass', () => {
    const still = { ...noisy('still', 1), values: new Float64Array(21 * 288).fill(3) };
    const { Data } = judged(honestSet([noisy('a', 1), noisy('b', 2), noisy('c', 3), still]));
    expect(Data).toMatchObject({ verdict: 'Pass', measured: { faultyShare: 0.25, testableSeries: 3 } });
  });
});

const traces = fileURLToPath(new URL('../../../shared/data/traces', import.meta.url));
(existsSync(traces) ? describe : describe.skip)('recorded loads', () => {
  let set: GateSet;
  beforeAll(async () => {
    const names = [
      'google2019_cell_cpu_5m',
      'bitbrains_sum_cpu_5m',
      'helios_earth_gpus_demand_5m',
      'nab_elb_requests_5m',
    ];
    const read = await readTraces(
      names.map((name) => `${traces}/${name}.csv`),
      () => undefined,
    );
    set = honestSet(read);
  });
  poisonTests(() => set);
});
