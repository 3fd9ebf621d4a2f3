import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { keyOf } from './keys.ts';
import { IndexedStore } from './store.ts';
import { stripBookkeeping } from './transform.ts';
import type { KubeObject } from './types.ts';

const byApp = (object: KubeObject): readonly string[] =>
  object.metadata.labels?.['app'] === undefined ? [] : [object.metadata.labels['app']];

const anObject = fc.record({
  metadata: fc.record(
    {
      name: fc.constantFrom('a', 'b', 'c'),
      namespace: fc.constantFrom('x', 'y'),
      resourceVersion: fc.nat(9).map(String),
      labels: fc.record({ app: fc.constantFrom('web', 'db') }),
    },
    { requiredKeys: ['name', 'namespace', 'resourceVersion'] },
  ),
});

describe('IndexedStore', () => {
  test('every index agrees with a search through all objects, whatever came and went', () => {
    const steps = fc.array(fc.tuple(fc.boolean(), anObject), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (changes) => {
        const store = new IndexedStore<KubeObject>({ app: byApp });
        const model = new Map<string, KubeObject>();
        for (const [keep, object] of changes) {
          if (keep) {
            expect(store.set(object)).toBe(model.get(keyOf(object)));
            model.set(keyOf(object), object);
          } else {
            expect(store.delete(keyOf(object))).toBe(model.get(keyOf(object)));
            model.delete(keyOf(object));
          }
        }
        const all = [...model.values()];
        expect(new Set(store.list())).toEqual(new Set(all));
        for (const app of ['web', 'db'])
          expect(new Set(store.byIndex('app', app))).toEqual(
            new Set(all.filter((o) => byApp(o).includes(app))),
          );
        for (const ns of ['x', 'y'])
          expect(new Set(store.inNamespace(ns))).toEqual(
            new Set(all.filter((o) => o.metadata.namespace === ns)),
          );
      }),
    );
  });

  test('a list is a snapshot', () => {
    const store = new IndexedStore<KubeObject>();
    store.set({ metadata: { name: 'a' } });
    const before = store.list();
    store.delete('a');
    expect(before).toHaveLength(1);
  });

  test('an index that nobody defined is an error and not an empty answer', () => {
    expect(() => new IndexedStore().byIndex('nope', 'x')).toThrow(/no index "nope"/);
  });
});

test('bookkeeping is dropped and everything else kept', () => {
  const object = {
    metadata: {
      name: 'a',
      managedFields: [{ manager: 'kubectl' }],
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', keep: 'me' },
    },
    spec: { replicas: 1 },
  };
  expect(stripBookkeeping(object)).toEqual({
    metadata: { name: 'a', annotations: { keep: 'me' } },
    spec: { replicas: 1 },
  });
});
