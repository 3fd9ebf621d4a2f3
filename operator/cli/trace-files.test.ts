import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { readTraces } from './trace-files.ts';

let folder = '';
let notes: string[] = [];
const note = (line: string): void => void notes.push(line);

beforeEach(async () => {
  notes = [];
  folder = await mkdtemp(join(tmpdir(), 'traces-'));
});
afterEach(async () => await rm(folder, { recursive: true }));

async function put(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

const GOOD = 'timestamp,value\n0,1\n60,2\n120,3\n';
const BAD = 'timestamp,value\n0,1\n60,-2\n';

test('a folder gives its traces in order of name, and says what it skipped, left out and repaired', async () => {
  await put('b.csv', GOOD);
  await put('a.csv', 'timestamp,value\n0,1\n60,2\n180,4\n240,5\n');
  await put('a.labels.csv', 'start,end\n0,60\n');
  await put('wide.csv', 'timestamp,x,y\n0,1,2\n60,1,2\n');
  await put('bad.csv', BAD);
  await put('readme.md', 'not a trace');
  const traces = await readTraces([folder], note);
  expect(traces.map(({ name }) => name)).toEqual(['a', 'b']);
  expect(notes.map((line) => line.replace(`${folder}/`, ''))).toEqual([
    'a.csv:3: a: 1 missing steps filled in line and flagged',
    'bad.csv:3: the value -2 is negative, and a load is not; the file is left out',
    'wide.csv: skipped, its header is not "timestamp,value"',
  ]);
});

test('a bad file that is named stops everything', async () => {
  const bad = await put('bad.csv', BAD);
  const good = await put('good.csv', GOOD);
  await expect(readTraces([good, bad], note)).rejects.toMatchObject({
    code: 'TRACE_INVALID',
    subject: `${bad}:3`,
  });
  const labels = await put('a.labels.csv', 'start,end\n0,60\n');
  await expect(readTraces([labels], note)).rejects.toMatchObject({ subject: `${labels}:1` });
});

test('nothing to read is an error: no such path, or no trace in it', async () => {
  await expect(readTraces([join(folder, 'nowhere')], note)).rejects.toMatchObject({ code: 'TRACE_INVALID' });
  await put('bad.csv', BAD);
  await expect(readTraces([folder], note)).rejects.toMatchObject({ code: 'TRACE_INVALID' });
});

test('a file met twice is read once; two files of one name are told apart', async () => {
  const a = await put('a.csv', GOOD);
  expect(await readTraces([folder, a], note)).toHaveLength(1);
  await mkdir(join(folder, 'inner'));
  await put('inner/a.csv', GOOD);
  const traces = await readTraces([folder, join(folder, 'inner')], note);
  expect(traces.map(({ name }) => name)).toEqual(['a', 'inner/a']);
});

test('panels are read when they are asked for', async () => {
  await mkdir(join(folder, 'panels'));
  await put('panels/wide.csv', 'timestamp,x,y\n0,1,2\n60,1,3\n');
  await put('a.csv', GOOD);
  const traces = await readTraces([folder], note, { panels: true });
  expect(traces.map(({ name }) => name)).toEqual(['a', 'wide/x', 'wide/y']);
});

test('an abort ends the reading', async () => {
  await put('a.csv', GOOD);
  await expect(
    readTraces([folder], note, { signal: AbortSignal.abort(new Error('enough')) }),
  ).rejects.toThrow('enough');
});
