/** Archives are read with tar, which had no part in how they are described. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { addPrograms, makeLayer, writeImage } from './image.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'foresail-image-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const tar = (...args: string[]) => execFileSync('tar', args, { encoding: 'buffer' });
const listed = (file: string) => tar('-tf', file).toString().trim().split('\n');

function tree(name: string, when: Date): string {
  const root = join(folder, name);
  mkdirSync(join(root, 'app/skipped'), { recursive: true });
  writeFileSync(join(root, 'app/main'), 'hello');
  writeFileSync(join(root, 'app/skipped/large'), 'x');
  symlinkSync('main', join(root, 'app/link'));
  utimesSync(join(root, 'app/main'), when, when);
  return root;
}

test('a layer is the same for the same contents, whenever they were written', async () => {
  const one = await makeLayer(tree('one', new Date(0)), join(folder, 'one.tar'));
  const two = await makeLayer(tree('two', new Date()), join(folder, 'two.tar'));
  expect(one.diffId).toBe(two.diffId);
  expect(listed(one.path)).toEqual(expect.arrayContaining(['./app/main', './app/link']));
});

test('a layer leaves out what it is told to, and follows links when it is told to', async () => {
  const options = { exclude: ['*/skipped'], followLinks: true };
  const { path } = await makeLayer(tree('one', new Date()), join(folder, 'one.tar'), options);
  expect(listed(path)).toEqual(['./', './app/', './app/link', './app/main']);
  expect(tar('-xOf', path, './app/link').toString()).toBe('hello');
});

test('an archive names its layers by what they contain', async () => {
  const layer = await makeLayer(tree('one', new Date()), join(folder, 'one.tar'));
  const file = join(folder, 'image.tar');
  await writeImage(file, 'localhost/x:1', [layer], {
    entrypoint: ['/app/main'],
    user: '1:2',
    workingDir: '/app',
  });
  const [manifest] = JSON.parse(tar('-xOf', file, 'manifest.json').toString());
  expect(manifest.RepoTags).toEqual(['localhost/x:1']);
  const config = JSON.parse(tar('-xOf', file, manifest.Config).toString());
  expect(config).toMatchObject({
    os: 'linux',
    config: { Entrypoint: ['/app/main'], User: '1:2', WorkingDir: '/app' },
  });
  const digests = (manifest.Layers as string[]).map((name) =>
    createHash('sha256')
      .update(tar('-xOf', file, name))
      .digest('hex'),
  );
  expect(config.rootfs.diff_ids).toEqual(digests.map((digest) => `sha256:${digest}`));
});

test('a program comes with its loader and libraries, and runs with nothing else', async () => {
  const root = join(folder, 'root');
  await addPrograms(root, { '/bin/prlimit': '/usr/bin/prlimit' });
  const { path } = await makeLayer(root, join(folder, 'layer.tar'));
  const files = listed(path);
  expect(files).toEqual(expect.arrayContaining(['./bin/prlimit', './lib64/ld-linux-x86-64.so.2']));
  expect(files.some((file) => file.endsWith('/libc.so.6'))).toBe(true);
});
