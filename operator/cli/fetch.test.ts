/** The command as kubelet runs it: what it prints, how it ends, and on a volume that is full. */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { onSmallVolume, smallVolumes } from '../testing/small-volume.ts';

const CONTENT = Buffer.alloc(1_000_000, 'onnx');
const SHA256 = createHash('sha256').update(CONTENT).digest('hex');
const MAIN = join(import.meta.dirname, 'main.ts');

let folder: string;
let models: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-fetch-cli-'));
  models = join(folder, 'models');
  await mkdir(models);
  await writeFile(join(folder, 'model.onnx'), CONTENT);
});
afterEach(async () => rm(folder, { recursive: true }));

const words = (...more: readonly string[]): readonly string[] => [
  process.execPath,
  MAIN,
  'fetch',
  '--uri',
  `file://${folder}/model.onnx`,
  '--sha256',
  SHA256,
  '--to',
  models,
  ...more,
];

async function run([program = '', ...args]: readonly string[]) {
  const env = { PATH: process.env['PATH'], NODE_OPTIONS: '--disable-warning=ExperimentalWarning' };
  return promisify(execFile)(program, args, { env }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
      code,
      stdout,
      stderr,
    }),
  );
}

test('says what it did, and keeps the file for the next', async () => {
  const cache = ['--cache', join(folder, 'cache')];
  expect(JSON.parse((await run(words('--allow-file', ...cache))).stdout)).toEqual({
    sha256: SHA256,
    bytes: CONTENT.length,
    from: 'store',
  });
  expect(await readFile(join(models, 'model.onnx'))).toEqual(CONTENT);
  await rm(join(models, 'model.onnx'));
  expect(JSON.parse((await run(words(...cache))).stdout)).toMatchObject({ from: 'cache' });
});

test('a refusal ends it with the reason as the last line', async () => {
  const { code, stdout, stderr } = await run(words());
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toBe('foresail: file:// is not allowed here [ARTIFACT_DENIED]\n');
});

test('kubelet’s word to stop is obeyed at once, and nothing is left behind', async () => {
  const silent = createServer((socket) => {
    socket.on('error', () => {});
    child.kill('SIGTERM');
  }).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const [program = '', ...args] = words('--allow-address', 'loopback');
  const url = `https://127.0.0.1:${port}/model.onnx`;
  const child = spawn(
    program,
    args.map((arg) => (arg.startsWith('file://') ? url : arg)),
  );
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  silent.close();
  expect({ code, said: said.trim().split('\n').at(-1) }).toEqual({
    code: 130,
    said: 'foresail: interrupted [INTERRUPTED]',
  });
  expect(await readdir(models)).toEqual([]);
});

(smallVolumes ? test : test.skip)('a full volume is told as that, and nothing is left on it', async () => {
  const { code, stdout, stderr } = await run(onSmallVolume(models, '128k', words('--allow-file')));
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(
    /^foresail: no space is left in .*models after \d+ bytes of the file \[ARTIFACT_NO_SPACE\]\n$/,
  );
});
