/** The CRDs of the Gateway API, from the folder of its Go module; none of them is kept in this repository. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ClusterFacts } from './cluster.ts';
import { established } from './crd.ts';
import { kubectl } from './kubectl.ts';

const MODULE = 'sigs.k8s.io/gateway-api';
const GROUP = 'gateway.networking.k8s.io';
const LOCK = join(import.meta.dirname, 'tools/gateway-api');

/** @param plurals kinds of the standard channel */
export async function installGatewayApi(
  cluster: ClusterFacts,
  plurals: readonly string[] = ['httproutes'],
): Promise<void> {
  // Checked against go.sum; already there after the first time.
  const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', MODULE], { cwd: LOCK });
  const { Dir } = JSON.parse(stdout) as { readonly Dir: string };
  const files = plurals.map((plural) => `--filename=${Dir}/config/crd/standard/${GROUP}_${plural}.yaml`);
  await kubectl(cluster, ['apply', '--server-side', ...files]);
  await established(cluster, ...plurals.map((plural) => `${plural}.${GROUP}`));
}
