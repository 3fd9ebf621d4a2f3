import { describe, expect, test } from '@jest/globals';
import type { ConfigMap } from '../config-map.ts';
import { createRegistries, NO_REGISTRIES } from './registry.ts';
import { Stage } from './testing/stage.ts';

const FROM = { registry: 'loadcast', alias: 'candidate' };
const entry = (version: number, letter = String(version)) => ({
  version,
  storageUri: `s3://models/loadcast/${version}`,
  sha256: letter.repeat(64).slice(0, 64),
  createdAt: '2026-11-21T10:00:00Z',
  // Whoever publishes may write more.
  tags: ['nightly'],
});
const INDEX = { versions: [entry(1), entry(2)], aliases: { candidate: 2, stable: 1 } };

function indexOf(content: unknown, labels: Record<string, string> = { 'foresail.io/registry': 'loadcast' }) {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  return {
    metadata: { name: 'foresail-registry-loadcast', namespace: 'shop', labels },
    data: { 'index.json': text },
  } as ConfigMap;
}

function follow(index: ConfigMap | undefined, namespace = 'shop') {
  const get = (key: string) => (key === 'shop/foresail-registry-loadcast' ? index : undefined);
  return createRegistries({ get }).follow(namespace, FROM);
}

describe('an alias', () => {
  test('means the version that the index says', () => {
    expect(follow(indexOf(INDEX))).toEqual({
      version: 2,
      storageUri: 's3://models/loadcast/2',
      sha256: '2'.repeat(64),
    });
  });

  test.each<[string, ConfigMap | undefined, string, string]>([
    ['no index', undefined, 'RegistryNotFound', 'foresail-registry-loadcast'],
    ['an index of another registry', indexOf(INDEX, {}), 'RegistryNotFound', 'foresail.io/registry'],
    ['no JSON', indexOf('<html>'), 'RegistryInvalid', 'is no JSON'],
    ['no content', { ...indexOf(''), data: {} }, 'RegistryInvalid', 'is not there'],
    [
      'a digest that is none',
      indexOf({ ...INDEX, versions: [{ ...entry(2), sha256: 'abc' }] }),
      'RegistryInvalid',
      'versions.0.sha256',
    ],
    [
      'an address with credentials',
      indexOf({ ...INDEX, versions: [{ ...entry(2), storageUri: 's3://key@a/b' }] }),
      'RegistryInvalid',
      'versions.0.storageUri',
    ],
    [
      'more than fits',
      indexOf({ versions: Array.from({ length: 1001 }, (_, i) => entry(i + 1)), aliases: {} }),
      'RegistryInvalid',
      'versions',
    ],
    ['no such alias', indexOf({ ...INDEX, aliases: { stable: 1 } }), 'AliasNotFound', 'candidate'],
    [
      'a version that is gone',
      indexOf({ ...INDEX, versions: [entry(1)] }),
      'RegisteredVersionNotFound',
      'version 2',
    ],
  ])('%s', (_, index, reason, message) => {
    expect(follow(index)).toMatchObject({ reason, message: expect.stringContaining(message) });
  });

  test('of another namespace is not seen', () => {
    expect(follow(indexOf(INDEX), 'other')).toMatchObject({ reason: 'RegistryNotFound' });
  });

  test('names of the language are no aliases', () => {
    const get = () => indexOf(INDEX);
    const found = createRegistries({ get }).follow('shop', { ...FROM, alias: 'constructor' });
    expect(found).toMatchObject({ reason: 'AliasNotFound' });
  });

  test('is nothing where the administrator has not switched registries on', () => {
    expect(NO_REGISTRIES.follow('shop', FROM)).toMatchObject({ reason: 'RegistryNotConfigured' });
  });
});

describe('a ModelDeployment that follows one', () => {
  const spec = {
    model: { from: FROM, storageUri: undefined, sha256: undefined },
    rollout: { steps: [{ setWeight: 50 }, { pause: {} }] },
  };

  test('serves what it means, and begins the steps when it moves', async () => {
    const stage = new Stage(spec);
    stage.index = indexOf({ ...INDEX, aliases: { candidate: 1 } });
    await stage.settle();
    expect(stage.traffic).toBe('1:100');
    expect(stage.status.resolved).toEqual({
      registry: 'loadcast',
      alias: 'candidate',
      version: 1,
      storageUri: 's3://models/loadcast/1',
      digest: '1'.repeat(64),
    });
    expect(stage.condition('ModelResolved')).toMatchObject({ status: 'True', reason: 'Followed' });
    stage.index = indexOf(INDEX);
    await stage.settle();
    expect(stage.traffic).toBe('1:50 2:50');
    expect(stage.status.canary?.digest).toBe('2'.repeat(64));
    // Back to where it was: the canary goes, and stable was never touched.
    stage.index = indexOf({ ...INDEX, aliases: { candidate: 1 } });
    await stage.settle();
    expect(stage.traffic).toBe('1:100');
    expect(stage.status.history?.at(-1)).toMatchObject({ outcome: 'Superseded' });
  });

  test('serves on when the registry goes, is spoilt, or names what is not allowed', async () => {
    const stage = new Stage(spec);
    stage.index = indexOf({ ...INDEX, aliases: { candidate: 1 } });
    await stage.settle();
    const hf = { ...entry(3), storageUri: 'hf://org/repo' };
    for (const [index, reason] of [
      [undefined, 'RegistryNotFound'],
      [indexOf('{'), 'RegistryInvalid'],
      [indexOf({ versions: [hf], aliases: { candidate: 3 } }), 'SchemeNotAllowed'],
    ] as const) {
      stage.index = index;
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await stage.settle();
      expect(stage.condition('ModelResolved')).toMatchObject({ status: 'False', reason });
      expect(stage.traffic).toBe('1:100');
      expect(stage.status.phase).toBe('Healthy');
      expect(stage.status.history).toHaveLength(1);
    }
  });
});
