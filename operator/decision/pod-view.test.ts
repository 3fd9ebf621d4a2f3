import { describe, expect, test } from '@jest/globals';
import { type PodLike, podView } from './pod-view.ts';

const requests = (cpu: string, memory?: string) => ({
  requests: memory === undefined ? { cpu } : { cpu, memory },
});

const full: PodLike = {
  metadata: { name: 'web-1' },
  spec: {
    containers: [
      { name: 'app', resources: requests('250m', '1Gi') },
      { name: 'proxy', resources: requests('1') },
    ],
    initContainers: [
      { name: 'migrate', resources: requests('4', '3Gi') },
      { name: 'sidecar', restartPolicy: 'Always', resources: requests('100m') },
    ],
  },
  status: {
    phase: 'Running',
    startTime: '2026-01-02T12:00:00Z',
    conditions: [
      { type: 'PodScheduled', status: 'True' },
      { type: 'Ready', status: 'True', lastTransitionTime: '2026-01-02T12:00:05Z' },
    ],
  },
};

describe('a pod as the reactive rule sees it', () => {
  test('containers and sidecars count, one-off init containers do not', () => {
    expect(podView(full)).toEqual({
      name: 'web-1',
      phase: 'Running',
      deleting: false,
      startTimeMs: Date.UTC(2026, 0, 2, 12),
      ready: { status: 'True', lastTransitionMs: Date.UTC(2026, 0, 2, 12, 0, 5) },
      containers: [
        { name: 'app', requestsMilli: { cpu: 250, memory: 1024 ** 3 * 1000 } },
        { name: 'proxy', requestsMilli: { cpu: 1000 } },
        { name: 'sidecar', requestsMilli: { cpu: 100 } },
      ],
    });
  });

  test('a pod that was just created', () => {
    expect(podView({ metadata: { name: 'p' }, spec: { containers: [] } })).toEqual({
      name: 'p',
      phase: 'Pending',
      deleting: false,
      containers: [],
    });
  });

  test('one that goes away', () => {
    expect(
      podView({ ...full, metadata: { name: 'p', deletionTimestamp: '2026-01-02T12:00:00Z' } }).deleting,
    ).toBe(true);
  });

  test('pod-level requests win, other resources come from the containers, overhead is added', () => {
    const view = podView({
      ...full,
      spec: { ...full.spec, resources: requests('2'), overhead: { cpu: '50m' } },
    });
    // memory: the init container needs 3Gi while it runs, more than all containers together
    expect(view.podRequestsMilli).toEqual({ cpu: 2050, memory: 3 * 1024 ** 3 * 1000 });
  });

  test('pod-level requests of other resources alone change nothing', () => {
    const view = podView({ ...full, spec: { ...full.spec, resources: { requests: { 'x/gpu': '1' } } } });
    expect(view.podRequestsMilli).toBeUndefined();
  });
});
