/** The end of a real node, in good order and by force: nothing of it may stay on the machine. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { request } from '../../api.ts';
import { type ClusterFacts, startCluster } from '../../cluster.ts';
import { eventually } from '../../eventually.ts';
import { clustersFolder, NamedClusters } from '../../named-clusters.ts';
import { SANDBOX_IMAGE } from '../images.ts';
import { apply, readyPods } from '../stage.ts';
import type { Story } from '../story.ts';
import { footprintOf, machineState, processesOf, tracesOf } from '../traces.ts';

const CLI = join(import.meta.dirname, '../../../operator/cli/main.ts');

/** Pods with all that a pod may hold on to: a network, volumes in memory and on disk, a container that ignores SIGTERM. */
async function fill(cluster: ClusterFacts, signal: AbortSignal): Promise<void> {
  const container = {
    name: 'app',
    image: SANDBOX_IMAGE,
    imagePullPolicy: 'Never',
    volumeMounts: [
      { name: 'memory', mountPath: '/memory' },
      { name: 'disk', mountPath: '/disk' },
    ],
  };
  const volumes = [
    { name: 'memory', emptyDir: { medium: 'Memory' } },
    { name: 'disk', emptyDir: {} },
  ];
  await apply(cluster, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace: 'default', name: 'idle' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'idle' } },
      template: { metadata: { labels: { app: 'idle' } }, spec: { containers: [container], volumes } },
    },
  });
  await readyPods(cluster, 'default', 'idle', 3, signal);
}

interface Elsewhere extends Disposable {
  readonly starter: ChildProcess;
  readonly facts: ClusterFacts;
}

/** A cluster that another program started; that program ends with the story at the latest. */
async function startElsewhere(signal: AbortSignal): Promise<Elsewhere> {
  const script = join(import.meta.dirname, '../../fixtures/starter.ts');
  const args = ['--disable-warning=ExperimentalWarning', script, JSON.stringify({ realNode: true })];
  const starter = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const end = () => void starter.kill('SIGKILL');
  try {
    const [line] = (await once(createInterface({ input: starter.stdout }), 'line', { signal })) as [string];
    return { starter, facts: JSON.parse(line) as ClusterFacts, [Symbol.dispose]: end };
  } catch (error) {
    end();
    throw error;
  }
}

async function nothingIsLeft(footprint: Awaited<ReturnType<typeof footprintOf>>, signal: AbortSignal) {
  await eventually(
    'nothing of the node is left',
    async () => {
      const traces = await tracesOf(footprint);
      if (traces.length > 0) throw new Error(traces.join('\n      '));
      return true;
    },
    30_000,
    signal,
  );
}

export const LIFETIME: readonly Story<undefined>[] = [
  {
    name: 'a node with pods is up and down again, and the machine is as before',
    async run(_, signal) {
      const before = await machineState();
      const cluster = await startCluster({ realNode: true }, signal);
      try {
        const { status } = await request<{ status: { nodeInfo: { kubeletVersion: string } } }>(
          cluster,
          'GET',
          `/api/v1/nodes/${cluster.node?.name}`,
        );
        await fill(cluster, signal);
        const footprint = await footprintOf(cluster);
        assert.deepEqual(await machineState(), before, 'while the node runs');
        const begun = performance.now();
        await cluster.stop();
        const seconds = (performance.now() - begun) / 1_000;
        await nothingIsLeft(footprint, signal);
        assert.deepEqual(await machineState(), before);
        return `kubelet ${status.nodeInfo.kubeletVersion}, up in ${cluster.bootSeconds.toFixed(1)} s, down in ${seconds.toFixed(1)} s`;
      } finally {
        await cluster.stop();
      }
    },
  },
  {
    name: 'a kill -9 of the program that started it leaves nothing',
    async run(_, signal) {
      const before = await machineState();
      using elsewhere = await startElsewhere(signal);
      const { starter, facts } = elsewhere;
      await fill(facts, signal);
      const footprint = await footprintOf(facts);
      starter.kill('SIGKILL');
      await nothingIsLeft(footprint, signal);
      assert.deepEqual(await machineState(), before);
    },
  },
  {
    name: 'a kill -9 of its first process, which all others depend on, leaves nothing',
    async run(_, signal) {
      using elsewhere = await startElsewhere(signal);
      const { facts } = elsewhere;
      await fill(facts, signal);
      const footprint = await footprintOf(facts);
      process.kill(facts.node?.pid ?? 0, 'SIGKILL');
      await nothingIsLeft(footprint, signal);
    },
  },
  {
    name: 'a kill -9 of the supervisor leaves no process, and the next start removes the rest',
    async run(_, signal) {
      using elsewhere = await startElsewhere(signal);
      const { facts } = elsewhere;
      await fill(facts, signal);
      const footprint = await footprintOf(facts);
      process.kill(facts.supervisorPid, 'SIGKILL');
      await eventually(
        'the processes end',
        async () => {
          const left = await processesOf(footprint);
          if (left.length > 0) throw new Error(left.join('\n      '));
          return true;
        },
        30_000,
        signal,
      );
      const next = await startCluster({ realNode: true }, signal);
      try {
        // The kernel gives the number of a namespace that has ended to a new one: it may be the next node's now.
        await nothingIsLeft({ ...footprint, namespace: 'ended' }, signal);
      } finally {
        await next.stop();
      }
    },
  },
  {
    name: 'a detached node outlives its command; when its supervisor is killed, `cluster down` leaves nothing',
    async run(_, signal) {
      const before = await machineState();
      const home = await mkdtemp(join(tmpdir(), 'foresail-clusters-'));
      const env = { ...process.env, XDG_RUNTIME_DIR: home };
      const foresail = (...args: readonly string[]) =>
        promisify(execFile)(process.execPath, [CLI, 'cluster', ...args], { env, signal });
      try {
        await foresail('up', '--nodes', 'real', '--detach');
        const facts = await new NamedClusters(clustersFolder(env)).find('default');
        await fill(facts, signal);
        const footprint = await footprintOf(facts);
        process.kill(facts.supervisorPid, 'SIGKILL');
        await foresail('down');
        await nothingIsLeft(footprint, signal);
        assert.deepEqual(await machineState(), before);
      } finally {
        await foresail('down');
        await rm(home, { recursive: true, force: true });
      }
    },
  },
];
