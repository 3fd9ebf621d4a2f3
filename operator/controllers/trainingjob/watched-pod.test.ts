import { expect, test } from '@jest/globals';
import type { SeenPod } from './plan/types.ts';
import { projectPod, seenPod, type WatchedPod } from './watched-pod.ts';

const TIME = '2026-01-02T03:00:00Z';
const AT = Date.parse(TIME);

function seen(status: WatchedPod['status'], metadata: object = {}): SeenPod {
  const pod = { metadata: { name: 'run-1-0', ...metadata }, spec: { containers: [] }, status };
  return seenPod(projectPod(pod));
}

const ended = (exitCode: number, more: object = {}) => [
  { name: 'trainer', state: { terminated: { exitCode, ...more } } },
];

test.each<[string, WatchedPod['status'], Partial<SeenPod>]>([
  ['one that runs', { phase: 'Running' }, { running: true, done: false }],
  [
    'one that waited long before it ran',
    {
      phase: 'Running',
      conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: '2026-01-02T02:00:00Z' }],
      containerStatuses: [{ name: 'trainer', state: { running: { startedAt: TIME } } }],
    },
    { startedAtMs: AT },
  ],
  [
    'one without room',
    { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', lastTransitionTime: TIME }] },
    { unschedulableSinceMs: AT, scheduledAtMs: undefined },
  ],
  [
    'one whose claim is missing',
    {
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', message: 'claim "training" not found' }],
    },
    { unschedulable: 'claim "training" not found' },
  ],
  [
    'one with room',
    { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: TIME }] },
    { unschedulableSinceMs: undefined, scheduledAtMs: AT },
  ],
  [
    'one whose image cannot be had',
    {
      phase: 'Pending',
      containerStatuses: [
        { name: 'trainer', state: { waiting: { reason: 'ErrImagePull', message: 'no such host' } } },
      ],
    },
    { waiting: 'container trainer: ErrImagePull: no such host' },
  ],
  [
    'one whose Secret is missing',
    {
      phase: 'Pending',
      containerStatuses: [
        {
          name: 'trainer',
          state: { waiting: { reason: 'CreateContainerConfigError', message: 'secret "search" not found' } },
        },
      ],
    },
    { waiting: 'container trainer: CreateContainerConfigError: secret "search" not found' },
  ],
  [
    'one that begins',
    {
      phase: 'Pending',
      containerStatuses: [{ name: 'trainer', state: { waiting: { reason: 'ContainerCreating' } } }],
    },
    { waiting: undefined },
  ],
  [
    'one that failed with a log',
    {
      phase: 'Failed',
      containerStatuses: ended(1, {
        reason: 'Error',
        message: 'Traceback\nValueError: bad\n',
        finishedAt: TIME,
      }),
    },
    {
      done: true,
      endedAtMs: AT,
      exit: { code: 1, reason: 'Error', message: 'ValueError: bad' },
      told: {},
    },
  ],
  [
    'one that says what is wrong',
    {
      phase: 'Failed',
      containerStatuses: ended(78, { message: '{"error":{"code":"DATA_INVALID","message":"data: empty"}}' }),
    },
    {
      exit: { code: 78, reason: undefined, message: undefined },
      told: { error: { code: 'DATA_INVALID', message: 'data: empty' } },
    },
  ],
  [
    'one that was evicted',
    {
      phase: 'Running',
      conditions: [
        { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI', message: 'drained' },
      ],
    },
    { disrupted: 'EvictionByEvictionAPI: drained' },
  ],
  [
    'one that its node threw out',
    { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' },
    { disrupted: 'Evicted: The node was low on resource: memory.' },
  ],
  ...[
    'Usage of EmptyDir volume "foresail-work" exceeds the limit "10Gi".',
    'Pod ephemeral local storage usage exceeds the total limit of containers 2Gi.',
    'Container trainer exceeded its local ephemeral storage limit "2Gi".',
  ].map((message): [string, WatchedPod['status'], Partial<SeenPod>] => [
    `one that took more than it may: ${message}`,
    { phase: 'Failed', reason: 'Evicted', message: `${message} `, containerStatuses: ended(75) },
    { disrupted: undefined, exit: { code: 137, reason: 'Evicted', message } },
  ]),
  [
    'one on a node that does not answer',
    {
      phase: 'Running',
      conditions: [
        { type: 'Ready', status: 'False' },
        { type: 'ContainersReady', status: 'True' },
      ],
    },
    { disrupted: 'its node does not answer' },
  ],
])('%s', (_, status, wanted) => {
  expect(seen(status)).toMatchObject(wanted);
});

test('one that is to go says by when, and every one which rank it is', () => {
  const annotations = { 'batch.kubernetes.io/job-completion-index': '3', other: 'x' };
  expect(seen({ phase: 'Running' }, { annotations, deletionTimestamp: TIME })).toMatchObject({
    index: 3,
    goneByMs: AT,
  });
  expect(projectPod({ metadata: { name: 'a', annotations } }).metadata.annotations).not.toHaveProperty(
    'other',
  );
});
