/**
 * The image cannot be built without a container engine, but what it would contain can be laid out and started: the
 * files that the Dockerfile copies, without those that .dockerignore leaves out, beside the production packages alone.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { REPOSITORY as root } from './helm.ts';
import { layOutImage, stages } from './image.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const all = stages(read('Dockerfile'));
const [dependencies = []] = all;
const final = all.at(-1) ?? [];
const cuda = all.find(([from]) => from?.text.endsWith(' AS cuda')) ?? [];

let image: string;
let files: readonly string[];

beforeAll(() => {
  image = mkdtempSync(join(tmpdir(), 'foresail-image-'));
  layOutImage(image);
  files = readdirSync(image, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(image, join(entry.parentPath, entry.name)))
    .filter((file) => !file.startsWith('node_modules/'));
});
afterAll(() => rmSync(image, { recursive: true, force: true }));

test('the operator starts from what the image holds', () => {
  const help = execFileSync(process.execPath, ['operator/main.ts', '--help'], {
    cwd: image,
    env: {},
    encoding: 'utf8',
  });
  expect(help).toContain('--config');
});

test('every file that is opened beside its module is there', () => {
  const beside = files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) =>
      [
        ...readFileSync(join(image, file), 'utf8').matchAll(
          /new URL\('(\.[^']+[^/'])', import\.meta\.url\)/g,
        ),
      ].map(([, path = '']) => join(dirname(file), path)),
    );
  expect(beside).toContain('models/loadcast/loadcast.onnx');
  expect(beside.filter((path) => !existsSync(join(image, path)))).toEqual([]);
});

test('no test, tool or training code is in it', () => {
  expect(
    files.filter((file) => /\.test\.ts$|(^|\/)testing\/|\.py$|^(e2e|tools|charts)\//.test(file)),
  ).toEqual([]);
});

test('of ONNX Runtime’s libraries those for linux/x64 stay', () => {
  const folder = mkdtempSync(join(tmpdir(), 'foresail-prune-'));
  try {
    const bin = 'node_modules/onnxruntime-node/bin';
    for (const entry of readdirSync(join(root, bin), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) {
        const path = join(folder, relative(root, join(entry.parentPath, entry.name)));
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, '');
      }
    const run = dependencies.find(({ name }) => name === 'RUN')?.text ?? '';
    const [install = '', ...prune] = run.split('&&');
    expect(install).toContain('npm install --omit=dev --no-save');
    execFileSync('sh', ['-euc', prune.join('&&')], { cwd: folder });
    const left = readdirSync(join(folder, bin), { recursive: true, withFileTypes: true });
    expect(
      left.filter((entry) => entry.isFile()).map(({ parentPath }) => relative(join(folder, bin), parentPath)),
    ).toEqual(expect.arrayContaining(['napi-v6/linux/x64']));
    expect(left.map(({ name }) => name)).not.toEqual(expect.arrayContaining(['win32']));
    expect(left.map(({ name }) => name)).not.toEqual(expect.arrayContaining(['arm64']));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

describe('image and chart agree', () => {
  const values = load(read('charts/foresail/values.yaml')) as {
    podSecurityContext: { runAsUser: number; runAsGroup: number };
    config: { http: { address: string } };
  };
  const text = (name: string) => final.find((instruction) => instruction.name === name)?.text;

  test('on the user, which is a number that the kubelet can compare with runAsNonRoot', () => {
    const { runAsUser, runAsGroup } = values.podSecurityContext;
    expect(text('USER')).toBe(`${runAsUser}:${runAsGroup}`);
    expect(runAsUser).toBeGreaterThan(0);
  });

  test('and the image for GPUs is the same but for its base and its packages', () => {
    const kept = (stage: typeof final) =>
      stage.filter(
        ({ name, text: of }) => !['FROM', 'LABEL', 'RUN'].includes(name) && !of.startsWith('--from='),
      );
    expect(kept(cuda)).toEqual(kept(final));
    expect(cuda.filter(({ text: of }) => of.startsWith('--from=cuda-dependencies '))).toHaveLength(2);
  });

  test('on the port', () => {
    expect(values.config.http.address.split(':').at(-1)).toBe(text('EXPOSE'));
  });

  test('on the entry point, to which the chart adds its arguments', () => {
    expect(JSON.parse(text('ENTRYPOINT') ?? '')).toEqual(['node', 'operator/main.ts']);
  });
});
