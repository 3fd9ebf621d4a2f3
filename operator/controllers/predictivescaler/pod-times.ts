/**
 * Sees pods come to life. The API's times have whole seconds, which is coarse for a start of two; a start that we
 * watched is timed by our own clock instead.
 */
import type { Clock } from '../../clock.ts';
import type { PodStart } from '../../forecast/types.ts';
import type { Informer } from '../../runtime/index.ts';
import { isReady, type Pod, podStart } from './pods.ts';

export interface PodTimes {
  readonly startOf: (pod: Pod) => PodStart;
}

/** The wall clock may jump while a pod starts, so the start is measured on the monotonic one. */
interface Watched {
  readonly createdMs: number;
  readonly createdAt: number;
  tookMs: number | undefined;
}

/** A pod that is older than this when we first see it was not watched from its creation. */
const NEW_MS = 2_000;

export function watchPodTimes(pods: Informer<Pod>, clock: Clock): PodTimes {
  const watched = new Map<string, Watched>();
  const onChange = (pod: Pod) => {
    const uid = pod.metadata.uid ?? '';
    const start = podStart(pod);
    const seen = watched.get(uid);
    if (seen === undefined && start.readyMs === undefined && clock.now() - start.createdMs < NEW_MS)
      watched.set(uid, { createdMs: clock.now(), createdAt: clock.monotonic(), tookMs: undefined });
    else if (seen !== undefined && seen.tookMs === undefined && isReady(pod))
      seen.tookMs = clock.monotonic() - seen.createdAt;
  };
  pods.subscribe({
    onAdd: onChange,
    onUpdate: (_before, after) => onChange(after),
    onDelete: (pod) => watched.delete(pod.metadata.uid ?? ''),
  });
  return {
    startOf(pod) {
      const start = podStart(pod);
      const seen = watched.get(start.uid);
      if (seen === undefined || (seen.tookMs === undefined) !== (start.readyMs === undefined)) return start;
      const { createdMs, tookMs } = seen;
      return { ...start, createdMs, readyMs: tookMs === undefined ? undefined : createdMs + tookMs };
    },
  };
}
