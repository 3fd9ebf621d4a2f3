/**
 * What each pod asked for: the 100 % of a utilisation. Pod-level requests win unless one container is meant; a
 * single pod without the request makes the whole utilisation unusable, as in HPA.
 */
import type { PodView } from '../types.ts';

export type Requests =
  | { readonly kind: 'known'; readonly byPod: ReadonlyMap<string, number> }
  | { readonly kind: 'missing'; readonly message: string };

export function requestsOf(
  pods: readonly PodView[],
  resource: string,
  container: string | undefined,
): Requests {
  const byPod = new Map<string, number>();
  for (const pod of pods) {
    const request = requestOf(pod, resource, container);
    if (typeof request === 'string') return { kind: 'missing', message: request };
    byPod.set(pod.name, request);
  }
  return { kind: 'known', byPod };
}

function requestOf(pod: PodView, resource: string, container: string | undefined): number | string {
  if (container === undefined && pod.podRequestsMilli !== undefined) {
    return pod.podRequestsMilli[resource] ?? `pod ${pod.name} has no pod-level request for ${resource}`;
  }
  if (container !== undefined) {
    const found = pod.containers.find(({ name }) => name === container);
    if (found === undefined) return `pod ${pod.name} has no container ${container}`;
    return found.requestsMilli[resource] ?? noRequest(pod, container, resource);
  }
  let sum = 0;
  for (const { name, requestsMilli } of pod.containers) {
    const request = requestsMilli[resource];
    if (request === undefined) return noRequest(pod, name, resource);
    sum += request;
  }
  return sum;
}

function noRequest(pod: PodView, container: string, resource: string): string {
  return `container ${container} of pod ${pod.name} requests no ${resource}`;
}
