import { expect, test } from '@jest/globals';
import { ResourceInformer } from '../../runtime/index.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { watchPodTimes } from './pod-times.ts';
import { type Pod, podStart } from './pods.ts';
import { readyPod } from './testing/stage.ts';

/** A real informer without a server: what a stream would say is said by the test. */
function setUp() {
  const clock = new FakeClock(Date.UTC(2026, 0, 2, 12, 0, 0, 700));
  const informer = new ResourceInformer<Pod>(undefined as never, {
    ref: { group: '', version: 'v1', plural: 'pods', namespaced: true },
    clock,
  });
  const times = watchPodTimes(informer, clock);
  let version = 0;
  /** As the API says it: in whole seconds. */
  const tell = (createdMs: number, readyMs?: number): Pod => {
    const text = (ms: number) => new Date(Math.floor(ms / 1000) * 1000).toISOString();
    const pod = readyPod('shop', 'web', 0, readyMs !== undefined);
    const told: Pod = {
      ...pod,
      metadata: { ...pod.metadata, resourceVersion: String(++version), creationTimestamp: text(createdMs) },
      status: {
        ...pod.status,
        conditions: [
          {
            type: 'Ready',
            status: readyMs === undefined ? 'False' : 'True',
            lastTransitionTime: text(readyMs ?? createdMs),
          },
        ],
      },
    };
    informer.upsert(told);
    return told;
  };
  return { clock, informer, times, tell };
}

test('a start that was watched is timed by our own clock, finer than the API’s seconds', async () => {
  const { clock, times, tell } = setUp();
  const createdMs = clock.now();
  tell(createdMs);
  await clock.advance(2_450);
  const { createdMs: from, readyMs = Number.NaN } = times.startOf(tell(createdMs, clock.now()));
  expect(readyMs - from).toBe(2_450);
});

test('a clock that is put forward while a pod starts teaches no start of an hour', async () => {
  const { clock, times, tell } = setUp();
  const createdMs = clock.now();
  tell(createdMs);
  clock.jumpWallClock(3_600_000);
  await clock.advance(2_450);
  const { createdMs: from, readyMs = Number.NaN } = times.startOf(tell(createdMs, clock.now()));
  expect(readyMs - from).toBe(2_450);
});

test('a pod that was there before us is believed as the API tells', () => {
  const { clock, times, tell } = setUp();
  const createdMs = clock.now() - 60_000;
  tell(createdMs);
  const ready = tell(createdMs, clock.now() - 30_000);
  expect(times.startOf(ready)).toEqual(podStart(ready));
});

test('a pod that is gone leaves nothing behind', async () => {
  const { clock, informer, times, tell } = setUp();
  const createdMs = clock.now();
  tell(createdMs);
  await clock.advance(2_450);
  const ready = tell(createdMs, clock.now());
  informer.remove(ready);
  expect(times.startOf(ready)).toEqual(podStart(ready));
});
