import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { systemClock } from '../clock.ts';
import { isForesailError } from '../errors.ts';
import { describe as describeModel } from './contract.ts';
import { digestOf, loadModel } from './load.ts';
import { openModel } from './model.ts';
import { summarise } from './onnx-file.ts';
import { tinyModel } from './testing/tiny-model.ts';
import type { QuarantineReason } from './types.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'foresail-models-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function refusalOf(bytes: Uint8Array): Promise<string | undefined> {
  try {
    const { session } = await loadModel(bytes);
    await session.close();
    return undefined;
  } catch (error) {
    return isForesailError(error, 'MODEL_INVALID') ? error.subject : String(error);
  }
}

const good = tinyModel();
const box = readFileSync(new URL('../../models/loadcast/loadcast.onnx', import.meta.url));

describe('what is refused, and why', () => {
  const cases: readonly (readonly [string, Uint8Array, QuarantineReason])[] = [
    ['nothing', new Uint8Array(0), 'Empty'],
    ['half of a model', good.subarray(0, good.length >> 1), 'Truncated'],
    ['a page of HTML', Buffer.from('<!doctype html><title>Sign in</title>'.repeat(50)), 'NotOnnx'],
    ['a PNG', Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(500, 7)]), 'NotOnnx'],
    ['zeros', Buffer.alloc(1000), 'NotOnnx'],
    ['a length of petabytes', Buffer.from('3affffffffffffff7f', 'hex'), 'Truncated'],
    ['tensors in another file', tinyModel({ external: true }), 'ExternalData'],
    ['an operator of its own', tinyModel({ domain: 'evil.example' }), 'CustomOperator'],
    ['an operator set from the future', tinyModel({ opset: 999 }), 'OpsetUnsupported'],
    ['a renamed input', tinyModel({ contextName: 'history' }), 'WrongInputs'],
    ['a float16 input', tinyModel({ contextType: 10 }), 'WrongInputs'],
    ['a huge shape', tinyModel({ contextDims: ['batch', 1e12] }), 'WrongInputs'],
    ['a fixed batch', tinyModel({ contextDims: [1, 512] }), 'WrongInputs'],
    ['a renamed output', tinyModel({ outputName: 'mean' }), 'WrongOutputs'],
    ['no name', tinyModel({ metadata: { 'foresail.name': undefined } }), 'WrongMetadata'],
    ['another context', tinyModel({ metadata: { 'foresail.context_length': '256' } }), 'WrongMetadata'],
    [
      'levels that fall',
      tinyModel({ metadata: { 'foresail.quantile_levels': '[0.9, 0.5, 0.1]' } }),
      'WrongMetadata',
    ],
    [
      'levels that are no list',
      tinyModel({ metadata: { 'foresail.quantile_levels': '{' } }),
      'WrongMetadata',
    ],
    [
      'another horizon than its output',
      tinyModel({ metadata: { 'foresail.horizon': '32' } }),
      'WrongOutputs',
    ],
    ['weights of NaN', tinyModel({ nan: true }), 'NotFinite'],
  ];
  test.each(cases)('%s', async (_, bytes, reason) => {
    expect(await refusalOf(bytes)).toBe(reason);
  });

  test('a sound model is not', async () => {
    expect(await refusalOf(good)).toBeUndefined();
  });
});

test('any flipped, cut or random bytes end in a refusal or in a summary, never in anything else', () => {
  const attempt = (bytes: Uint8Array): void => {
    try {
      describeModel(summarise(bytes), 'sha256:x', bytes.length);
    } catch (error) {
      expect(isForesailError(error, 'MODEL_INVALID')).toBe(true);
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), attempt), { numRuns: 300 });
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
      const bytes = Uint8Array.from(good);
      bytes[at] = value;
      attempt(bytes);
    }),
    { numRuns: 300 },
  );
  for (let cut = 0; cut < good.length; cut += 97) attempt(good.subarray(0, cut));
});

describe('opening', () => {
  test.each([
    ['a missing file', 'nowhere.onnx', 'Missing'],
    ['a folder', '.', 'Missing'],
  ])('%s is a state, not an exception', async (_, name, reason) => {
    const model = await openModel({ path: join(folder, name) }, { clock: systemClock });
    expect(model.state).toMatchObject({ phase: 'quarantined', reason });
    await expect(model.forecast([], new AbortController().signal)).rejects.toMatchObject({
      code: 'MODEL_QUARANTINED',
    });
  });

  test('a file with another digest than the asked one is refused', async () => {
    const path = join(folder, 'digest.onnx');
    writeFileSync(path, good);
    const model = await openModel({ path, sha256: digestOf(box) }, { clock: systemClock });
    expect(model.state).toMatchObject({ phase: 'quarantined', reason: 'DigestMismatch' });
  });

  test('one changed byte in the box file, and it no longer runs in this process', async () => {
    const path = join(folder, 'box.onnx');
    // In the producer's name, so the file still works.
    const changed = Buffer.from(box);
    changed[changed.indexOf('foresail_models')] = 'F'.charCodeAt(0);
    writeFileSync(path, changed);
    const model = await openModel({ path }, { clock: systemClock, loadDeadlineMs: 60_000 });
    expect(model.state).toMatchObject({ phase: 'ready', place: 'child' });
    await model.close();
  });
});
