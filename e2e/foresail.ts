/** `foresail …` as a person types it, with a cluster's kubeconfig. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ClusterFacts } from './cluster.ts';

const MAIN = join(import.meta.dirname, '../operator/cli/main.ts');

/** Answers with what it prints; throws with what it complains of. */
export async function foresail(
  { kubeconfigPath }: Pick<ClusterFacts, 'kubeconfigPath'>,
  ...words: readonly string[]
): Promise<string> {
  const node = ['--disable-warning=ExperimentalWarning', MAIN, ...words, '--kubeconfig', kubeconfigPath];
  const { stdout } = await promisify(execFile)(process.execPath, node, {
    env: { PATH: process.env['PATH'] },
  });
  return stdout;
}
