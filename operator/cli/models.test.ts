/** What `foresail models` refuses before it asks any cluster. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-models-'));
  await writeFile(join(folder, 'torn.json'), '{"scores":');
  await writeFile(join(folder, 'other.json'), '{"scores":7}');
});
afterAll(() => rm(folder, { recursive: true }));

function models(...args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN, 'models', ...args, '--kubeconfig', join(folder, 'none')],
      { env: { ...process.env, NODE_OPTIONS: '' } },
      (_error, _out, error) => resolve(error),
    );
  });
}

test.each([[['7', '--delete']], [[]]])('alias candidate %j says no clear thing', async (more) => {
  expect(await models('alias', 'loadcast', 'candidate', ...more)).toBe(
    'foresail: candidate: name either a version or --delete [OPTION_INVALID]\n',
  );
});

test.each([
  ['--report', 'torn.json', /torn.json is no report of foresail gate/],
  ['--report', 'other.json', /other.json is no report of foresail gate/],
  ['--lineage', 'torn.json', /torn.json: is no JSON/],
])('%s %s is refused by name', async (flag, file, message) => {
  const version = ['--uri', 's3://models/a', '--sha256', 'a'.repeat(64)];
  expect(await models('publish', 'loadcast', ...version, flag, join(folder, file))).toMatch(message);
});
