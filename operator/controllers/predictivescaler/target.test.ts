import { describe, expect, test } from '@jest/globals';
import { IndexedStore, type Scale } from '../../runtime/index.ts';
import { fromScale, newest, projectWorkload, readTarget, type Workload } from './target.ts';

const REF = { group: 'apps', version: 'v1', plural: 'deployments', namespaced: true };
const signal = new AbortController().signal;

const web: Workload = {
  metadata: { name: 'web', namespace: 'shop', resourceVersion: '7' },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'old', operator: 'DoesNotExist' }] },
  },
  status: { replicas: 2 },
};
const turnip: Scale = {
  metadata: { name: 'field', namespace: 'shop', resourceVersion: '9' },
  spec: { replicas: 4 },
  status: { replicas: 1, selector: 'crop=turnip' },
};

function sources() {
  const deployments = new IndexedStore<Workload>();
  deployments.set(web);
  const read: string[] = [];
  return {
    read,
    deployments,
    targets: {
      discovery: {
        resolve: async (apiVersion: string, kind: string) => ({
          ref: { ...REF, group: apiVersion.split('/')[0] ?? '', plural: `${kind.toLowerCase()}s` },
          kind,
          scalable: kind !== 'DaemonSet',
        }),
      },
      reader: {
        async getScale(_ref: unknown, { name }: { name: string }) {
          read.push(name);
          return turnip;
        },
      },
      watched: new Map([['apps/deployments', deployments]]),
    },
  };
}

const ref = (kind: string, name: string, apiVersion = 'apps/v1') => ({ apiVersion, kind, name });

describe('the scale of a target', () => {
  test('of a Deployment comes out of the cache: no read', async () => {
    const { targets, read } = sources();
    const target = await readTarget(targets, 'shop', ref('Deployment', 'web'), signal);
    expect(target).toMatchObject({ specReplicas: 3, statusReplicas: 2, resourceVersion: '7' });
    expect(target.selectorText).toBe('app=web,!old');
    expect(read).toEqual([]);
  });

  test('of any other kind comes from /scale', async () => {
    const { targets, read } = sources();
    const target = await readTarget(targets, 'shop', ref('Turnip', 'field', 'example.org/v1'), signal);
    expect(target).toMatchObject({ specReplicas: 4, statusReplicas: 1, selectorText: 'crop=turnip' });
    expect(read).toEqual(['field']);
  });

  test.each([
    ['TARGET_NOT_SCALABLE', 'terminal', ref('DaemonSet', 'web')],
    ['TARGET_NOT_FOUND', 'transient', ref('Deployment', 'api')],
  ])('%s', async (code, retry, target) => {
    await expect(readTarget(sources().targets, 'shop', target, signal)).rejects.toMatchObject({
      code,
      retry,
    });
  });

  test('an absent number: 1 in a Deployment, which the API server would default; 0 in a Scale, which leaves it out', async () => {
    const { targets, deployments } = sources();
    deployments.set({ metadata: web.metadata, spec: {} });
    await expect(readTarget(targets, 'shop', ref('Deployment', 'web'), signal)).resolves.toMatchObject({
      specReplicas: 1,
      statusReplicas: 0,
      selector: undefined,
    });
    const empty = { metadata: turnip.metadata } as unknown as Scale;
    expect(fromScale(REF, empty)).toMatchObject({ specReplicas: 0, selector: undefined });
  });

  test.each(['a in', 'a=b=c', '(('])(
    'a selector that cannot be read (%s) selects nothing, and nothing throws',
    (text) => {
      const scale = { ...turnip, status: { replicas: 1, selector: text } };
      expect(fromScale(REF, scale)).toMatchObject({ selectorText: text, selector: undefined });
    },
  );
});

test.each([
  ['99', '100', true],
  ['100', '99', false],
  ['100', '100', false],
  ['9', '10', true],
])('found %s, written %s: the write is newer: %s', (found, written, newer) => {
  const target = fromScale(REF, { ...turnip, metadata: { ...turnip.metadata, resourceVersion: found } });
  const seen = newest(target, { resourceVersion: written, replicas: 40 });
  expect(seen.specReplicas).toBe(newer ? 40 : 4);
  expect(seen.resourceVersion).toBe(newer ? written : found);
});

test('a workload keeps what a target needs', () => {
  const whole = { ...web, spec: { ...web.spec, template: { spec: { containers: [] } } } };
  expect(projectWorkload(whole as Workload)).toEqual(web);
});
