/** What the cache keeps of a pod, and what it means for a gang. */
import type { KubeObject } from '../../runtime/index.ts';
import { parseLastWords } from '../../training/termination.ts';
import { lastLine, troubleOf } from '../container-words.ts';
import type { Exit, SeenPod } from './plan/types.ts';
import { toldOf } from './told.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

interface ContainerStatus {
  readonly name: string;
  readonly state?: {
    readonly running?: { readonly startedAt?: string };
    readonly waiting?: { readonly reason?: string; readonly message?: string };
    readonly terminated?: {
      readonly exitCode: number;
      readonly reason?: string;
      readonly message?: string;
      readonly finishedAt?: string;
    };
  };
}

/** The part of a core/v1 Pod that the informer keeps. */
export interface WatchedPod extends KubeObject {
  readonly status: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly conditions?: readonly Condition[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

const INDEX = 'batch.kubernetes.io/job-completion-index';
/** The kubelet's words for a pod that took more of a disk than its own limits allow. */
const OWN_LIMIT =
  /^(Usage of EmptyDir volume|Pod ephemeral local storage usage|Container) .*exceed(s|ed) (the|its) .*limit/;
/** Whatever its containers said as they were killed. */
const KILLED = 137;
const CONDITIONS = ['PodScheduled', 'DisruptionTarget', 'Ready', 'ContainersReady'];

export function projectPod(object: KubeObject): WatchedPod {
  const { metadata, status = {} } = object as KubeObject & Partial<WatchedPod>;
  const { name, namespace, uid, labels, annotations, resourceVersion, deletionTimestamp, ownerReferences } =
    metadata;
  const index = annotations?.[INDEX];
  const container = ({ name: of, state }: ContainerStatus): ContainerStatus => ({
    name: of,
    ...(state === undefined ? {} : { state }),
  });
  return {
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(labels === undefined ? {} : { labels }),
      ...(index === undefined ? {} : { annotations: { [INDEX]: index } }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    status: {
      ...(status.phase === undefined ? {} : { phase: status.phase }),
      ...(status.reason === undefined ? {} : { reason: status.reason }),
      ...(status.message === undefined ? {} : { message: status.message }),
      conditions: (status.conditions ?? []).filter(({ type }) => CONDITIONS.includes(type)),
      initContainerStatuses: (status.initContainerStatuses ?? []).map(container),
      containerStatuses: (status.containerStatuses ?? []).map(container),
    },
  };
}

export function seenPod({ metadata, status }: WatchedPod): SeenPod {
  const { name, annotations, deletionTimestamp } = metadata;
  const index = Number(annotations?.[INDEX] ?? Number.NaN);
  const containers = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  const condition = (type: string) => status.conditions?.find((each) => each.type === type);
  const scheduled = condition('PodScheduled');
  const since = timeOf(scheduled?.lastTransitionTime);
  const done = status.phase === 'Succeeded' || status.phase === 'Failed';
  const greedy = status.reason === 'Evicted' && OWN_LIMIT.test(status.message ?? '');
  const last = containers.findLast(({ state }) => state?.terminated !== undefined)?.state?.terminated;
  return {
    name,
    index: Number.isNaN(index) ? undefined : index,
    done,
    running: status.phase === 'Running',
    endedAtMs: done ? timeOf(last?.finishedAt) : undefined,
    goneByMs: timeOf(deletionTimestamp),
    scheduledAtMs: scheduled?.status === 'True' ? since : undefined,
    startedAtMs: timeOf(containers.findLast(({ state }) => state?.running)?.state?.running?.startedAt),
    unschedulableSinceMs: scheduled?.status === 'False' ? since : undefined,
    unschedulable: scheduled?.status === 'False' ? lastLine(scheduled.message) : undefined,
    disrupted: greedy ? undefined : disruptionOf(status, condition),
    exit: greedy
      ? { code: KILLED, reason: 'Evicted', message: lastLine(status.message) }
      : done
        ? exitOf(containers)
        : undefined,
    waiting: waitingOf(containers),
    told: toldOf(parseLastWords(last?.message)),
  };
}

function disruptionOf(
  { phase, reason, message }: WatchedPod['status'],
  condition: (type: string) => Condition | undefined,
): string | undefined {
  const target = condition('DisruptionTarget');
  if (target?.status === 'True') return words(target.reason ?? 'disrupted', target.message);
  if (phase === 'Failed' && reason !== undefined) return words(reason, message);
  // Its containers are well, but its node does not answer for them any more.
  const lost = condition('Ready')?.status === 'False' && condition('ContainersReady')?.status === 'True';
  return lost ? 'its node does not answer' : undefined;
}

/** Of the first that failed: what came after it is a consequence. */
function exitOf(containers: readonly ContainerStatus[]): Exit | undefined {
  const ended = containers.flatMap(({ state }) => state?.terminated ?? []);
  const first = ended.find(({ exitCode }) => exitCode !== 0) ?? ended[0];
  if (first === undefined) return undefined;
  const line = first.message?.startsWith('{') === true ? undefined : lastLine(first.message);
  return { code: first.exitCode, reason: first.reason, message: line };
}

function waitingOf(containers: readonly ContainerStatus[]): string | undefined {
  const found = containers.find(({ state }) => troubleOf(state?.waiting?.reason) !== undefined);
  if (found === undefined) return undefined;
  const { reason = '', message } = found.state?.waiting ?? {};
  return `container ${found.name}: ${words(reason, message)}`;
}

function words(reason: string, message: string | undefined): string {
  const line = lastLine(message);
  return line === undefined ? reason : `${reason}: ${line}`;
}

function timeOf(text: string | undefined): number | undefined {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? undefined : time;
}
