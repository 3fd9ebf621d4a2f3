/**
 * Points the shared tests at a cluster that stands already: `USE_EXISTING_CLUSTER=true` with KUBECONFIG, as
 * envtest has it. KUBECONFIG alone is not enough: tests make, break and delete things, and most people's
 * KUBECONFIG names a cluster they love.
 */

import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { ForesailError } from '../operator/errors.ts';
import type { ClusterFacts } from './cluster.ts';

export async function existingCluster(env: NodeJS.ProcessEnv): Promise<ClusterFacts | undefined> {
  if (env['USE_EXISTING_CLUSTER'] !== 'true') return undefined;
  const path = env['KUBECONFIG'];
  if (!path) throw missing('USE_EXISTING_CLUSTER=true needs KUBECONFIG');
  const config = new KubeConfig();
  config.loadFromFile(path);
  const server = config.getCurrentCluster();
  const token = config.getCurrentUser()?.token;
  if (!server) throw missing(`${path} has no current cluster`);
  if (!token)
    throw missing(`the current user of ${path} has no bearer token (kubectl create token makes one)`);
  const caData = server.caData
    ? Buffer.from(server.caData, 'base64').toString('utf8')
    : await readFile(server.caFile ?? '', 'utf8').catch(() => '');
  const dir = await mkdtemp(join(tmpdir(), 'foresail-existing-'));
  const caFile = join(dir, 'ca.crt');
  await writeFile(caFile, caData, { mode: 0o600 });
  return {
    runDir: dir,
    url: server.server,
    kubeconfigPath: path,
    caFile,
    caData,
    adminToken: token,
    tokens: { admin: token },
    kubeconfigs: { admin: path },
    auditLogPath: '',
    logs: {},
    serving: { cert: '', key: '' },
    prometheusUrl: undefined,
    prometheusTargetsDir: undefined,
    etcdUrl: '',
    binaries: { kubectl: 'kubectl' },
    supervisorPid: 0,
    bootSeconds: 0,
  };
}

function missing(message: string): ForesailError {
  return new ForesailError('E2E_EXISTING_CLUSTER', 'terminal', message);
}
