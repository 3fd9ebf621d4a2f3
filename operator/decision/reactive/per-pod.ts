/**
 * Resource, ContainerResource and Pods metrics: one sample per pod, averaged over those that count. The first ratio
 * says which way the load points; then the pods without a usable sample are filled in such that they can only damp
 * that move, and if they turn it round nothing happens. (HPA's replica calculator, 1.33 and later.)
 */
import type { PodSample } from '../../observation.ts';
import type { CurrentValue, PodView, ReactiveTuning } from '../types.ts';
import { groupPods } from './pod-groups.ts';
import { requestsOf } from './requests.ts';
import { isWithin, type Tolerance } from './tolerance.ts';
import { ceilReplicas, WholeSum } from './whole-numbers.ts';

export interface PerPodInput {
  readonly pods: readonly PodView[];
  readonly samples: ReadonlyMap<string, PodSample>;
  readonly currentReplicas: number;
  /** Undefined for a Pods metric. */
  readonly resource?: string;
  readonly container?: string;
  readonly tolerance: Tolerance;
  readonly tuning: ReactiveTuning;
  readonly nowMs: number;
}

export type PerPodResult =
  | {
      readonly kind: 'valid';
      readonly replicas: number;
      readonly current: CurrentValue;
      readonly detail: string;
    }
  | { readonly kind: 'invalid'; readonly message: string };

/** How values become a ratio, and what a pod without a sample is taken to use. */
interface Gauge {
  /** Usage over target; undefined when no value belongs to a known pod. */
  measure(
    values: ReadonlyMap<string, number>,
  ): { readonly ratio: number; readonly current: CurrentValue } | undefined;
  /** The most a missing pod may plausibly use, while the rest point down. */
  assumedUsage(pod: string): number;
}

/** @param percent target utilisation, in per cent of the request. */
export function utilizationReplicas(input: PerPodInput, resource: string, percent: number): PerPodResult {
  return replicasFrom(input, () => {
    const requests = requestsOf(input.pods, resource, input.container);
    if (requests.kind === 'missing') return requests.message;
    return {
      measure(values) {
        const usage = new WholeSum();
        const requested = new WholeSum();
        for (const [pod, value] of values) {
          const request = requests.byPod.get(pod);
          if (request === undefined) continue;
          usage.add(value);
          requested.add(request);
        }
        if (requested.value === 0) return undefined;
        // Whole per cents, cut off before the ratio: 55.25 % counts as 55 %.
        const utilization = usage.scaledQuotient(100, requested);
        const averageValueMilli = usage.scaledQuotient(1, usage.count);
        return {
          ratio: utilization / percent,
          current: { averageUtilization: utilization, averageValueMilli },
        };
      },
      assumedUsage: (pod) =>
        Math.trunc(((requests.byPod.get(pod) ?? 0) * Math.trunc(Math.max(100, percent))) / 100),
    };
  });
}

/** @param targetMilli target of the average per pod. */
export function averageReplicas(input: PerPodInput, targetMilli: number): PerPodResult {
  return replicasFrom(input, () => ({
    measure(values) {
      const usage = new WholeSum();
      for (const value of values.values()) usage.add(value);
      const averageValueMilli = usage.scaledQuotient(1, usage.count);
      return { ratio: averageValueMilli / targetMilli, current: { averageValueMilli } };
    },
    assumedUsage: () => targetMilli,
  }));
}

function replicasFrom(input: PerPodInput, makeGauge: () => Gauge | string): PerPodResult {
  const { currentReplicas, tolerance } = input;
  if (input.pods.length === 0) return invalid('the selector selects no pods');
  const groups = groupPods(input.pods, input.samples, input.resource, input.tuning, input.nowMs);
  const values = new Map<string, number>();
  for (const [pod, { milli }] of input.samples) {
    if (!groups.dropped.has(pod) && !groups.unready.has(pod)) values.set(pod, milli);
  }
  if (values.size === 0) return invalid('no pod that counts has a sample (they may not be ready yet)');
  const gauge = makeGauge();
  if (typeof gauge === 'string') return invalid(gauge);
  const first = gauge.measure(values);
  if (first === undefined) return invalid('no sample belongs to a pod with a request');

  const { ratio, current } = first;
  const counted = `${groups.readyCount} ready, ${groups.unready.size} unready, ${groups.missing.size} without a sample`;
  const keep = (why: string): PerPodResult => valid(currentReplicas, `${why} (${counted})`);
  const valid = (replicas: number, detail: string): PerPodResult => ({
    kind: 'valid',
    replicas,
    current,
    detail,
  });

  const raiseWithUnready = groups.unready.size > 0 && ratio > 1;
  if (!raiseWithUnready && groups.missing.size === 0) {
    if (isWithin(ratio, tolerance)) return keep(`ratio ${shown(ratio)} is within the tolerance`);
    return valid(ceilReplicas(ratio * groups.readyCount), `ratio ${shown(ratio)} (${counted})`);
  }

  if (ratio < 1) for (const pod of groups.missing) values.set(pod, gauge.assumedUsage(pod));
  if (ratio > 1) for (const pod of groups.missing) values.set(pod, 0);
  if (raiseWithUnready) for (const pod of groups.unready) values.set(pod, 0);

  const second = gauge.measure(values);
  if (second === undefined) return invalid('no sample belongs to a pod with a request');
  const damped = second.ratio;
  const ratios = `ratio ${shown(ratio)}, ${shown(damped)} with the silent pods`;
  if (isWithin(damped, tolerance)) return keep(`${ratios}: within the tolerance`);
  if ((ratio < 1 && damped > 1) || (ratio > 1 && damped < 1)) return keep(`${ratios}: the direction flips`);
  const replicas = ceilReplicas(damped * values.size);
  if ((damped < 1 && replicas > currentReplicas) || (damped > 1 && replicas < currentReplicas)) {
    return keep(`${ratios}: ${replicas} would go against the ratio`);
  }
  return valid(replicas, `${ratios} (${counted})`);
}

function invalid(message: string): PerPodResult {
  return { kind: 'invalid', message };
}

function shown(ratio: number): string {
  return String(Number(ratio.toPrecision(4)));
}
