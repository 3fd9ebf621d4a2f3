/** `foresail cluster` as a person uses it, from another program. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ClusterFacts } from './cluster.ts';
import { eventually } from './eventually.ts';
import { processesIn } from './processes.ts';

const MINUTE = 60_000;
const children: ChildProcess[] = [];
let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'foresail-cli-'));
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(home, { recursive: true });
});

function start(args: readonly string[]) {
  const script = fileURLToPath(new URL('fixtures/foresail-cluster.ts', import.meta.url));
  const child = spawn(process.execPath, [script, ...args], {
    env: { ...process.env, XDG_RUNTIME_DIR: home },
  });
  children.push(child);
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output.stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (output.stderr += chunk));
  return { child, output };
}

async function foresail(...args: readonly string[]) {
  const { child, output } = start(args);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

async function stateOf(name: string): Promise<ClusterFacts> {
  const path = join(home, 'foresail', 'clusters', name, 'cluster.json');
  expect(((await stat(path)).mode & 0o777).toString(8)).toBe('600');
  return JSON.parse(await readFile(path, 'utf8')) as ClusterFacts;
}

describe('foresail cluster', () => {
  test(
    'up --detach leaves a cluster that env finds and down ends',
    async () => {
      const up = await foresail('up', '--detach', '--name', 'one', '--nodes', '3');
      expect(up).toMatchObject({ code: 0, stderr: expect.stringContaining('cluster "one" is up') });
      const { runDir } = await stateOf('one');
      expect(await processesIn(runDir)).toHaveLength(6);

      const again = await foresail('up', '--name', 'one');
      expect(again).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('cluster "one" is already up'),
      });

      const env = await foresail('env', '--name', 'one');
      const shell = spawn('sh', ['-c', `${env.stdout}\n"$KUBECTL" get nodes -o name`], {
        env: { ...process.env, KUBECTL: (await stateOf('one')).binaries['kubectl'] },
      });
      let nodes = '';
      shell.stdout.setEncoding('utf8').on('data', (chunk: string) => (nodes += chunk));
      await once(shell, 'close');
      expect(nodes).toBe('node/node-1\nnode/node-2\nnode/node-3\n');

      expect(await foresail('down', '--name', 'one')).toMatchObject({ code: 0 });
      expect(await processesIn(runDir)).toEqual([]);
      expect(existsSync(runDir)).toBe(false);
    },
    MINUTE,
  );

  test(
    'up ends with Ctrl-C',
    async () => {
      const { child, output } = start(['up', '--name', 'two']);
      await eventually('up', async () => output.stderr.includes('cluster "two" is up'), MINUTE);
      const { runDir } = await stateOf('two');
      child.kill('SIGINT');
      const [code] = (await once(child, 'close')) as [number | null];
      expect(code).toBe(0);
      expect(await processesIn(runDir)).toEqual([]);
      expect(existsSync(runDir)).toBe(false);
      expect(await foresail('env', '--name', 'two')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('no cluster "two"'),
      });
    },
    MINUTE,
  );

  test(
    'says when a cluster is dead, and clears it away',
    async () => {
      await foresail('up', '--detach', '--name', 'three');
      const { supervisorPid, runDir } = await stateOf('three');
      process.kill(supervisorPid, 'SIGKILL');
      await eventually('dead', async () => (await processesIn(runDir)).length === 0);
      expect(await foresail('env', '--name', 'three')).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('cluster "three" has ended without "down"'),
      });
      expect(await foresail('down', '--name', 'three')).toMatchObject({ code: 0 });
      expect(existsSync(runDir)).toBe(false);
    },
    MINUTE,
  );

  test.each([
    [['up', '--name', '../x'], 'lower-case letters'],
    [['up', '--nodes', '0'], 'a whole number from 1 to 5000'],
    [['up', '--hpa-sync-period', 'soon'], 'a duration such as 15s'],
    [['env', '--name', 'never'], 'no cluster "never"'],
  ])('%j is refused: %s', async (args, message) => {
    expect(await foresail(...args)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(message),
    });
  });
});
