import { expect, test } from '@jest/globals';
import { ForesailError } from '../../errors.ts';
import { silentLogger } from '../../logger.ts';
import type { KubeClient } from '../../runtime/index.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { watchScaledObjects } from './informers.ts';

test('KEDA that is installed later is watched from then on, in every namespace that is ours', async () => {
  const clock = new FakeClock();
  const paths: string[] = [];
  // The API server is the fault: it does not serve the kind yet, and later its watches never end.
  const client = {
    stream: (path: string) => {
      paths.push(path.split('?')[0] ?? '');
      return new Promise<never>(() => undefined);
    },
  } as unknown as KubeClient;
  let installed = false;
  const discovery = {
    async resolve() {
      if (!installed) throw new ForesailError('KUBE_UNKNOWN_KIND', 'transient', 'not served');
      const ref = { group: 'keda.sh', version: 'v1alpha1', plural: 'scaledobjects', namespaced: true };
      return { ref, kind: 'ScaledObject', scalable: false };
    },
  };
  const options = { client, clock, log: silentLogger, observer: {}, namespaces: ['shop', 'mail'] };
  const watched = watchScaledObjects(options, discovery);
  const stop = new AbortController();
  void watched.run(stop.signal);
  await clock.advance(0);
  // Without KEDA nobody waits for it.
  await watched.settled(stop.signal);
  await clock.advance(120_000);
  expect(watched.informer()).toBeUndefined();
  installed = true;
  await clock.advance(60_000);
  expect(watched.informer()?.store.size).toBe(0);
  expect(paths.sort()).toEqual(
    ['mail', 'shop'].map((ns) => `/apis/keda.sh/v1alpha1/namespaces/${ns}/scaledobjects`),
  );
  // Its list does not come here, and that is not waited for without end.
  let settled = false;
  void watched.settled(stop.signal).then(() => {
    settled = true;
  });
  await clock.advance(9_000);
  expect(settled).toBe(false);
  await clock.advance(1_000);
  expect(settled).toBe(true);
  stop.abort();
});

test('a server that cannot be asked has not said that KEDA is absent', async () => {
  const clock = new FakeClock();
  let down = true;
  // The fault: discovery fails for a while.
  const discovery = {
    async resolve(): Promise<never> {
      if (down) throw new ForesailError('KUBE_UNAVAILABLE', 'transient', 'connection refused');
      throw new ForesailError('KUBE_UNKNOWN_KIND', 'transient', 'not served');
    },
  };
  const client = {} as KubeClient;
  const watched = watchScaledObjects(
    { client, clock, log: silentLogger, observer: {}, namespaces: [] },
    discovery,
  );
  const stop = new AbortController();
  void watched.run(stop.signal);
  let settled = false;
  void watched.settled(stop.signal).then(() => {
    settled = true;
  });
  await clock.advance(3_500);
  expect(settled).toBe(false);
  down = false;
  await clock.advance(1_000);
  expect(settled).toBe(true);
  stop.abort();
});
