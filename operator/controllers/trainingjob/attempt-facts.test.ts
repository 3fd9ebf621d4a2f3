import { expect, test } from '@jest/globals';
import type { IndexedStore, KubeObject } from '../../runtime/index.ts';
import { createAttemptLookup } from './attempt-facts.ts';
import type { WatchedJob } from './informers.ts';
import { NAME, Stage } from './testing/stage.ts';

async function stageWith(spec: Record<string, unknown> = {}) {
  const stage = new Stage(spec);
  await stage.settle();
  const store = <T extends KubeObject>(plural: string) => stage.api.of(plural) as unknown as IndexedStore<T>;
  return {
    stage,
    lookup: createAttemptLookup(store('trainingjobs'), store<WatchedJob>('jobs'), 'foresail-system'),
  };
}

test('an attempt that lives is let in, with the data of its own namespace', async () => {
  const selector = { matchLabels: { team: 'shop' } };
  const { stage, lookup } = await stageWith({ data: { predictiveScalers: { selector }, window: '24h' } });
  expect(lookup('shop', NAME, 1)).toMatchObject({
    uid: stage.object.metadata.uid,
    stage: 'train',
    live: true,
    data: { selector, allNamespaces: false, windowMs: 86_400_000 },
  });
});

test('one that has ended is over, and one that there is not is not known', async () => {
  const { stage, lookup } = await stageWith();
  expect(lookup('shop', NAME, 2)).toBeUndefined();
  expect(lookup('other', NAME, 1)).toBeUndefined();
  stage.exit(`${NAME}-1-0`, 1);
  await stage.settle(2).catch(() => undefined);
  expect(lookup('shop', NAME, 1)?.live ?? false).toBe(false);
});

test('data of a store are not the operator’s to give', async () => {
  const { lookup } = await stageWith({ data: { storageUri: 's3://data/a' } });
  expect(lookup('shop', NAME, 1)).toMatchObject({ live: true });
  expect(lookup('shop', NAME, 1)).not.toHaveProperty('data');
});
