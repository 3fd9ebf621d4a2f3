/** What a real node leaves on the machine. The kernel is asked, never the node itself. */
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type ClusterFacts, nodeOf } from '../cluster.ts';

const GROUPS = '/sys/fs/cgroup';
/** Where programs of a node keep things whatever their flags say; all of it belongs into the node's own mounts. */
const SHARED_FOLDERS = [
  '/run/netns',
  '/run/containerd',
  '/var/lib/kubelet',
  '/var/log/pods',
  '/var/log/containers',
];

export interface Footprint {
  readonly runDir: string;
  /** The PID namespace, as the kernel names it: `pid:[4026532345]`. */
  readonly namespace: string;
}

export async function footprintOf(cluster: ClusterFacts): Promise<Footprint> {
  const namespace = await readlink(`/proc/${nodeOf(cluster).pid}/ns/pid`);
  return { runDir: cluster.runDir, namespace };
}

/** Every process of the node, its pods' among them, as "pid program". */
export async function processesOf({ namespace, runDir }: Footprint): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      try {
        const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').join(' ');
        const inside = (await readlink(`/proc/${pid}/ns/pid`)) === namespace;
        return inside || command.includes(runDir) ? [`${pid} ${command.trim()}`] : [];
      } catch {
        return []; // it has just ended
      }
    }),
  );
  return found.flat();
}

/** Everything of a cluster that still exists, one line each. Its run folder counts, too. */
export async function tracesOf(footprint: Footprint): Promise<readonly string[]> {
  const { runDir } = footprint;
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  const hierarchies = ['', ...(await readdir(GROUPS))];
  const paths = [runDir, ...hierarchies.map((name) => join(GROUPS, name, basename(runDir)))];
  return [
    ...(await processesOf(footprint)).map((line) => `process ${line}`),
    ...mounts.filter((line) => line.includes(runDir)).map((line) => `mount ${line}`),
    ...(await existing(paths)),
  ];
}

/** Kernel settings of the whole machine that a kubelet likes to change. */
const SETTINGS = ['vm/overcommit_memory', 'vm/panic_on_oom', 'kernel/panic', 'kernel/panic_on_oops'];

/** The state of what a node must not touch: the machine's interfaces and settings, folders that everyone shares. */
export async function machineState(): Promise<readonly string[]> {
  const settings = await Promise.all(
    SETTINGS.map(async (name) => `${name} = ${(await readFile(join('/proc/sys', name), 'utf8')).trim()}`),
  );
  const lists = await Promise.all(
    ['/sys/class/net', ...SHARED_FOLDERS].map(async (folder) => {
      const names = await readdir(folder).catch(() => ['(none)']);
      return `${folder}: ${names.sort().join(' ')}`;
    }),
  );
  return [...settings, ...lists];
}

async function existing(paths: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        () => [path],
        () => [],
      ),
    ),
  );
  return found.flat();
}
