import { describe, expect, test } from '@jest/globals';
import { parseModelDeployment } from '../../api/index.ts';
import { MINIMAL, modelDeployment } from '../../api/modeldeployment/testing/full-object.ts';
import type { FetchSettings } from '../fetching.ts';
import { podTemplate } from './pod.ts';
import { CHILD_SETTINGS } from './testing/child-settings.ts';

function pod(
  spec: Record<string, unknown> = {},
  storageUri = 's3://models/a',
  onCpu = false,
  fetch: Partial<FetchSettings> = {},
) {
  const object = parseModelDeployment(modelDeployment({ ...MINIMAL, ...spec }));
  const served = {
    namespace: 'shop',
    deployment: 'loadcast',
    version: 3,
    storageUri,
    digest: 'ab'.repeat(32),
    onCpu,
  };
  return podTemplate(served, object.spec, {
    ...CHILD_SETTINGS,
    fetch: { ...CHILD_SETTINGS.fetch, ...fetch },
  });
}

test('the file is fetched by its digest and served from where it lies', () => {
  const { metadata, spec } = pod();
  expect(metadata.labels).toEqual({
    'foresail.io/model-deployment': 'loadcast',
    'foresail.io/model-version': '3',
    'foresail.io/digest': 'abababababab',
  });
  expect(spec.initContainers.map(({ command, args }) => [...command, ...args].join(' '))).toEqual([
    `foresail fetch --uri s3://models/a --sha256 ${'ab'.repeat(32)} --to /models/loadcast/3 --max-mib 4096 --timeout 1800s`,
  ]);
  expect(spec.containers.map(({ args }) => args.join(' '))).toEqual([
    'serve --model-repository /models --http-port 8080 --grpc-port 8081 --accelerator auto',
  ]);
});

test('what the spec says of the server reaches it', () => {
  const server = {
    accelerator: 'cpu',
    batching: { maxBatchSize: 8, maxQueueDelay: '5ms' },
    latencyTarget: '50ms',
  };
  expect(pod({ server }).spec.containers[0]?.args.join(' ')).toContain(
    '--accelerator cpu --max-batch 8 --max-queue-delay 5ms --latency-target 50ms',
  );
});

describe('a GPU', () => {
  const gpu = {
    resource: 'nvidia.com/mig-1g.10gb',
    count: 2,
    nodeSelector: { pool: 'gpu' },
    tolerations: [{ operator: 'Exists' }],
  };

  test('is asked for as request and limit, on the nodes that have it', () => {
    const { spec } = pod({ server: { accelerator: 'nvidia', gpu } });
    expect(spec).toMatchObject({ nodeSelector: { pool: 'gpu' }, tolerations: [{ operator: 'Exists' }] });
    expect(spec.containers[0]?.resources).toEqual({
      requests: { cpu: '100m', memory: '256Mi', 'nvidia.com/mig-1g.10gb': '2' },
      limits: { 'nvidia.com/mig-1g.10gb': '2' },
    });
    expect(spec.containers[0]?.args).toContain('cuda');
  });

  test('is not asked for any more when no node had room for it', () => {
    const { spec } = pod({ server: { accelerator: 'nvidia', gpu } }, 's3://models/a', true);
    expect(spec).toEqual(pod({ server: { accelerator: 'cpu' } }).spec);
  });

  test('is not asked for without a word about it', () => {
    const { spec } = pod({ server: { accelerator: 'auto' } });
    expect(spec.containers[0]?.resources).toEqual({ requests: { cpu: '100m', memory: '256Mi' } });
    expect(spec).not.toHaveProperty('nodeSelector');
  });
});

test('credentials are mounted for the fetching container alone', () => {
  const { spec } = pod({ credentialsSecretRef: { name: 'store' } });
  expect(spec.volumes).toContainEqual({ name: 'credentials', secret: { secretName: 'store' } });
  expect(spec.initContainers[0]?.args.join(' ')).toContain('--credentials /var/run/foresail/credentials');
  expect(JSON.stringify(spec.initContainers)).toContain('credentials');
  expect(JSON.stringify(spec.containers)).not.toContain('credentials');
});

test('a claim is mounted read-only, where fetch looks for it', () => {
  const { spec } = pod({}, 'pvc://models/a/b.onnx');
  expect(spec.volumes).toContainEqual({
    name: 'claim',
    persistentVolumeClaim: { claimName: 'models' },
  });
  expect(spec.initContainers[0]?.volumeMounts).toContainEqual({
    name: 'claim',
    mountPath: '/mnt/pvc/models',
    readOnly: true,
  });
});

test('a file of the node is taken only where its address says so', () => {
  expect(pod({}, 'file:///models/a.onnx').spec.initContainers[0]?.args).toContain('--allow-file');
  expect(pod().spec.initContainers[0]?.args).not.toContain('--allow-file');
});

test.each(['s3://b/a', 'gs://b/a', 'https://h/a', 'oci://h/a:1', 'hf://o/r/a', 'pvc://c/a', 'file:///a'])(
  '%s: the address stands as it was written, and only its own container sees what it needs',
  (uri) => {
    const { spec } = pod({ credentialsSecretRef: { name: 'store' } }, uri, false, {
      cache: { claim: 'cache', maxMib: 10 },
    });
    expect(spec.initContainers[0]?.args).toContain(uri);
    expect(spec.containers[0]?.volumeMounts.map(({ name }) => name)).toEqual(['models', 'tmp']);
    expect(spec.automountServiceAccountToken).toBe(false);
    const mounted = spec.initContainers[0]?.volumeMounts.map(({ name }) => name);
    expect(spec.volumes.map(({ name }) => name)).toEqual(mounted);
  },
);

test('the identity of a cloud is asked for only where the spec names an account', () => {
  expect(pod({ serviceAccountName: 'reader' }).spec).toMatchObject({
    serviceAccountName: 'reader',
    automountServiceAccountToken: false,
  });
  expect(pod({ serviceAccountName: 'reader' }).spec.initContainers[0]?.args).toContain('--workload-identity');
  expect(pod().spec.initContainers[0]?.args).not.toContain('--workload-identity');
});

test("what the administrator allows the store's addresses reaches the container", () => {
  const args = pod({}, 's3://b/a', false, { allowHttp: true, allowAddresses: ['loopback', 'linkLocal'] }).spec
    .initContainers[0]?.args;
  expect(args?.join(' ')).toContain('--allow-address loopback,linkLocal --allow-http');
});

describe('a cache', () => {
  test('on the node is one folder per namespace', () => {
    const { spec } = pod({}, 's3://b/a', false, { cache: { hostPath: '/var/cache/foresail', maxMib: 10 } });
    expect(spec.volumes).toContainEqual({
      name: 'cache',
      hostPath: { path: '/var/cache/foresail', type: 'Directory' },
    });
    expect(spec.initContainers[0]?.volumeMounts).toContainEqual({
      name: 'cache',
      mountPath: '/var/cache/foresail',
      subPath: 'shop',
    });
    expect(spec.initContainers[0]?.args.join(' ')).toContain(
      '--cache /var/cache/foresail --cache-max-mib 10',
    );
  });

  test('in a claim is the namespace’s own', () => {
    const { spec } = pod({}, 's3://b/a', false, { cache: { claim: 'models-cache', maxMib: 10 } });
    expect(spec.volumes).toContainEqual({
      name: 'cache',
      persistentVolumeClaim: { claimName: 'models-cache' },
    });
    expect(spec.initContainers[0]?.volumeMounts).toContainEqual({
      name: 'cache',
      mountPath: '/var/cache/foresail',
    });
  });
});
