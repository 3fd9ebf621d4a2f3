import { expect, test } from '@jest/globals';
import { modelDeploymentStatusSchema } from '../../api/modeldeployment/status.ts';
import type { RolloutState } from '../../rollout/types.ts';
import { stateOf, statusOfState } from './state.ts';

const at = { storageUri: 's3://a', startedAtMs: Date.UTC(2026, 0, 1, 0, 0, 0, 250) };

const FULL: RolloutState = {
  stable: 2,
  canary: {
    version: 3,
    step: 1,
    startedAtMs: Date.UTC(2026, 0, 2),
    stepStartedAtMs: Date.UTC(2026, 0, 2, 0, 0, 1, 7),
    unreadySinceMs: Date.UTC(2026, 0, 2, 0, 0, 2),
  },
  kept: [{ version: 1, untilMs: Date.UTC(2026, 0, 3), for: 'Watch' }],
  traffic: [
    { version: 2, weight: 90, mirrorPercent: 0 },
    { version: 3, weight: 10, mirrorPercent: 50 },
  ],
  history: [
    {
      ...at,
      version: 1,
      digest: 'a',
      outcome: 'Replaced',
      proven: true,
      onCpu: true,
      reason: 'Promoted',
      message: 'replaced by version 2',
      endedAtMs: Date.UTC(2026, 0, 1, 12),
    },
    { ...at, version: 2, digest: 'b', outcome: 'Serving', proven: true },
    { ...at, version: 3, digest: 'c', outcome: 'Rolling', proven: false },
  ],
};

test('what a status keeps is what the next leader goes on from', () => {
  const status = statusOfState(FULL, new Map([[2, { replicas: 4, ready: 3, available: 3 }]]), 4);
  expect(status).toMatchObject({
    stable: { version: 2, digest: 'b', readyReplicas: 3, weight: 90 },
    canary: { version: 3, readyReplicas: 0, weight: 10, step: 1, steps: 4, shadowPercent: 50 },
  });
  const stored = JSON.parse(JSON.stringify(status)) as unknown;
  expect(stateOf(modelDeploymentStatusSchema.parse(stored))).toEqual(FULL);
});

test('no status is the state of an object that nobody has looked at', () => {
  const empty = { stable: undefined, canary: undefined, kept: [], traffic: [], history: [] };
  expect(stateOf(undefined)).toEqual(empty);
  expect(
    stateOf(
      modelDeploymentStatusSchema.parse(JSON.parse(JSON.stringify(statusOfState(empty, new Map(), 0)))),
    ),
  ).toEqual(empty);
});
