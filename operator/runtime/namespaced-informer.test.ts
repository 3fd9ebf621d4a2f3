import { describe, expect, test } from '@jest/globals';
import { ResourceInformer } from '../kube/informer.ts';
import type { KubeObject } from '../kube/types.ts';
import { informerOver } from './namespaced-informer.ts';

const REF = { group: '', version: 'v1', plural: 'pods', namespaced: true };

const pod = (namespace: string, name: string, resourceVersion = '1'): KubeObject => ({
  metadata: { namespace, name, resourceVersion, labels: { app: 'web' } },
});

/** Real informers without a server: what a stream would say is said by the test. */
function over(namespaces: readonly string[]) {
  const parts = new Map<string | undefined, ResourceInformer<KubeObject>>();
  const informer = informerOver<KubeObject>(namespaces, (namespace) => {
    const part = new ResourceInformer<KubeObject>(undefined as never, {
      ref: REF,
      ...(namespace === undefined ? {} : { namespace }),
      indexes: { app: ({ metadata }) => [metadata.labels?.['app'] ?? ''] },
    });
    parts.set(namespace, part);
    return part;
  });
  return { informer, parts };
}

test.each([
  [[], [undefined]],
  [['shop'], ['shop']],
  [
    ['shop', 'mail', 'shop'],
    ['shop', 'mail'],
  ],
])('namespaces %j are watched as %j', (namespaces, watched) => {
  expect([...over(namespaces).parts.keys()]).toEqual(watched);
});

describe('over two namespaces', () => {
  const filled = () => {
    const { informer, parts } = over(['shop', 'mail']);
    parts.get('shop')?.upsert(pod('shop', 'a'));
    parts.get('shop')?.upsert(pod('shop', 'b'));
    parts.get('mail')?.upsert(pod('mail', 'a'));
    return { informer, parts };
  };

  test('readers see one store', () => {
    const { store } = filled().informer;
    expect(store.size).toBe(3);
    expect(store.get('mail/a')?.metadata.namespace).toBe('mail');
    expect(store.get('mail/b')).toBeUndefined();
    expect(store.get('other/a')).toBeUndefined();
    expect(store.inNamespace('shop').map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
    expect(store.inNamespace('other')).toEqual([]);
    expect(store.byIndex('app', 'web')).toHaveLength(3);
    expect(store.list()).toHaveLength(3);
  });

  test('handlers hear of each, until they leave', () => {
    const { informer, parts } = filled();
    const heard: string[] = [];
    const stop = informer.subscribe({ onAdd: ({ metadata }) => heard.push(metadata.name) });
    parts.get('mail')?.upsert(pod('mail', 'late'));
    stop();
    parts.get('shop')?.upsert(pod('shop', 'later'));
    expect(heard).toEqual(['a', 'b', 'a', 'late']);
  });

  test('it has synced only when both have', async () => {
    const { informer, parts } = filled();
    parts.get('shop')?.synced('5');
    expect(informer.hasSynced).toBe(false);
    parts.get('mail')?.synced('6');
    expect(informer.hasSynced).toBe(true);
    await expect(informer.waitForSync(AbortSignal.timeout(1000))).resolves.toBeUndefined();
  });
});
