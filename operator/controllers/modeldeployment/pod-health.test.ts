import { describe, expect, test } from '@jest/globals';
import { healthOf, projectPod, type SeenPod } from './pod-health.ts';

const pod = (status: object): SeenPod => projectPod({ metadata: { name: 'a' }, status } as never);
const waiting = (name: string, reason: string, restartCount = 0) => ({
  name,
  restartCount,
  state: { waiting: { reason, message: 'back-off 40s restarting …' } },
});
const unscheduled = (lastTransitionTime: string) => ({
  conditions: [
    { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', lastTransitionTime },
    { type: 'Ready', status: 'False' },
  ],
});

describe('the health of pods', () => {
  test.each<[string, object[], object]>([
    ['none', [], { restarts: 0 }],
    ['on the way', [{ containerStatuses: [waiting('server', 'PodInitializing')] }], { restarts: 0 }],
    [
      'well',
      [{ containerStatuses: [{ name: 'server', restartCount: 1, state: { running: {} } }] }],
      { restarts: 1 },
    ],
    [
      'a file that cannot be fetched',
      [{ initContainerStatuses: [waiting('fetch', 'CrashLoopBackOff', 5)] }],
      { restarts: 0, problem: 'container fetch: CrashLoopBackOff' },
    ],
    [
      'a file that cannot be fetched, with the reason',
      [
        {
          initContainerStatuses: [
            {
              ...waiting('fetch', 'CrashLoopBackOff', 2),
              lastState: { terminated: { exitCode: 1, message: 'once more\nforesail: the store is down\n' } },
            },
          ],
        },
      ],
      { restarts: 0, problem: 'container fetch: CrashLoopBackOff: foresail: the store is down' },
    ],
    [
      'a fetch that failed and tries again',
      [
        {
          initContainerStatuses: [
            {
              name: 'fetch',
              ready: false,
              state: { running: {} },
              lastState: { terminated: { exitCode: 1, message: 'down' } },
            },
          ],
        },
      ],
      { restarts: 0, problem: 'container fetch: down' },
    ],
    [
      'a fetch that failed once and ended well',
      [
        {
          initContainerStatuses: [
            {
              name: 'fetch',
              ready: true,
              state: { terminated: { exitCode: 0, message: 'sha256 …' } },
              lastState: { terminated: { exitCode: 1, message: 'down' } },
            },
          ],
        },
      ],
      { restarts: 0 },
    ],
    [
      'a server that crashes, in one of two pods',
      [
        { containerStatuses: [{ name: 'server' }] },
        { containerStatuses: [waiting('server', 'CrashLoopBackOff', 4)] },
      ],
      { restarts: 4, problem: 'container server: CrashLoopBackOff' },
    ],
    [
      'no room, since the first of them',
      [unscheduled('2026-11-21T10:05:00Z'), unscheduled('2026-11-21T10:00:00Z')],
      {
        restarts: 0,
        problem: 'no node has room for a pod',
        unschedulableSinceMs: Date.parse('2026-11-21T10:00:00Z'),
      },
    ],
    ['scheduled', [{ conditions: [{ type: 'PodScheduled', status: 'True' }] }], { restarts: 0 }],
  ])('%s', (_, statuses, health) => {
    expect(healthOf(statuses.map(pod))).toEqual(health);
  });
});

test('of a pod only what is read is kept', () => {
  const whole = {
    metadata: { name: 'a', namespace: 'shop', labels: { app: 'a' }, annotations: { big: 'x' } },
    spec: { containers: [{ name: 'server' }] },
    status: {
      phase: 'Running',
      podIP: '10.0.0.1',
      hostIP: '10.9.0.1',
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'Initialized', status: 'True' },
      ],
    },
  };
  expect(projectPod(whole)).toEqual({
    metadata: { name: 'a', namespace: 'shop', labels: { app: 'a' } },
    status: {
      phase: 'Running',
      podIP: '10.0.0.1',
      conditions: [{ type: 'Ready', status: 'True' }],
      initContainerStatuses: [],
      containerStatuses: [],
    },
  });
});
