import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { isModelName, isVersion, scanModel, scanRepository } from './repository.ts';
import { putVersion } from './testing/models.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'foresail-repository-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const file = Buffer.from('any bytes');

describe('names', () => {
  test.each(['a', 'box-model_1.2', 'A'.repeat(128)])('%s is a model', (name) => {
    expect(isModelName(name)).toBe(true);
  });
  test.each(['', '.', '..', '-a', 'a b', 'a/b', 'ä', 'A'.repeat(129)])('%j is no model', (name) => {
    expect(isModelName(name)).toBe(false);
  });
  test.each(['1', '10', '999999999999999'])('%s is a version', (version) => {
    expect(isVersion(version)).toBe(true);
  });
  test.each(['0', '01', '-1', '1.0', 'v1', '1e3', '1000000000000000'])('%s is no version', (version) => {
    expect(isVersion(version)).toBe(false);
  });
});

describe('a repository on disk', () => {
  test('versions are ordered as numbers, and golden vectors are found', async () => {
    for (const version of ['10', '9', '2']) putVersion(root, 'm', version, file);
    putVersion(root, 'm', '3', file, { cases: [] });
    const { versions } = await scanModel(root, 'm');
    expect(versions.map((one) => one.version)).toEqual(['2', '3', '9', '10']);
    expect(versions.map((one) => one.goldenPath !== undefined)).toEqual([false, true, false, false]);
  });

  test('hidden entries and plain files are passed over', async () => {
    putVersion(root, '.hidden', '1', file);
    putVersion(root, 'm', '1', file);
    writeFileSync(join(root, 'README.md'), '');
    writeFileSync(join(root, 'm', 'config.pbtxt'), '');
    const { models, refused } = await scanRepository(root);
    expect([[...models.keys()], refused, models.get('m')?.refused]).toEqual([['m'], [], []]);
  });

  test('odd names and empty versions are named with their reason', async () => {
    putVersion(root, 'bad name', '1', file);
    putVersion(root, 'm', 'v1', file);
    mkdirSync(join(root, 'm', '7'));
    const { models, refused } = await scanRepository(root);
    expect(refused).toEqual([{ name: 'bad name', version: '', reason: expect.stringMatching(/^OddName: /) }]);
    expect(models.get('m')?.refused).toEqual(
      expect.arrayContaining([
        { name: 'm', version: 'v1', reason: expect.stringMatching(/^OddName: /) },
        { name: 'm', version: '7', reason: expect.stringMatching(/^Missing: /) },
      ]),
    );
  });

  test('links inside are followed, links out of it are refused', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'foresail-elsewhere-'));
    try {
      writeFileSync(join(elsewhere, 'model.onnx'), file);
      putVersion(root, '..data', '1', file);
      mkdirSync(join(root, 'm', '1'), { recursive: true });
      symlinkSync(join(root, '..data', '1', 'model.onnx'), join(root, 'm', '1', 'model.onnx'));
      symlinkSync(elsewhere, join(root, 'm', '2'));
      mkdirSync(join(root, 'm', '3'));
      symlinkSync('/nowhere/model.onnx', join(root, 'm', '3', 'model.onnx'));
      const { versions, refused } = await scanModel(root, 'm');
      expect(versions.map((one) => one.version)).toEqual(['1']);
      expect(refused.map((one) => `${one.version} ${one.reason.split(':')[0]}`).sort()).toEqual([
        '2 OutsideRepository',
        '3 Missing',
      ]);
    } finally {
      rmSync(elsewhere, { recursive: true, force: true });
    }
  });

  test('the repository itself may be reached through a link', async () => {
    putVersion(root, 'm', '1', file);
    const link = `${root}-link`;
    symlinkSync(root, link);
    try {
      expect((await scanModel(link, 'm')).versions).toHaveLength(1);
    } finally {
      rmSync(link);
    }
  });

  test('a changed file has another fingerprint, an untouched one the same', async () => {
    const folder = putVersion(root, 'm', '1', file);
    const fingerprint = async (): Promise<string | undefined> =>
      (await scanModel(root, 'm')).versions[0]?.fingerprint;
    const before = await fingerprint();
    expect(await fingerprint()).toBe(before);
    utimesSync(join(folder, 'model.onnx'), 1, 1);
    const touched = await fingerprint();
    expect(touched).not.toBe(before);
    writeFileSync(join(folder, 'golden.json'), '{}');
    expect(await fingerprint()).not.toBe(touched);
  });

  test('a folder that cannot be read is an error, not an empty repository', async () => {
    renameSync(root, `${root}-moved`);
    await expect(scanRepository(root)).rejects.toMatchObject({ code: 'REPOSITORY_UNREADABLE' });
    renameSync(`${root}-moved`, root);
  });
});
