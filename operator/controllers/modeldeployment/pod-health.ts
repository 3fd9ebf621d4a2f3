/**
 * What a Deployment does not tell of its pods: how often the server has crashed, for how long no node has had room,
 * what keeps a pod from starting, in the kubelet's own word and the container's last, and where those that are ready can be asked.
 */
import { LABELS } from '../../api/index.ts';
import type { Pods } from '../../rollout/types.ts';
import type { KubeObject } from '../../runtime/index.ts';
import { lastLine, troubleOf } from '../container-words.ts';

/** The part of a core/v1 Pod that the informer keeps. */
export interface SeenPod extends KubeObject {
  readonly status: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly startTime?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly lastTransitionTime?: string;
    }[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

interface ContainerStatus {
  readonly name: string;
  readonly ready?: boolean;
  readonly restartCount?: number;
  readonly state?: { readonly waiting?: { readonly reason?: string }; readonly terminated?: Terminated };
  readonly lastState?: { readonly terminated?: Terminated };
}

interface Terminated {
  readonly exitCode?: number;
  readonly message?: string;
}

export function projectPod(object: KubeObject): SeenPod {
  const { metadata, status = {} } = object as KubeObject & Partial<SeenPod>;
  const { name, namespace, uid, labels, resourceVersion } = metadata;
  const container = (seen: ContainerStatus): ContainerStatus => {
    const { name: of, ready, restartCount = 0, state, lastState } = seen;
    const reason = state?.waiting?.reason;
    const message = lastWords(state?.terminated ?? lastState?.terminated);
    return {
      name: of,
      restartCount,
      ...(ready === undefined ? {} : { ready }),
      ...(reason === undefined ? {} : { state: { waiting: { reason } } }),
      ...(message === undefined ? {} : { lastState: { terminated: { message } } }),
    };
  };
  return {
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(labels === undefined ? {} : { labels }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    status: {
      ...(status.phase === undefined ? {} : { phase: status.phase }),
      ...(status.podIP === undefined ? {} : { podIP: status.podIP }),
      ...(status.startTime === undefined ? {} : { startTime: status.startTime }),
      conditions: (status.conditions ?? [])
        .filter(({ type }) => type === 'PodScheduled' || type === 'Ready')
        .map(({ type, status: value, lastTransitionTime: at }) => ({
          type,
          status: value,
          ...(at === undefined ? {} : { lastTransitionTime: at }),
        })),
      initContainerStatuses: (status.initContainerStatuses ?? []).map(container),
      containerStatuses: (status.containerStatuses ?? []).map(container),
    },
  };
}

/** Version that a child or a pod belongs to, by the label that we gave it. */
export function versionOf({ metadata }: KubeObject): number | undefined {
  const version = Number(metadata.labels?.[LABELS.version]);
  return Number.isSafeInteger(version) && version > 0 ? version : undefined;
}

/** The last line of a container that failed. */
function lastWords(terminated: Terminated | undefined): string | undefined {
  return terminated === undefined || terminated.exitCode === 0 ? undefined : lastLine(terminated.message);
}

export function healthOf(
  pods: readonly SeenPod[],
): Pick<Pods, 'restarts' | 'problem' | 'unschedulableSinceMs'> {
  const restarts = Math.max(
    0,
    ...pods.flatMap(({ status }) =>
      (status.containerStatuses ?? []).map(({ restartCount = 0 }) => restartCount),
    ),
  );
  const unschedulable = pods.flatMap(({ status }) => {
    const scheduled = status.conditions?.find(({ type }) => type === 'PodScheduled');
    const since = scheduled?.status === 'False' ? Date.parse(scheduled.lastTransitionTime ?? '') : Number.NaN;
    return Number.isNaN(since) ? [] : [since];
  });
  const waiting = pods
    .flatMap(({ status }) => [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])])
    .flatMap(({ name, ready, state, lastState }) => {
      // Of one that works again what it died of is past.
      const died = ready === true ? undefined : lastState?.terminated?.message;
      const words = [troubleOf(state?.waiting?.reason), died].filter((word) => word !== undefined);
      return words.length === 0 ? [] : [`container ${name}: ${words.join(': ')}`];
    });
  const problem = waiting[0] ?? (unschedulable.length > 0 ? 'no node has room for a pod' : undefined);
  return {
    restarts,
    ...(problem === undefined ? {} : { problem }),
    ...(unschedulable.length === 0 ? {} : { unschedulableSinceMs: Math.min(...unschedulable) }),
  };
}
