/**
 * Paths of the programs a cluster is made of. build.sh knows how to build them and where they lie;
 * this only runs it, so that a test that starts on a bare machine builds first and shows progress.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ForesailError } from '../operator/errors.ts';

export type Tool =
  | 'kubernetes'
  | 'etcd'
  | 'kwok'
  | 'prometheus'
  | 'helm'
  | 'cluster'
  | 'kubelet'
  | 'containerd'
  | 'cni'
  | 'coredns'
  | 'metrics-server'
  | 'versitygw'
  | 'distribution'
  | 'fake-gcs-server'
  | 'traefik';

/** What a node with a real kubelet needs beside the control plane. */
export const NODE_TOOLS: readonly Tool[] = ['kubelet', 'containerd', 'cni', 'coredns', 'metrics-server'];

/** What the tests of artifacts fetch from. */
export const STORE_TOOLS: readonly Tool[] = ['versitygw', 'distribution', 'fake-gcs-server'];

/** A gateway of the Gateway API, for the stories that send requests through one. */
export const GATEWAY_TOOLS: readonly Tool[] = ['traefik'];

const SCRIPT = fileURLToPath(new URL('build.sh', import.meta.url));

/** Program name (kube-apiserver, kubectl, promtool, …) → absolute path. */
export type Binaries = ReadonlyMap<string, string>;

/** Whether all of them stand, so that nothing would have to be built. */
export async function binariesStand(tools: readonly Tool[]): Promise<boolean> {
  const child = spawn('sh', [SCRIPT, '--check', ...tools], { stdio: ['ignore', 'ignore', 'inherit'] });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return code === 0;
}

/** Builds what is missing; a few milliseconds when nothing is. Progress goes to this process's stderr. */
export async function ensureBinaries(tools: readonly Tool[], signal?: AbortSignal): Promise<Binaries> {
  const child = spawn('sh', [SCRIPT, ...tools], { stdio: ['ignore', 'pipe', 'inherit'], signal });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) {
    throw new ForesailError(
      'E2E_BUILD_FAILED',
      'terminal',
      'the cluster programs could not be built (reason above)',
    );
  }
  const binaries = new Map<string, string>();
  for (const line of stdout.split('\n')) {
    const space = line.indexOf(' ');
    if (space > 0) binaries.set(line.slice(0, space), line.slice(space + 1));
  }
  return binaries;
}

export function binary(binaries: Binaries, name: string): string {
  const path = binaries.get(name);
  if (path === undefined)
    throw new ForesailError('E2E_NO_BINARY', 'terminal', `build.sh did not name ${name}`);
  return path;
}
