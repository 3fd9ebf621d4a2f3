import { describe, expect, test } from '@jest/globals';
import { ForesailError } from '../errors.ts';
import type { KubeObject } from '../runtime/index.ts';
import { changeIndex, type IndexClient, readIndex } from './index-store.ts';
import { dropAlias, EMPTY_INDEX, moveAlias, publish } from './model-index.ts';

const { signal } = new AbortController();
const KEY = { namespace: 'shop', registry: 'loadcast' };
const NAME = 'foresail-registry-loadcast';
const file = (n: number) => ({ storageUri: `s3://models/${n}`, sha256: String(n).padStart(64, '0') });

/** Holds one object as an API server does; `before` runs before each write, where another writer may come between. */
function cluster(before: (put: (object: KubeObject) => void) => void = () => undefined) {
  let held: (KubeObject & { data?: Record<string, string> }) | undefined;
  let version = 0;
  const writes: string[] = [];
  const put = (object: KubeObject): void => {
    version += 1;
    held = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
  };
  const fault = (status: number, reason: string) =>
    new ForesailError(`KUBE_${reason}`, status === 404 ? 'terminal' : 'conflict', reason);
  const client = {
    get: () => (held === undefined ? Promise.reject(fault(404, 'NOT_FOUND')) : Promise.resolve(held)),
    create: (_: unknown, object: KubeObject) => {
      before(put);
      if (held !== undefined) return Promise.reject(fault(409, 'ALREADY_EXISTS'));
      writes.push('create');
      put(object);
      return Promise.resolve(held);
    },
    mergePatch: (
      _: unknown,
      __: unknown,
      patch: { data: Record<string, string> },
      options: { resourceVersion?: string },
    ) => {
      before(put);
      if (held === undefined || options.resourceVersion !== held.metadata.resourceVersion)
        return Promise.reject(fault(409, 'CONFLICT'));
      writes.push('patch');
      put({ ...held, data: patch.data } as KubeObject);
      return Promise.resolve(held);
    },
  } as unknown as IndexClient;
  return { client, writes, held: () => held };
}

describe('the index of a registry', () => {
  test('is made, changed, and left alone when nothing changes', async () => {
    const { client, writes, held } = cluster();
    expect(await readIndex(client, KEY, signal)).toEqual(EMPTY_INDEX);
    const add = (n: number) => changeIndex(client, KEY, (index) => publish(index, file(n), 0), signal);
    expect(await add(1)).toMatchObject({ version: 1 });
    expect(held()?.metadata).toMatchObject({ name: NAME, labels: { 'foresail.io/registry': 'loadcast' } });
    expect(await add(2)).toMatchObject({ version: 2 });
    expect(await add(2)).toMatchObject({ version: 2 });
    expect(writes).toEqual(['create', 'patch']);
  });

  test('of two writers neither loses a version', async () => {
    let others = 0;
    const { client } = cluster((put) => {
      if (others++ > 1) return;
      put({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { namespace: 'shop', name: NAME },
        data: { 'index.json': JSON.stringify(publish(EMPTY_INDEX, file(10), 0).index) },
      } as KubeObject);
    });
    const { version, index } = await changeIndex(client, KEY, (now) => publish(now, file(1), 0), signal);
    expect(version).toBe(2);
    expect(index.versions.map(({ storageUri }) => storageUri)).toEqual(['s3://models/10', 's3://models/1']);
  });

  test('takes the versions of ten publishers at once', async () => {
    const { client } = cluster();
    const numbers = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        changeIndex(client, KEY, (index) => publish(index, file(n), 0), signal).then(
          ({ version }) => version,
        ),
      ),
    );
    expect(numbers.sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test('that is not there, or lacks what is asked for, is named', async () => {
    const { client, writes } = cluster();
    const change = changeIndex(client, KEY, (index) => ({ index: moveAlias(index, 'stable', 1) }), signal);
    await expect(change).rejects.toMatchObject({
      code: 'REGISTRY_INVALID',
      message: 'registry shop/loadcast: has no version 1',
    });
    expect(await readIndex(client, KEY, signal)).toBe(EMPTY_INDEX);
    expect(writes).toEqual([]);
  });

  test('loses an alias once, and not the version that another writer adds meanwhile', async () => {
    const first = moveAlias(publish(EMPTY_INDEX, file(1), 0).index, 'candidate', 1);
    const text = (index: typeof first) => ({ 'index.json': JSON.stringify(index) });
    let others = 0;
    const { client, held } = cluster((put) => {
      const both = publish(first, file(2), 0).index;
      if (others++ === 1) put({ metadata: { name: NAME }, data: text(both) } as unknown as KubeObject);
    });
    await client.create({} as never, { metadata: { name: NAME }, data: text(first) } as never, signal);
    const drop = () =>
      changeIndex(client, KEY, (index) => ({ index: dropAlias(index, 'candidate') }), signal);
    expect((await drop()).index).toMatchObject({ aliases: {}, versions: [{ version: 1 }, { version: 2 }] });
    expect(JSON.parse(held()?.data?.['index.json'] ?? '')).toMatchObject({ aliases: {} });
    await expect(drop()).rejects.toThrow('registry shop/loadcast: has no alias candidate');
  });

  test('is not written over when it cannot be read', async () => {
    const { client, writes } = cluster();
    await client.create(
      {} as never,
      { metadata: { name: NAME }, data: { 'index.json': '{' } } as never,
      signal,
    );
    const change = changeIndex(client, KEY, (index) => ({ index: moveAlias(index, 'stable', 1) }), signal);
    await expect(change).rejects.toMatchObject({ code: 'REGISTRY_INVALID' });
    expect(writes).toEqual(['create']);
  });
});
