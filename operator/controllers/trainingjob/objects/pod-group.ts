/**
 * Gangs for schedulers that know them: pods that get their room together or not at all. Two gangs that each hold half of a
 * cluster would wait for each other, until one falls back or for ever. The default scheduler knows no gangs.
 */
import type { KubeObject } from '../../../runtime/index.ts';
import { type Child, ownerReference } from '../../owned-objects.ts';
import { attemptName } from './names.ts';
import type { Gang } from './worker-pod.ts';

/** Of the coscheduling plugin. */
export const POD_GROUP = { apiVersion: 'scheduling.x-k8s.io/v1alpha1', kind: 'PodGroup' } as const;

/** Pods of an attempt that are worth nothing without each other. */
export function together({ run, attempt }: Pick<Gang, 'run' | 'attempt'>): number {
  if (attempt.searches === true) return 1;
  return Math.min(attempt.nodes, run.spec.workers.elastic?.minNodes ?? attempt.nodes);
}

/** Whether a PodGroup is of use to it, where the cluster has such things. */
export function wantsPodGroup(gang: Pick<Gang, 'run' | 'attempt' | 'runtime'>): boolean {
  const { schedulerName = 'default-scheduler' } = gang.runtime;
  return together(gang) > 1 && !['default-scheduler', 'volcano'].includes(schedulerName);
}

/** What its pods carry. */
export function gangMarks(gang: Gang): {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
} {
  const { run, runtime, attempt, podGroup } = gang;
  // Volcano makes the group of the pods itself, and has to know how many start together.
  const volcano = runtime.schedulerName === 'volcano' && together(gang) > 1;
  return {
    labels:
      podGroup === true
        ? { 'scheduling.x-k8s.io/pod-group': attemptName(run.metadata.name, attempt.number) }
        : {},
    annotations: volcano ? { 'scheduling.volcano.sh/group-min-member': String(together(gang)) } : {},
  };
}

/** Goes with its Job. */
export function podGroup(gang: Gang, { metadata }: KubeObject): Child {
  const { name, namespace, labels, uid } = metadata;
  return {
    ...POD_GROUP,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      ownerReferences: [ownerReference({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name, uid } })],
    },
    spec: { minMember: together(gang) },
  };
}
