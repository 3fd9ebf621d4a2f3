/** How a backtest ends when it is cut short, in a process of its own as a user runs it. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { BacktestReport } from '../simulate/report-types.ts';
import { bursty } from '../simulate/testing/loads.ts';
import { startOf, type Trace } from '../simulate/trace.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-ends-'));
  await writeFile(join(folder, 'short.csv'), csv(bursty(0.2)));
  // Minutes of work: nobody waits for its end.
  await writeFile(join(folder, 'long.csv'), csv(bursty(40)));
});
afterAll(() => rm(folder, { recursive: true }));

function csv(trace: Trace): string {
  const rows = Array.from(trace.values, (value, i) => `${startOf(trace, i) / 1000},${value}`);
  return `timestamp,value\n${rows.join('\n')}\n`;
}

type Command = ChildProcessByStdio<null, Readable, Readable>;

/** Ends it by `end` as soon as the short trace is done. */
async function cutShort(name: string, end: (command: Command) => Promise<void> | void) {
  const [json, html] = [join(folder, `${name}.json`), join(folder, `${name}.html`)];
  const flags = ['--data', folder, '--start-up', '30s', '--parallel', '2', '--frontier', '--json', json];
  const command = spawn(process.execPath, [MAIN, 'backtest', ...flags, '--html', html], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, notes] = ['', ''];
  command.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  let ended = false;
  command.stderr.setEncoding('utf8').on('data', (text: string) => {
    notes += text;
    if (ended || !notes.includes('1/2 short\n')) return;
    ended = true;
    void end(command);
  });
  const [code] = (await once(command, 'close')) as [number | null];
  const report = JSON.parse(await readFile(json, 'utf8')) as BacktestReport;
  return { code, out, notes, report, html: await readFile(html, 'utf8') };
}

test('Ctrl-C writes what was done, says what was not, and ends with 130', async () => {
  const { code, out, notes, report, html } = await cutShort('interrupted', (command) => {
    command.kill('SIGINT');
  });
  expect(code).toBe(130);
  expect(new Set(report.results.map(({ trace }) => trace))).toEqual(new Set(['short']));
  expect(report.failed).toEqual([{ trace: 'long', reason: 'interrupted' }]);
  expect(html).toContain('Not the whole of it: 1 trace without results, long');
  expect(out).toContain('long: no results, interrupted');
  expect(notes).toContain('1 of 2 without results; long: interrupted [INTERRUPTED]');
});

test('a trace whose process dies is reported, the other stands, and the exit code tells', async () => {
  const { code, report, notes } = await cutShort('died', async ({ pid }) => {
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
    for (const child of children.trim().split(' ')) process.kill(Number(child), 'SIGKILL');
  });
  expect(code).toBe(1);
  expect(report.traces.map(({ trace }) => trace)).toEqual(['short']);
  expect(report.failed).toEqual([{ trace: 'long', reason: 'its process ended with SIGKILL' }]);
  expect(notes).toContain('long: failed, its process ended with SIGKILL\n');
  expect(notes).toContain('[RESULTS_INCOMPLETE]');
});
