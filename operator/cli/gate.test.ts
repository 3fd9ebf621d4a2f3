/** The command as a pod runs it: files in, exit code, report, version and last words out. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type GateSet, honestSet, POISONS } from '../gate/testing/sets.ts';
import { writeSeriesFolder } from '../gate/testing/write-folder.ts';
import { BOX_MODEL } from '../inference/box-model.ts';
import { tinyModel } from '../inference/testing/tiny-model.ts';
import { normal, seededRandom } from '../simulate/generated.ts';
import { onSmallVolume, smallVolumes } from '../testing/small-volume.ts';

const BOX = fileURLToPath(new URL('../../models/loadcast/', import.meta.url));
const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const random = seededRandom(2);
/** Steps of 20 minutes: none of them is fine enough for a simulation of decisions, which takes long. */
const set = honestSet(
  ['a', 'b', 'c'].map((name) => ({
    name,
    startMs: 0,
    stepMs: 1_200_000,
    values: Float64Array.from(
      { length: 20 * 72 },
      (_, i) => 100 * (2 + Math.sin((2 * Math.PI * i) / 72) + 0.05 * normal(random)),
    ),
  })),
  0.4,
);

interface Asked {
  readonly path: string | undefined;
  readonly authorization: string | undefined;
  readonly body: unknown;
}

let folder = '';
let operator: Server;
let asked: Asked[] = [];
/** Statuses of the next answers; then 204. */
let answers: number[] = [];
let control = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-gate-cli-'));
  await run(join(folder, 'run'), set);
  await writeFile(join(folder, 'last.onnx'), tinyModel({ offset: 0 }));
  await writeFile(join(folder, 'token'), 'secret\n');
  operator = createServer((request, response) => {
    let text = '';
    request.on('data', (piece: Buffer) => (text += piece.toString()));
    request.on('end', () => {
      const { url: path, headers } = request;
      asked.push({ path, authorization: headers.authorization, body: JSON.parse(text) });
      const status = answers.shift() ?? 204;
      response.writeHead(status, status === 503 ? { 'retry-after': '0' } : {}).end();
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => operator.once('listening', resolve));
  control = `http://127.0.0.1:${(operator.address() as AddressInfo).port}/attempts/1`;
});
afterAll(async () => {
  operator.close();
  await rm(folder, { recursive: true });
});

/** The folder of a run, as the trainer leaves it. */
async function run(at: string, { training, holdout, trainEndMs, validateEndMs }: GateSet): Promise<void> {
  await writeSeriesFolder(join(at, 'data'), training);
  await writeSeriesFolder(join(at, 'holdout'), holdout);
  await mkdir(join(at, 'out'));
  await cp(join(BOX, 'loadcast.onnx'), join(at, 'out/model.onnx'));
  await cp(join(BOX, 'golden.json'), join(at, 'out/golden.json'));
  await writeFile(join(at, 'out/card.md'), '# A card\n');
  const iso = (ms: number): string => new Date(ms).toISOString();
  const data = { trainEnd: iso(trainEndMs), validateEnd: iso(validateEndMs) };
  const lineage = { schema: 1, name: 'loadcast', family: 'patch-mixer', sha256: BOX_MODEL.sha256, data };
  await writeFile(join(at, 'out/lineage.json'), JSON.stringify(lineage));
}

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

function foresail(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return execute([process.execPath, MAIN, 'gate', ...args], env);
}

function execute(
  [program = '', ...args]: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const settings = { env: { ...process.env, NODE_OPTIONS: '', ...env } };
    execFile(program, args, settings, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, error: err });
    });
  });
}

const files = (at = join(folder, 'run')): string[] => [
  '--candidate',
  join(at, 'out/model.onnx'),
  '--lineage',
  join(at, 'out/lineage.json'),
  '--data',
  at,
  '--max-windows',
  '300',
];
const posting = () => ({ FORESAIL_CONTROL_URL: control, FORESAIL_TOKEN_FILE: join(folder, 'token') });

describe('a candidate that passes', () => {
  test('is published, reported and posted, and a second run of the gate changes nothing', async () => {
    asked = [];
    answers = [503];
    const [report, last, store] = [
      join(folder, 'gate/report.json'),
      join(folder, 'last-words'),
      join(folder, 'store'),
    ];
    const args = [
      ...files(),
      '--incumbent',
      join(folder, 'last.onnx'),
      '--publish',
      store,
      '--report',
      report,
    ];
    const ended = await foresail([...args, '--post', '--termination-log', last], posting());
    expect(ended).toMatchObject({ code: 0, out: expect.stringMatching(/^PASS$/m) });

    const at = join(store, BOX_MODEL.sha256.slice(0, 12));
    expect((await readdir(at)).sort()).toEqual([
      'card.md',
      'golden.json',
      'lineage.json',
      'model.onnx',
      'scores.json',
    ]);
    expect(await readFile(join(at, 'model.onnx'))).toEqual(await readFile(join(BOX, 'loadcast.onnx')));
    const published = { storageUri: `file://${at}/model.onnx`, sha256: BOX_MODEL.sha256 };
    expect(JSON.parse(await readFile(report, 'utf8'))).toMatchObject({
      verdict: 'Pass',
      failed: [],
      published,
    });
    const told = { verdict: 'Pass', failed: [], published, scores: { series: 3 } };
    expect(JSON.parse(await readFile(last, 'utf8'))).toMatchObject({ gate: told });
    // The first was turned away; each carried the token.
    expect(asked).toHaveLength(2);
    expect(asked[1]).toMatchObject({ path: '/attempts/1/gate', authorization: 'Bearer secret', body: told });

    const scores = await readFile(join(at, 'scores.json'), 'utf8');
    expect(await foresail(args)).toMatchObject({ code: 0 });
    expect(await readFile(join(at, 'scores.json'), 'utf8')).toBe(scores);
  });

  test('is not put over another file', async () => {
    const store = join(folder, 'taken');
    const at = join(store, BOX_MODEL.sha256.slice(0, 12));
    await mkdir(at, { recursive: true });
    await writeFile(join(at, 'model.onnx'), 'another');
    const ended = await foresail([...files(), '--publish', store]);
    expect(ended).toMatchObject({ code: 2, error: expect.stringContaining('ARTIFACT_EXISTS') });
    expect(await readFile(join(at, 'model.onnx'), 'utf8')).toBe('another');
  });

  test('is published after one that its store has stopped half-way, though its notes say another time', async () => {
    const store = join(folder, 'half');
    const at = join(store, BOX_MODEL.sha256.slice(0, 12));
    await mkdir(at, { recursive: true });
    await writeFile(join(at, 'lineage.json'), '{"createdAt":"yesterday"}');
    await writeFile(join(at, 'card.md'), '# Yesterday');
    expect(await foresail([...files(), '--publish', store])).toMatchObject({ code: 0 });
    expect(await readFile(join(at, 'lineage.json'), 'utf8')).toContain('yesterday');
    expect(await readFile(join(at, 'model.onnx'))).toEqual(await readFile(join(BOX, 'loadcast.onnx')));
  });

  test('keeps its verdict as last words when its report cannot be written', async () => {
    const last = join(folder, 'kept');
    // A file where a folder is needed.
    const report = join(folder, 'token', 'report.json');
    const ended = await foresail([...files(), '--report', report, '--termination-log', last]);
    expect(ended).toMatchObject({ code: 2, error: expect.stringMatching(/ENOTDIR|EEXIST/) });
    expect(JSON.parse(await readFile(last, 'utf8'))).toMatchObject({ gate: { verdict: 'Pass' } });
  });

  (smallVolumes ? test : test.skip)(
    'that finds no room in its store ends with the code for that, and leaves no half file there',
    async () => {
      const store = join(folder, 'claims/small');
      await mkdir(store, { recursive: true });
      const last = join(folder, 'full');
      const where = ['--claims', join(folder, 'claims'), '--publish', 'pvc://small/web'];
      const gate = [process.execPath, MAIN, 'gate', ...files(), ...where, '--termination-log', last];
      const full = await execute(onSmallVolume(store, '1m', gate));
      expect(full).toMatchObject({ code: 74, error: expect.stringContaining('no space is left in') });
      expect(JSON.parse(await readFile(last, 'utf8'))).toMatchObject({
        error: { code: 'ARTIFACT_NO_SPACE' },
      });
      expect(full.out).not.toMatch(/\.onnx|\.part/);
      expect(await execute(onSmallVolume(store, '16m', gate))).toMatchObject({
        code: 0,
        out: expect.stringMatching(/model\.onnx$/m),
      });
    },
  );

  test('keeps its verdict as last words when there is no room for its report', async () => {
    const last = join(folder, 'kept-full');
    const full = await foresail([...files(), '--report', '/dev/full', '--termination-log', last]);
    expect(full).toMatchObject({ code: 74, error: expect.stringContaining('ENOSPC') });
    expect(JSON.parse(await readFile(last, 'utf8'))).toMatchObject({ gate: { verdict: 'Pass' } });
  });

  test('of an attempt that is over ends with the code for that', async () => {
    answers = [409];
    expect(await foresail([...files(), '--post'], posting())).toMatchObject({ code: 79 });
  });
});

test('a poisoned set fails, names its gate and publishes nothing', async () => {
  const poison = POISONS.find(({ what }) => what === 'training reaches to the end');
  const at = join(folder, 'poisoned');
  await run(at, poison?.apply(set) ?? set);
  const store = join(folder, 'none');
  const ended = await foresail([...files(at), '--publish', store]);
  expect(ended).toMatchObject({ code: 1, out: expect.stringMatching(/^FAIL: Leakage$/m) });
  await expect(readdir(store)).rejects.toMatchObject({ code: 'ENOENT' });
});

describe('a gate that cannot be held ends with 2 and says why', () => {
  test.each<[string, (args: string[]) => string[], RegExp]>([
    ['no candidate', () => [], /--candidate/],
    ['a missing file', (args) => args.with(1, '/none.onnx'), /FILE_MISSING/],
    ['a lineage that is none', (args) => args.with(3, args[1] ?? ''), /LINEAGE_INVALID/],
    // A folder in its place cannot be read either, and is there.
    ['golden vectors that cannot be read', (args) => [...args, '--golden', '/'], /FILE_UNREADABLE/],
    ['no data', (args) => args.with(5, '/none'), /DATA_INVALID/],
    ['a refused incumbent', (args) => [...args, '--incumbent', args[3] ?? ''], /INCUMBENT_INVALID/],
    ['no operator to post to', (args) => [...args, '--post'], /CONTROL_MISSING/],
    ['an improvement that is none', (args) => [...args, '--min-improvement', 'much'], /no|not a share/],
  ])('%s', async (_, change, message) => {
    const last = join(folder, 'error');
    const args = change(files());
    const ended = await foresail(args.length === 0 ? [] : [...args, '--termination-log', last]);
    expect(ended.code).toBe(2);
    expect(ended.error).toMatch(message);
  });
});
