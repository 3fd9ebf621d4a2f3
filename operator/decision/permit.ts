/**
 * Never down on unknown, enforced by the compiler. A decision can only carry `SettledReplicas`, and the only
 * functions that make them either cannot go below the present count, obey an explicit bound of the spec, or ask
 * for a `DownPermit`. The permit in turn is only made here, by the function that has looked at every reading.
 */
import type { MetricReading, Observation } from '../observation.ts';

declare const settled: unique symbol;
declare const permit: unique symbol;

/** A replica count that may be written. Made by the functions of this file alone. */
export type SettledReplicas = number & { readonly [settled]: true };

/** Proof that every metric was known and usable when it was made. */
export interface DownPermit {
  readonly [permit]: true;
}

/**
 * Gives the permit when there is at least one metric, all readings are known and the reactive rule could use each
 * of them (a known answer that covers no usable pod says nothing about the load).
 */
export function permitDown(
  readings: readonly Observation<MetricReading>[],
  proposals: readonly { readonly kind: 'valid' | 'invalid' }[],
): DownPermit | undefined {
  const complete =
    readings.length > 0 &&
    proposals.length === readings.length &&
    readings.every((reading) => reading.kind === 'value') &&
    proposals.every((proposal) => proposal.kind === 'valid');
  return complete ? ({} as DownPermit) : undefined;
}

/** The number as it is, down or up. */
export function settle(_permit: DownPermit, replicas: number): SettledReplicas {
  return replicas as SettledReplicas;
}

/** Without a permit: the present count or more. */
export function raiseOnly(current: number, replicas: number): SettledReplicas {
  return Math.max(current, replicas) as SettledReplicas;
}

/**
 * An order of the spec's owner: [minReplicas, maxReplicas] hold whatever the metrics say, as in HPA, which does not
 * even read them outside the bounds.
 */
export function obeyBounds(current: number, min: number, max: number): SettledReplicas {
  return Math.min(Math.max(current, min), max) as SettledReplicas;
}

/** The present count: a pause, a freeze, a target that people switched off. */
export function keep(current: number): SettledReplicas {
  return current as SettledReplicas;
}

/** A settled move cut short: never beyond `settled`, never against its direction. */
export function narrow(
  current: number,
  settled: SettledReplicas,
  most: { readonly up: number; readonly down: number },
): SettledReplicas {
  const up = Math.max(0, most.up);
  const down = Math.max(0, most.down);
  return Math.min(Math.max(settled, current - down), current + up) as SettledReplicas;
}
