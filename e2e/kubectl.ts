/** Runs the kubectl that was built with the cluster: what a user types, a test types too. */
import { execFile } from 'node:child_process';
import type { ClusterFacts } from './cluster.ts';

export interface KubectlOptions {
  /** Sent to stdin, e.g. a manifest for `apply -f -`. */
  readonly input?: string;
  /** Default the admin's. */
  readonly kubeconfigPath?: string;
}

/** Answers with stdout; a failing kubectl throws with what it wrote to stderr. */
export function kubectl(
  cluster: Pick<ClusterFacts, 'binaries' | 'kubeconfigPath'>,
  args: readonly string[],
  options: KubectlOptions = {},
  signal?: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      cluster.binaries['kubectl'] ?? 'kubectl',
      [`--kubeconfig=${options.kubeconfigPath ?? cluster.kubeconfigPath}`, ...args],
      { maxBuffer: 64 << 20, ...(signal ? { signal } : {}) },
      (error, stdout, stderr) => {
        if (error)
          reject(new Error(`kubectl ${args.join(' ')}: ${stderr.trim() || error.message}`, { cause: error }));
        else resolve(stdout);
      },
    );
    child.stdin?.on('error', () => undefined); // kubectl may end before it has read all
    child.stdin?.end(options.input ?? '');
  });
}
