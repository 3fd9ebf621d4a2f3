/** The API server, strict and under Pod Security, takes the pods that models are fetched in; whatever is asked of them. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseModelDeployment } from '../../operator/api/index.ts';
import { MINIMAL, modelDeployment } from '../../operator/api/modeldeployment/testing/full-object.ts';
import type { FetchSettings } from '../../operator/controllers/fetching.ts';
import { podTemplate } from '../../operator/controllers/modeldeployment/pod.ts';
import { CHILD_SETTINGS } from '../../operator/controllers/modeldeployment/testing/child-settings.ts';
import { request } from '../api.ts';
import { eventually } from '../eventually.ts';
import { makeNamespace, type Namespace, sharedCluster } from '../shared-cluster.ts';

const cluster = sharedCluster();
let restricted: Namespace;
let open: Namespace;

beforeAll(async () => {
  [restricted, open] = await Promise.all([makeNamespace(), makeNamespace()]);
  await request(cluster, 'PATCH', `/api/v1/namespaces/${restricted.name}`, {
    metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  });
  for (const { name } of [restricted, open]) {
    const accounts = `/api/v1/namespaces/${name}/serviceaccounts`;
    await request(cluster, 'POST', accounts, { metadata: { name: 'reader' } });
    await eventually('the default account', () => request<object>(cluster, 'GET', `${accounts}/default`));
  }
});
afterAll(async () => {
  await Promise.all([restricted?.delete(), open?.delete()]);
});

/** Asks for such a pod without making it, and says what the server makes of it. */
async function admitted(
  { name: namespace }: Namespace,
  storageUri: string,
  fetch: Partial<FetchSettings>,
  who: object = { credentialsSecretRef: { name: 'store' } },
): Promise<{ readonly spec: { readonly automountServiceAccountToken: boolean } }> {
  const model = { storageUri, sha256: 'a'.repeat(64) };
  const { spec } = parseModelDeployment(
    modelDeployment({
      ...MINIMAL,
      model,
      ...who,
    }),
  );
  const served = { namespace, deployment: 'm', version: 1, storageUri, digest: model.sha256, onCpu: false };
  const template = podTemplate(served, spec, {
    ...CHILD_SETTINGS,
    fetch: { ...CHILD_SETTINGS.fetch, ...fetch },
  });
  const path = `/api/v1/namespaces/${namespace}/pods?dryRun=All&fieldValidation=Strict`;
  return request(cluster, 'POST', path, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'm-v1', ...template.metadata },
    spec: template.spec,
  });
}

test.each([
  's3://models/7.onnx',
  'gs://models/7.onnx',
  'https://store.example/7.onnx',
  'oci://registry.example/models/loadcast:7',
  'hf://shop/loadcast@main/7.onnx',
  'pvc://models/7.onnx',
  'file:///7.onnx',
])('%s in a restricted namespace, with a Secret or an account, and a cache of its own', async (uri) => {
  const fetch: Partial<FetchSettings> = {
    allowHttp: true,
    allowAddresses: ['loopback'],
    cache: { claim: 'cache', maxMib: 10 },
  };
  const pods = [
    await admitted(restricted, uri, fetch),
    await admitted(restricted, uri, fetch, { serviceAccountName: 'reader' }),
  ];
  expect(pods.map(({ spec }) => spec.automountServiceAccountToken)).toEqual([false, false]);
});

describe("a cache in the node's folder", () => {
  const cache = { hostPath: '/var/cache/foresail', maxMib: 10 };

  test('is for namespaces that may have one', async () => {
    await expect(admitted(open, 's3://models/7.onnx', { cache })).resolves.toBeDefined();
  });

  test('is refused where Pod Security forbids it, as the guide says', async () => {
    await expect(admitted(restricted, 's3://models/7.onnx', { cache })).rejects.toThrow(/hostPath/);
  });
});
