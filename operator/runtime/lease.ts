/** coordination.k8s.io/v1 Lease: the object and the pure rules of who may hold it. */

import { formatMicroTime } from './micro-time.ts';
import type { KubeObject, ObjectKey, ResourceRef } from './types.ts';

export const LEASES: ResourceRef = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  namespaced: true,
};

export interface LeaseSpec {
  readonly holderIdentity?: string | null;
  readonly leaseDurationSeconds?: number | null;
  readonly acquireTime?: string | null;
  readonly renewTime?: string | null;
  readonly leaseTransitions?: number | null;
}

export interface Lease extends KubeObject {
  readonly spec?: LeaseSpec;
}

/**
 * What one candidate has seen of a lease. Only the candidate's own monotonic clock counts: it notes when the record
 * last changed, since the times inside were written by somebody else's clock.
 */
export interface LeaseSighting {
  readonly lease: Lease;
  /** Monotonic milliseconds when this version was first seen. */
  readonly changedAt: number;
}

export function sight(before: LeaseSighting | undefined, lease: Lease, nowMonotonic: number): LeaseSighting {
  const same = before?.lease.metadata.resourceVersion === lease.metadata.resourceVersion;
  return same && before !== undefined ? before : { lease, changedAt: nowMonotonic };
}

export function holderOf(lease: Lease): string {
  return lease.spec?.holderIdentity ?? '';
}

/** Whether the lease may be taken by `identity` now: it is ours, it was given back, or its holder fell silent. */
export function isFree(
  sighting: LeaseSighting,
  identity: string,
  durationMs: number,
  nowMonotonic: number,
): boolean {
  const holder = holderOf(sighting.lease);
  if (holder === '' || holder === identity) return true;
  // The holder may have promised a longer time than we would.
  const promisedMs = (sighting.lease.spec?.leaseDurationSeconds ?? 0) * 1000;
  return nowMonotonic - sighting.changedAt >= Math.max(durationMs, promisedMs);
}

export function newLease(key: ObjectKey, identity: string, durationMs: number, nowMs: number): Lease {
  const now = formatMicroTime(nowMs);
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: key.name, namespace: key.namespace },
    spec: {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(durationMs / 1000),
      acquireTime: now,
      renewTime: now,
      leaseTransitions: 0,
    },
  };
}

/** The lease as `identity` would write it next; its resourceVersion stays, so that of two writers one fails. */
export function heldBy(lease: Lease, identity: string, durationMs: number, nowMs: number): Lease {
  const now = formatMicroTime(nowMs);
  const mine = holderOf(lease) === identity;
  const transitions = lease.spec?.leaseTransitions ?? 0;
  return {
    ...lease,
    spec: {
      ...lease.spec,
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(durationMs / 1000),
      acquireTime: mine ? (lease.spec?.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: mine ? transitions : transitions + 1,
    },
  };
}

/** Given back: one second long, so that also clients that only look at times take it at once. */
export function released(lease: Lease, nowMs: number): Lease {
  const now = formatMicroTime(nowMs);
  return {
    ...lease,
    spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, acquireTime: now, renewTime: now },
  };
}
