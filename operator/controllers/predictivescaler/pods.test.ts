import { describe, expect, test } from '@jest/globals';
import { podView } from '../../decision/pod-view.ts';
import { parseSelector } from '../../labels.ts';
import { IndexedStore } from '../../runtime/index.ts';
import { BY_LABEL, isReady, labelIndex, type Pod, podStart, podsOf, projectPod } from './pods.ts';
import { readyPod } from './testing/stage.ts';

function storeOf(...pods: readonly Pod[]): IndexedStore<Pod> {
  const store = new IndexedStore<Pod>({ [BY_LABEL]: labelIndex });
  for (const pod of pods) store.set(pod);
  return store;
}

describe('the pods of a target', () => {
  const labelled = (namespace: string, name: string, labels: Record<string, string>): Pod => {
    const pod = readyPod(namespace, 'web', 0);
    return { ...pod, metadata: { ...pod.metadata, name, labels } };
  };
  const store = storeOf(
    labelled('shop', 'a', { app: 'web', track: 'stable' }),
    labelled('shop', 'b', { app: 'web', track: 'canary' }),
    labelled('shop', 'c', { app: 'api' }),
    labelled('mail', 'd', { app: 'web', track: 'stable' }),
  );

  test.each([
    ['app=web', ['a', 'b']],
    ['app=web,track=stable', ['a']],
    ['app=web,track!=canary', ['a']],
    ['track in (stable,canary)', ['a', 'b']],
    ['!track', ['c']],
    ['app=nothing', []],
  ])('%s', (selector, names) => {
    const found = podsOf(store, 'shop', parseSelector(selector));
    expect(found.map(({ metadata }) => metadata.name)).toEqual(names);
  });
});

test('a pod on its way out is not ready, whatever it says', () => {
  const pod = readyPod('shop', 'web', 0);
  expect(isReady(pod)).toBe(true);
  expect(isReady({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } })).toBe(
    false,
  );
  expect(isReady(readyPod('shop', 'web', 0, false))).toBe(false);
});

test('a start is creation to Ready; one that is not ready has none', () => {
  expect(podStart(readyPod('shop', 'web', 0))).toMatchObject({
    readyMs: Date.UTC(2026, 0, 1, 0, 0, 10),
    createdMs: Date.UTC(2026, 0, 1),
    restarts: 0,
  });
  expect(podStart(readyPod('shop', 'web', 0, false)).readyMs).toBeUndefined();
});

test('what is kept of a pod is what is read, and nothing more', () => {
  const whole = {
    ...readyPod('shop', 'web', 0),
    spec: {
      nodeName: 'n1',
      containers: [
        { name: 'app', image: 'x', env: [{ name: 'SECRET', value: 's3cret' }], resources: { limits: {} } },
      ],
    },
  };
  const kept = projectPod(whole as unknown as Pod);
  expect(kept.spec).toEqual({ containers: [{ name: 'app' }] });
  expect(projectPod(kept)).toEqual(kept);
  expect(projectPod(readyPod('shop', 'web', 0))).toMatchObject({
    spec: { containers: [{ resources: { requests: { cpu: '100m' } } }] },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  });
});

test('a decision reads the same of what is kept as of the whole pod', () => {
  const whole: Pod = {
    ...readyPod('shop', 'web', 0),
    spec: {
      containers: [{ name: 'app', resources: { requests: { cpu: '100m', memory: '64Mi' } } }],
      initContainers: [
        { name: 'sidecar', restartPolicy: 'Always', resources: { requests: { cpu: '50m' } } },
        { name: 'setup', resources: { requests: { memory: '1Gi' } } },
      ],
      resources: { requests: { cpu: '200m' } },
      overhead: { cpu: '25m' },
    },
  };
  expect(podView(whole).podRequestsMilli).toMatchObject({ cpu: 225 });
  expect(podView(projectPod(whole))).toEqual(podView(whole));
});
