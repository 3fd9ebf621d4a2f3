/**
 * Object, External and Prometheus metrics: one number for the whole target. A Value target compares it as it is and
 * multiplies with the pods that are ready; an AverageValue target shares it among the replicas of the status.
 */
import type { CurrentValue, PodView } from '../types.ts';
import { countReadyPods } from './pod-groups.ts';
import { isWithin, type Tolerance } from './tolerance.ts';
import { ceilReplicas } from './whole-numbers.ts';

export type TotalResult =
  | {
      readonly kind: 'valid';
      readonly replicas: number;
      readonly current: CurrentValue;
      readonly detail: string;
    }
  | { readonly kind: 'invalid'; readonly message: string };

export function valueReplicas(
  usageMilli: number,
  targetMilli: number,
  currentReplicas: number,
  pods: readonly PodView[],
  tolerance: Tolerance,
): TotalResult {
  const ratio = usageMilli / targetMilli;
  const current = { valueMilli: usageMilli };
  const shown = `ratio ${Number(ratio.toPrecision(4))}`;
  if (currentReplicas === 0) return { kind: 'valid', replicas: ceilReplicas(ratio), current, detail: shown };
  if (isWithin(ratio, tolerance)) {
    return { kind: 'valid', replicas: currentReplicas, current, detail: `${shown} is within the tolerance` };
  }
  if (pods.length === 0) return { kind: 'invalid', message: 'the selector selects no pods' };
  const ready = countReadyPods(pods);
  return {
    kind: 'valid',
    replicas: ceilReplicas(ratio * ready),
    current,
    detail: `${shown} times ${ready} ready pods`,
  };
}

export function averageValueReplicas(
  usageMilli: number,
  targetMilli: number,
  statusReplicas: number,
  tolerance: Tolerance,
): TotalResult {
  // With no replica at all the ratio is not finite, hence outside every tolerance: the division below decides.
  const ratio = usageMilli / (targetMilli * statusReplicas);
  const current =
    statusReplicas > 0
      ? { averageValueMilli: Math.ceil(usageMilli / statusReplicas) }
      : { valueMilli: usageMilli };
  if (isWithin(ratio, tolerance)) {
    const detail = `ratio ${Number(ratio.toPrecision(4))} is within the tolerance`;
    return { kind: 'valid', replicas: statusReplicas, current, detail };
  }
  const replicas = ceilReplicas(usageMilli / targetMilli);
  return {
    kind: 'valid',
    replicas,
    current,
    detail: `${usageMilli} over ${targetMilli} per replica, in thousandths`,
  };
}
