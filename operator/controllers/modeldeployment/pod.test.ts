import { describe, expect, test } from '@jest/globals';
import { parseModelDeployment } from '../../api/index.ts';
import { MINIMAL, modelDeployment } from '../../api/modeldeployment/testing/full-object.ts';
import { podTemplate } from './pod.ts';

const SETTINGS = { image: 'foresail:1', command: ['foresail'] };

function pod(spec: Record<string, unknown> = {}, storageUri = 's3://models/a', onCpu = false) {
  const object = parseModelDeployment(modelDeployment({ ...MINIMAL, ...spec }));
  const served = { deployment: 'loadcast', version: 3, storageUri, digest: 'ab'.repeat(32), onCpu };
  return podTemplate(served, object.spec, SETTINGS);
}

test('the file is fetched by its digest and served from where it lies', () => {
  const { metadata, spec } = pod();
  expect(metadata.labels).toEqual({
    'foresail.io/model-deployment': 'loadcast',
    'foresail.io/model-version': '3',
    'foresail.io/digest': 'abababababab',
  });
  expect(spec.initContainers.map(({ command, args }) => [...command, ...args].join(' '))).toEqual([
    `foresail fetch --uri s3://models/a --sha256 ${'ab'.repeat(32)} --to /models/loadcast/3`,
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
  expect(spec.initContainers[0]?.args.slice(-2)).toEqual(['--credentials', '/var/run/foresail/credentials']);
  expect(JSON.stringify(spec.initContainers)).toContain('credentials');
  expect(JSON.stringify(spec.containers)).not.toContain('credentials');
});

test('a claim is mounted read-only, where fetch looks for it', () => {
  const { spec } = pod({}, 'pvc://models/a/b.onnx');
  expect(spec.volumes).toContainEqual({
    name: 'claim',
    persistentVolumeClaim: { claimName: 'models', readOnly: true },
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
