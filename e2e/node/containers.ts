/** The containers of pods, and their violent ends. */
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { request } from '../api.ts';
import type { ClusterFacts } from '../cluster.ts';
import { runInside } from './inside.ts';

export interface Container {
  readonly pod: string;
  /** As containerd knows it. */
  readonly id: string;
  readonly restarts: number;
}

export async function containersOf(
  cluster: ClusterFacts,
  namespace: string,
  selector: string,
  container: string,
): Promise<readonly Container[]> {
  const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(selector)}`;
  const { items } = await request<{ items: SeenPod[] }>(cluster, 'GET', path);
  return items.flatMap(({ metadata, status: { containerStatuses = [] } }) =>
    containerStatuses
      .filter(({ name, state }) => name === container && state.running !== undefined)
      .map(({ containerID = '', restartCount }) => ({
        pod: metadata.name,
        id: containerID.replace('containerd://', ''),
        restarts: restartCount,
      })),
  );
}

interface SeenPod {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly containerID?: string;
      readonly restartCount: number;
      readonly state: { readonly running?: object };
    }[];
  };
}

/** kill -9 of the first process of each, as the kernel does it when memory is short; or another signal. */
export async function killContainers(
  cluster: ClusterFacts,
  containers: readonly Container[],
  kill = 'SIGKILL',
): Promise<void> {
  const ctr = [cluster.binaries['ctr'] ?? 'ctr', '--address', cluster.node?.containerd ?? ''] as const;
  await Promise.all(
    containers.map(({ id }) =>
      runInside(cluster, [...ctr, '--namespace', 'k8s.io', 'task', 'kill', '--signal', kill, id]),
    ),
  );
}

/**
 * kill -9 of its first process by its number on this machine, where the way through containerd takes too long.
 *
 * @returns what kills it, at once
 */
export async function killProcess({ pod, id }: Container): Promise<() => void> {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry)).map(Number);
  const groups = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')),
  );
  const [first] = pids.filter((_, i) => groups[i]?.includes(id)).toSorted((a, b) => a - b);
  if (first === undefined) throw new Error(`no process of ${pod} runs`);
  return () => {
    // A number is given to another process in time.
    if (readFileSync(`/proc/${first}/cgroup`, 'utf8').includes(id)) process.kill(first, 'SIGKILL');
  };
}

/** kill -9 of them all, with nothing between one and the next. @returns what kills them, and asks nobody before it does */
export async function killProcesses(containers: readonly Container[]): Promise<() => void> {
  const kills = await Promise.all(containers.map(killProcess));
  return () => {
    for (const kill of kills) kill();
  };
}
