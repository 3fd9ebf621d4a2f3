/** A parent is started, is sent a signal, and the kernel is asked whether anything of its child is left. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { expect, test } from '@jest/globals';
import { eventually } from '../e2e/eventually.ts';
import { runChild } from './child.ts';

const MODULE = pathToFileURL(new URL('child.ts', import.meta.url).pathname).href;
const NODE = [process.execPath, '--disable-warning=ExperimentalWarning', '--input-type=module', '--eval'];

/** A program that has a child of its own, says both pids, and does at a signal what `onSignal` says. */
const family = (onSignal: string) => `
  import { spawn } from 'node:child_process';
  const grandchild = spawn('sleep', ['300']);
  process.on('SIGTERM', () => { ${onSignal} });
  setInterval(() => {}, 1000);
  process.stdout.write(process.pid + ' ' + grandchild.pid + '\\n');`;

async function parentOf(program: string): Promise<{ parent: ChildProcess; pids: readonly number[] }> {
  const script = `
    import { runChild } from ${JSON.stringify(MODULE)};
    const options = { show: (chunk) => process.stdout.write(chunk), patienceMs: 500 };
    const { signal } = await runChild(${JSON.stringify([...NODE, program])}, options);
    process.stdout.write('ended by ' + signal + '\\n');`;
  const parent = spawn(NODE[0] as string, [...NODE.slice(1), script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
  return { parent, pids: line.split(' ').map(Number) };
}

/** One that has ended and is not yet buried does not count. */
function lives(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

test.each([
  ['that goes when it is asked', 'process.exit(0)'],
  ['that does not listen', ''],
])('a signal ends a child %s, and its children', async (_, onSignal) => {
  const { parent, pids } = await parentOf(family(onSignal));
  expect(pids.map(lives)).toEqual([true, true]);
  const said = once(parent.stdout as NonNullable<ChildProcess['stdout']>, 'data');
  parent.kill('SIGTERM');
  expect(String((await said)[0])).toBe('ended by SIGTERM\n');
  await once(parent, 'close');
  await eventually('both have ended', async () => !pids.some(lives));
});

test('what it says and how it ends is known', async () => {
  const shown: string[] = [];
  const show = (chunk: Buffer) => void shown.push(String(chunk));
  const ended = await runChild([...NODE, `process.stdout.write('hello'); process.exit(3)`], { show });
  expect(ended).toEqual({ code: 3, signal: undefined, stdout: 'hello' });
  expect(shown.join('')).toBe('hello');
  await expect(runChild(['/nonexistent/program'])).rejects.toThrow('ENOENT');
});
