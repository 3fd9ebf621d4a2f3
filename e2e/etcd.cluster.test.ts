import { expect, test } from '@jest/globals';
import { request } from './api.ts';
import { startCluster } from './cluster.ts';
import { compact } from './etcd.ts';

test('after a compaction and a restart the past is 410 Gone', async () => {
  await using cluster = await startCluster();
  const path = '/api/v1/namespaces/default/configmaps';
  const make = (name: string) =>
    request<{ metadata: { resourceVersion: string } }>(cluster, 'POST', path, { metadata: { name } });
  const { resourceVersion } = (await make('old')).metadata;
  await make('new');
  const list = `${path}?resourceVersionMatch=Exact&resourceVersion=${resourceVersion}&limit=1`;
  const watch = `${path}?watch=1&timeoutSeconds=5&resourceVersion=${resourceVersion}`;
  await request(cluster, 'GET', list);

  expect(await compact(cluster)).toBeGreaterThan(Number(resourceVersion));
  await cluster.process('kube-apiserver').kill();
  await cluster.process('kube-apiserver').start();

  await expect(request(cluster, 'GET', list)).rejects.toEqual(expect.objectContaining({ status: 410 }));
  const { type, object } = await request<{ type: string; object: { code: number } }>(cluster, 'GET', watch);
  expect([type, object.code]).toEqual(['ERROR', 410]);
}, 60_000);
