/** Looks and works inside the namespaces of a real node, as root of this machine can. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { ForesailError } from '../../operator/errors.ts';
import { type ClusterFacts, nodeOf } from '../cluster.ts';

/**
 * Starts a program with the node's network, mounts and processes around it. Of this machine's folders it sees all but
 * /run and what was added to /var.
 */
export function spawnInside(
  cluster: ClusterFacts,
  [program, ...args]: readonly [string, ...string[]],
  signal?: AbortSignal,
): ChildProcess {
  const { pid } = nodeOf(cluster);
  const enter = [`--target=${pid}`, '--mount', '--net', '--pid', '--wd=/', '--', program, ...args];
  return spawn('nsenter', enter, { stdio: ['pipe', 'pipe', 'pipe'], signal });
}

/** Runs it to the end; answers with stdout, throws with stderr. `input` is the path of a file for its stdin. */
export async function runInside(
  cluster: ClusterFacts,
  command: readonly [string, ...string[]],
  input?: string,
  signal?: AbortSignal,
): Promise<string> {
  const child = spawnInside(cluster, command, signal);
  const output = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (output.stdout += chunk));
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (output.stderr += chunk));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  ended.catch(() => undefined); // awaited below, perhaps after the input has failed
  child.stdin?.on('error', () => undefined); // it may end before it has read all
  if (input === undefined) child.stdin?.end();
  else if (child.stdin) await pipeline(createReadStream(input), child.stdin).catch(() => undefined);
  const code = await ended;
  if (code === 0) return output.stdout;
  throw new ForesailError(
    'E2E_INSIDE_FAILED',
    'terminal',
    `${command.join(' ')}: ${output.stderr.trim() || `exit code ${code}`}`,
  );
}

/** Gives an archive (docker save, `writeImage`) to the node's containerd; there is no registry. */
export async function importImage(
  cluster: ClusterFacts,
  archive: string,
  signal?: AbortSignal,
): Promise<void> {
  const { containerd } = nodeOf(cluster);
  const ctr = cluster.binaries['ctr'] ?? 'ctr';
  const command = [ctr, '--address', containerd, '--namespace', 'k8s.io', 'images', 'import', '-'] as const;
  await runInside(cluster, command, archive, signal);
}
