/** A core/v1 Pod as the API server gives it → what the reactive rule reads of it. */
import { parseQuantityMilli } from '../quantity.ts';
import type { ContainerView, PodView } from './types.ts';

type Quantities = Readonly<Record<string, string>>;

interface ContainerLike {
  readonly name: string;
  readonly restartPolicy?: string;
  readonly resources?: { readonly requests?: Quantities };
}

/** The fields of a Pod that count; any fuller Pod fits. */
export interface PodLike {
  readonly metadata: { readonly name?: string; readonly deletionTimestamp?: string | Date };
  readonly spec: {
    readonly containers: readonly ContainerLike[];
    readonly initContainers?: readonly ContainerLike[];
    readonly resources?: { readonly requests?: Quantities };
    readonly overhead?: Quantities;
  };
  readonly status?: {
    readonly phase?: string;
    readonly startTime?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly lastTransitionTime?: string;
    }[];
  };
}

/** Throws QUANTITY_INVALID for a request that is no quantity, which the API server does not admit. */
export function podView({ metadata, spec, status }: PodLike): PodView {
  const startTimeMs = Date.parse(status?.startTime ?? '');
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const sidecars = (spec.initContainers ?? []).filter(isSidecar);
  const podRequestsMilli = podLevelRequests(spec);
  return {
    name: metadata.name ?? '',
    phase: status?.phase ?? 'Pending',
    deleting: metadata.deletionTimestamp !== undefined,
    containers: [...spec.containers, ...sidecars].map(containerView),
    ...(Number.isNaN(startTimeMs) ? {} : { startTimeMs }),
    ...(ready === undefined
      ? {}
      : {
          ready: {
            status: ready.status,
            // Without a time HPA sees the zero time: long ago.
            lastTransitionMs: timeOr(ready.lastTransitionTime, 0),
          },
        }),
    ...(podRequestsMilli === undefined ? {} : { podRequestsMilli }),
  };
}

function containerView({ name, resources }: ContainerLike): ContainerView {
  return { name, requestsMilli: milliOf(resources?.requests) };
}

/**
 * The requests of the whole pod, when it carries pod-level ones: those, for other resources what the containers
 * need together (the larger of all running and any one starting), plus the overhead of its runtime class.
 */
function podLevelRequests(spec: PodLike['spec']): Record<string, number> | undefined {
  const podLevel = Object.entries(milliOf(spec.resources?.requests)).filter(([name]) => isPodLevel(name));
  if (podLevel.length === 0) return undefined;
  const total = sum(spec.containers.map(({ resources }) => milliOf(resources?.requests)));
  const started: Record<string, number> = {};
  const starting: Record<string, number> = {};
  for (const container of spec.initContainers ?? []) {
    const own = milliOf(container.resources?.requests);
    if (isSidecar(container)) {
      add(total, own);
      add(started, own);
      atLeast(starting, started);
    } else atLeast(starting, sum([started, own]));
  }
  atLeast(total, starting);
  for (const [name, milli] of podLevel) total[name] = milli;
  add(total, milliOf(spec.overhead));
  return total;
}

function isSidecar({ restartPolicy }: ContainerLike): boolean {
  return restartPolicy === 'Always';
}

function isPodLevel(resource: string): boolean {
  return resource === 'cpu' || resource === 'memory' || resource.startsWith('hugepages-');
}

function milliOf(quantities: Quantities | undefined): Record<string, number> {
  const milli: Record<string, number> = {};
  for (const [name, quantity] of Object.entries(quantities ?? {})) milli[name] = parseQuantityMilli(quantity);
  return milli;
}

function sum(parts: readonly Record<string, number>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const part of parts) add(total, part);
  return total;
}

function add(total: Record<string, number>, part: Record<string, number>): void {
  for (const [name, milli] of Object.entries(part)) total[name] = (total[name] ?? 0) + milli;
}

function atLeast(total: Record<string, number>, floor: Record<string, number>): void {
  for (const [name, milli] of Object.entries(floor)) total[name] = Math.max(total[name] ?? 0, milli);
}

function timeOr(text: string | undefined, fallback: number): number {
  const ms = Date.parse(text ?? '');
  return Number.isNaN(ms) ? fallback : ms;
}
