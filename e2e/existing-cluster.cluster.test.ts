/** Pointing the tests at a cluster that stands already takes two variables, never KUBECONFIG alone. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { request } from './api.ts';
import { existingCluster } from './existing-cluster.ts';
import { sharedCluster } from './shared-cluster.ts';

const { kubeconfigPath, adminToken, url } = sharedCluster();

describe('existingCluster', () => {
  test('ignores a KUBECONFIG that nobody offered to the tests', async () => {
    expect(await existingCluster({ KUBECONFIG: kubeconfigPath })).toBeUndefined();
  });

  test('reads address, authority and token', async () => {
    const facts = await existingCluster({ KUBECONFIG: kubeconfigPath, USE_EXISTING_CLUSTER: 'true' });
    if (facts === undefined) throw new Error('it was not offered');
    try {
      expect(facts).toMatchObject({ url, adminToken, kubeconfigPath });
      await request(facts, 'GET', '/api/v1/namespaces/default');
    } finally {
      await rm(facts.runDir, { recursive: true });
    }
  });

  test('says what is missing', async () => {
    await expect(existingCluster({ USE_EXISTING_CLUSTER: 'true' })).rejects.toThrow('needs KUBECONFIG');
    const folder = await mkdtemp(join(tmpdir(), 'foresail-kubeconfig-'));
    try {
      const path = join(folder, 'config');
      await writeFile(
        path,
        (await readFile(kubeconfigPath, 'utf8')).replace(/user: \{token: .*\}/, 'user: {}'),
      );
      const asked = existingCluster({ USE_EXISTING_CLUSTER: 'true', KUBECONFIG: path });
      await expect(asked).rejects.toThrow('has no bearer token');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
