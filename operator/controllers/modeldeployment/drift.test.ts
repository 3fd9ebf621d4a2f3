import { describe, expect, test } from '@jest/globals';
import { parseModelDeployment } from '../../api/index.ts';
import { MINIMAL, modelDeployment } from '../../api/modeldeployment/testing/full-object.ts';
import { withValue } from '../../api/testing/paths.ts';
import { covers, patchOf } from '../drift.ts';
import type { Child } from '../owned-objects.ts';
import { childrenOf } from './objects.ts';
import { CHILD_SETTINGS } from './testing/child-settings.ts';

function wanted(spec: Record<string, unknown> = {}) {
  const owner = parseModelDeployment(modelDeployment({ ...MINIMAL, ...spec }));
  const version = { version: 1, replicas: 2, storageUri: 's3://a', digest: 'a'.repeat(64), onCpu: false };
  return childrenOf(owner, version, { ...CHILD_SETTINGS, minReadySeconds: 5 });
}

const { deployments, services } = wanted();

test('an object that says what is wanted, with the server’s defaults beside it, is left alone', () => {
  let actual = withValue(deployments, 'spec.progressDeadlineSeconds', 600);
  actual = withValue(actual, 'spec.template.spec.dnsPolicy', 'ClusterFirst');
  actual = withValue(
    actual,
    'spec.template.spec.containers[0].terminationMessagePath',
    '/dev/termination-log',
  );
  actual = withValue(actual, 'metadata.labels.team', 'a');
  expect(patchOf(actual, deployments)).toBeUndefined();
});

test('a quantity that the server writes in another way is the same', () => {
  const { deployments: asked } = wanted({
    server: { resources: { requests: { cpu: '0.5', memory: '1024Mi' } } },
  });
  const actual = withValue(asked, 'spec.template.spec.containers[0].resources.requests', {
    cpu: '500m',
    memory: '1Gi',
  });
  expect(patchOf(actual, asked)).toBeUndefined();
  const more = withValue(asked, 'spec.template.spec.containers[0].resources.requests.cpu', '501m');
  expect(patchOf(more, asked)).toBeDefined();
});

describe('what differs is patched', () => {
  test.each<[string, Child, Child, string]>([
    ['replicas', withValue(deployments, 'spec.replicas', 0), deployments, 'spec.replicas'],
    ['a label', withValue(deployments, 'metadata.labels', {}), deployments, 'metadata.labels'],
    [
      'an image',
      withValue(deployments, 'spec.template.spec.containers[0].image', 'x'),
      deployments,
      'spec.template',
    ],
    ['a further container', withSidecar(deployments), deployments, 'spec.template'],
    ['a widened selector', withValue(services, 'spec.selector', { app: 'a' }), services, 'spec.selector'],
    [
      'a leftover of a former spec',
      withValue(deployments, 'spec.template.spec.nodeSelector', { pool: 'gpu' }),
      deployments,
      'spec.template',
    ],
  ])('%s', (_, actual, target, path) => {
    const patch = patchOf(actual, target);
    expect(patch).toBeDefined();
    expect(
      covers(apply(actual, patch ?? {}), { metadata: { labels: target.metadata.labels }, spec: target.spec }),
    ).toBe(true);
    expect(JSON.stringify(patch)).toContain(path.split('.').at(-1));
    expect(patchOf(apply(actual, patch ?? {}) as Child, target)).toBeUndefined();
  });
});

function withSidecar(child: Child): Child {
  return withValue(child, 'spec.template.spec.containers', [
    ...(child.spec as { template: { spec: { containers: object[] } } }).template.spec.containers,
    { name: 'mine' },
  ]);
}

/** RFC 7386, as the server does it. */
function apply(before: unknown, patch: object): object {
  const result: Record<string, unknown> = { ...(before as object) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (typeof value === 'object' && !Array.isArray(value))
      result[key] = apply(result[key] ?? {}, value as object);
    else result[key] = value;
  }
  return result;
}
