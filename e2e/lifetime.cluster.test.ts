/** Beginning and end: who runs as whom, what survives whom, and what a fault in one process does to the rest. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rmdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import { request } from './api.ts';
import { type Cluster, type ClusterEvent, type ClusterFacts, startCluster } from './cluster.ts';
import { eventually } from './eventually.ts';
import { processesIn } from './processes.ts';

const MINUTE = 60_000;
const PROGRAMS = [
  'etcd',
  'foresail-cluster',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kwok',
];

const clusters: Cluster[] = [];
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all(clusters.splice(0).map((cluster) => cluster.stop()));
});

async function start(onEvent?: (event: ClusterEvent) => void): Promise<Cluster> {
  const cluster = await startCluster(onEvent ? { onEvent } : {});
  clusters.push(cluster);
  return cluster;
}

/** A cluster that another program started. */
async function startElsewhere(): Promise<{ starter: ChildProcess; facts: ClusterFacts }> {
  const script = fileURLToPath(new URL('fixtures/starter.ts', import.meta.url));
  const starter = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(starter);
  const [line] = (await once(createInterface({ input: starter.stdout }), 'line')) as [string];
  return { starter, facts: JSON.parse(line) as ClusterFacts };
}

async function nothingIsLeft(runDir: string): Promise<void> {
  await eventually(`no process of ${runDir}`, async () => {
    const left = await processesIn(runDir);
    if (left.length > 0) throw new Error(left.map(({ program, pid }) => `${program} ${pid}`).join(', '));
    return true;
  });
}

describe('a cluster', () => {
  test(
    'runs without root, shut off from other users',
    async () => {
      const { runDir, kubeconfigs } = await start();
      const processes = await processesIn(runDir);
      expect(processes.map(({ program }) => program).sort()).toEqual(PROGRAMS);
      expect(processes.filter(({ uid }) => uid === 0)).toEqual([]);
      const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
      expect(await mode(runDir)).toBe('700');
      for (const path of Object.values(kubeconfigs)) expect([path, await mode(path)]).toEqual([path, '600']);
    },
    MINUTE,
  );

  test(
    'stands beside another and knows nothing of it',
    async () => {
      const [one, two] = await Promise.all([start(), start()]);
      const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'only-in-one' } };
      await request(one, 'POST', '/api/v1/namespaces', namespace);
      const asked = request(two, 'GET', '/api/v1/namespaces/only-in-one');
      await expect(asked).rejects.toEqual(expect.objectContaining({ status: 404 }));
      const stranger = request(two, 'GET', '/api/v1/namespaces', undefined, { token: one.adminToken });
      await expect(stranger).rejects.toEqual(expect.objectContaining({ status: 401 }));
    },
    2 * MINUTE,
  );

  test(
    'ends whole by stop(), folder and all',
    async () => {
      const cluster = await start();
      await cluster.stop();
      await nothingIsLeft(cluster.runDir);
      expect(existsSync(cluster.runDir)).toBe(false);
    },
    MINUTE,
  );

  test(
    'leaves nothing when it is aborted in mid-boot',
    async () => {
      const aborter = new AbortController();
      const root = await mkdtemp(join(tmpdir(), 'abort-'));
      await chmod(root, 0o755);
      const onEvent = (event: ClusterEvent): void => {
        if (event.event === 'started' && event.process === 'kube-apiserver')
          aborter.abort(new Error('enough'));
      };
      const booting = startCluster({ onEvent, runDirRoot: root }, aborter.signal);
      await expect(booting).rejects.toThrow('enough');
      await nothingIsLeft(root);
      expect(await readdir(root)).toEqual([]);
      await rmdir(root);
    },
    MINUTE,
  );
});

test(
  'a program that cannot start is named, with the end of its log',
  async () => {
    const booting = startCluster({ extraArgs: { 'kube-apiserver': ['--nonsense=1'] } });
    await expect(booting).rejects.toThrow(/^kube-apiserver has ended by itself.*unknown flag: --nonsense/s);
  },
  MINUTE,
);

describe('a kill -9', () => {
  test(
    'of the starter ends the cluster and removes its folder',
    async () => {
      const { starter, facts } = await startElsewhere();
      expect((await processesIn(facts.runDir)).length).toBe(PROGRAMS.length);
      starter.kill('SIGKILL');
      await nothingIsLeft(facts.runDir);
      expect(existsSync(facts.runDir)).toBe(false);
    },
    MINUTE,
  );

  test(
    'of the supervisor ends every process; the next start removes the folder',
    async () => {
      const { facts } = await startElsewhere();
      process.kill(facts.supervisorPid, 'SIGKILL');
      await nothingIsLeft(facts.runDir);
      await start();
      expect(existsSync(facts.runDir)).toBe(false);
    },
    2 * MINUTE,
  );

  test(
    'of the API server is an event, ends nothing else, and it comes back where it was',
    async () => {
      const events: ClusterEvent[] = [];
      const cluster = await start((event) => events.push(event));
      const before = await cluster.pids();
      process.kill(before['kube-apiserver'], 'SIGKILL');
      await eventually('the event', async () =>
        events.some(
          (event) => event.event === 'exited' && event.process === 'kube-apiserver' && !event.expected,
        ),
      );
      await expect(request(cluster, 'GET', '/readyz')).rejects.toThrow('ECONNREFUSED');
      expect(await cluster.pids()).toEqual({ ...before, 'kube-apiserver': 0 });
      await cluster.process('kube-apiserver').start();
      expect(await request<{ items: unknown[] }>(cluster, 'GET', '/api/v1/nodes')).toMatchObject({
        items: [{}, {}],
      });
    },
    MINUTE,
  );
});

describe('the process handles', () => {
  test(
    'freeze, thaw, stop and start by name, and say what cannot be done',
    async () => {
      const cluster = await start();
      const kwok = cluster.process('kwok');
      const pid = await kwok.pid();
      await kwok.signal('SIGSTOP');
      await eventually('stopped', async () => (await stateOf(pid)) === 'T');
      await kwok.signal('SIGCONT');
      await eventually('running', async () => (await stateOf(pid)) !== 'T');
      await kwok.stop();
      expect(await kwok.pid()).toBe(0);
      await expect(kwok.signal('SIGSTOP')).rejects.toThrow('kwok is not running');
      await kwok.start();
      await expect(kwok.start()).rejects.toThrow('kwok is already running');
      await expect(cluster.process('prometheus').start()).rejects.toThrow(
        'no process is called "prometheus"',
      );
    },
    MINUTE,
  );
});

async function stateOf(pid: number): Promise<string | undefined> {
  return /^State:\s+(\S)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
}
