/** Whatever pods may say fits into a status, and is read out of it again: a run must not stand still for its words. */
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { trainingJobStatusSchema } from '../../api/trainingjob/status.ts';
import { isForesailError } from '../../errors.ts';
import { parseReport } from '../../training/bodies.ts';
import { stateOf, statusOfState } from './state.ts';
import { reported } from './told.ts';

const SHA = 'ab'.repeat(32);
/** What a trainer of somebody else's may take for a number. */
const count = fc.oneof(
  { weight: 12, arbitrary: fc.nat(1000) },
  fc.maxSafeNat(),
  fc.constantFrom(-1, 1e12, Number.MAX_SAFE_INTEGER),
);
const number = fc.oneof(
  { weight: 3, arbitrary: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }) },
  fc.constantFrom(-1, 1e300, 5e-324),
);
const time = fc.oneof(
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  fc.constantFrom('yesterday', '2026-11-22', '2026-11-22 03:00', '2026-11-22T03:00:00+01:00', ''),
);
const names = fc.dictionary(fc.string(), number, { maxKeys: 70 });

const progress = fc.record({
  step: fc.nat(1000),
  total: count,
  workers: fc.constant(1),
  loss: number,
  score: number,
  checkpointStep: count,
  samplesPerSecond: number,
  etaSeconds: number,
  device: fc.string(),
});
const trials = fc.record({
  finished: count,
  pruned: count,
  failed: count,
  best: fc.record({ trial: count, params: names, score: number }),
});
const result = fc.record({
  sha256: fc.constant(SHA),
  sizeBytes: count,
  lineage: fc.record({
    schema: fc.constant(1),
    name: fc.constant('a'),
    family: fc.constant('linear'),
    sha256: fc.constant(SHA),
    seed: count,
    data: fc.record({ series: count, points: count, firstTime: time, trainEnd: time }),
    scores: names,
  }),
});

function accepted<K extends 'progress' | 'trials' | 'result'>(kind: K, body: unknown) {
  try {
    return { [kind]: parseReport(kind, body) };
  } catch (error) {
    if (isForesailError(error, 'REPORT_INVALID')) return {};
    throw error;
  }
}

function written(reports: object) {
  const said = reported({ at: 0, ...reports });
  const state = {
    restarts: {},
    ...(said.progress === undefined ? {} : { progress: said.progress }),
    ...(said.best === undefined ? {} : { best: said.best }),
    ...(said.result === undefined ? {} : { result: { ...said.result, attempt: 1 } }),
  };
  const status = JSON.parse(JSON.stringify(statusOfState(state, 'pvc://a/b'))) as unknown;
  const read = trainingJobStatusSchema.parse(status);
  expect(stateOf(read).progress?.step).toBe(said.progress?.step);
  return read;
}

test('progress, trials and results of any kind', () => {
  fc.assert(
    fc.property(progress, trials, result, (a, b, c) => {
      const read = written({
        ...accepted('progress', a),
        ...accepted('trials', b),
        ...accepted('result', c),
      });
      const { firstTime, trainEnd } = read.candidate?.lineage ?? {};
      // The API server holds them to RFC 3339, which the schema of ours does not.
      for (const each of [firstTime, trainEnd])
        if (each !== undefined) expect(each).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d.*(Z|[+-]\d\d:\d\d)$/);
    }),
    { numRuns: 500 },
  );
});

test('what a pod says of the time that is left is unknown where nobody will live to see it', () => {
  const at = { step: 1, total: 2, workers: 1 };
  expect(written(accepted('progress', { ...at, etaSeconds: 86_400 })).progress?.eta).toBe('24h');
  expect(written(accepted('progress', { ...at, etaSeconds: 1e13 })).progress).not.toHaveProperty('eta');
});
