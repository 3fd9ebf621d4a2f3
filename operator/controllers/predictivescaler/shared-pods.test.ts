import { expect, test } from '@jest/globals';
import { parseSelector } from '../../labels.ts';
import { IndexedStore } from '../../runtime/index.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { BY_TARGET, type ScalerObject, targetIndex, targetKey } from './conflicts.ts';
import type { Pod } from './pods.ts';
import { createSharedPods, type Selecting } from './shared-pods.ts';
import type { Workload } from './target.ts';
import { readyPod } from './testing/stage.ts';

const refOf = (name: string) => ({ apiVersion: 'apps/v1', kind: 'Deployment', name });

function selecting(name: string, selectorText: string, namespace = 'shop'): Selecting {
  return {
    namespace,
    target: targetKey(namespace, refOf(name)),
    selectorText,
    selector: parseSelector(selectorText),
  };
}

function pod(labels: Record<string, string>): Pod {
  const bare = readyPod('shop', 'web', 0);
  return { ...bare, metadata: { ...bare.metadata, labels } };
}

function setUp() {
  const hpas = new IndexedStore<ScalerObject>({ [BY_TARGET]: targetIndex });
  const deployments = new IndexedStore<Workload>();
  const clock = new FakeClock();
  const shared = createSharedPods({ hpas, watched: new Map([['apps/deployments', deployments]]), clock });
  const addHpa = (name: string, target: string, matchLabels: Record<string, string>) => {
    deployments.set({ metadata: { name: target, namespace: 'shop' }, spec: { selector: { matchLabels } } });
    hpas.set({ metadata: { name, namespace: 'shop' }, spec: { scaleTargetRef: refOf(target) } });
  };
  return { shared, hpas, clock, addHpa };
}

const WEB = selecting('web', 'app=web');
const WEB_PODS = [pod({ app: 'web', tier: 'front', track: 'stable' })];

test('another scaler whose selector takes in one of the pods is named', () => {
  const { shared } = setUp();
  shared.report('shop/web', WEB);
  shared.report('shop/all', selecting('all', 'tier=front'));
  shared.report('shop/broad', selecting('broad', 'track'));
  shared.report('shop/api', selecting('api', 'app=api'));
  shared.report('shop/both', selecting('both', 'app=web,track=canary'));
  expect(shared.others('shop/web', WEB, WEB_PODS)).toEqual([
    'PredictiveScaler all',
    'PredictiveScaler broad',
  ]);
});

test.each([
  ['the same labels in another namespace', 'other/web', selecting('web', 'app=web', 'other')],
  ['the same target, which is a conflict of another kind', 'shop/second', WEB],
])('%s is nobody’s business here', (_what, key, theirs) => {
  const { shared } = setUp();
  shared.report('shop/web', WEB);
  shared.report(key, theirs);
  expect(shared.others('shop/web', WEB, WEB_PODS)).toEqual([]);
});

test('without pods nothing is shared yet', () => {
  const { shared } = setUp();
  shared.report('shop/all', selecting('all', 'tier=front'));
  expect(shared.others('shop/web', WEB, [])).toEqual([]);
});

test('who is gone, or selects something else now, is in nobody’s way', () => {
  const { shared } = setUp();
  shared.report('shop/a', selecting('a', 'tier=front'));
  shared.report('shop/b', selecting('b', 'track=stable'));
  shared.forget('shop/a');
  shared.report('shop/b', selecting('b', 'track=canary'));
  expect(shared.others('shop/web', WEB, WEB_PODS)).toEqual([]);
});

test('an HPA counts by the selector of its target, and is seen within a minute', async () => {
  const { shared, clock, addHpa } = setUp();
  addHpa('other', 'other', { app: 'other' });
  expect(shared.others('shop/web', WEB, WEB_PODS)).toEqual([]);
  addHpa('front', 'front', { tier: 'front' });
  addHpa('web', 'web', { app: 'web' });
  await clock.advance(60_000);
  expect(shared.others('shop/web', WEB, WEB_PODS)).toEqual(['HorizontalPodAutoscaler front']);
});

test('a thousand scalers that share a label are not tried one by one', () => {
  const { shared } = setUp();
  let tried = 0;
  for (let i = 0; i < 1000; i++) {
    const own = selecting(`web-${i}`, `all=yes,app=web-${i}`);
    const matches: typeof own.selector.matches = (labels) => {
      tried += 1;
      return own.selector.matches(labels);
    };
    shared.report(`shop/web-${i}`, { ...own, selector: { ...own.selector, matches } });
  }
  const own = selecting('web-7', 'all=yes,app=web-7');
  expect(shared.others('shop/web-7', own, [pod({ all: 'yes', app: 'web-7' })])).toEqual([]);
  expect(tried).toBeLessThan(5);
});
