/** Whether the pods of a gang have room, and what it does when they do not get any. */
import { workers } from './search.ts';
import { storageAway } from './storage.ts';
import { soonest } from './time.ts';
import type { Attempt, Finding, Now, Observed, SeenAttempt, SeenPod } from './types.ts';

export interface Room {
  readonly now: Now;
  /** It is not worth waiting any more, and this is what the next attempt does. */
  readonly giveUp?: Finding & { readonly nextNodes?: number };
  readonly requeueAfterMs?: number | undefined;
  /** Room is all that it lacks. */
  readonly lacksRoom?: true;
}

export function roomFor(observed: Observed, attempt: Attempt, { pods }: SeenAttempt): Room {
  if (attempt.searches !== true) return roomOf(observed, attempt, pods);
  const those = workers(pods);
  const room = someWork(attempt, those) ?? roomOf(observed, attempt, those);
  const away = storageAway(observed, pods);
  // Who has no room, or no Secret, cannot even ask.
  return away !== undefined && ['Starting', 'Searching'].includes(room.now.reason)
    ? { ...room, now: away }
    : room;
}

/** Of those that search each is worth having alone: with room for one none waits, and none gives up. */
function someWork({ nodes }: Attempt, pods: readonly SeenPod[]): Room | undefined {
  const placed = pods.filter(({ scheduledAtMs }) => scheduledAtMs !== undefined);
  if (placed.length === 0) return undefined;
  const ready = placed.filter(({ running, done }) => running || done).length;
  const homeless = pods.filter(({ unschedulableSinceMs }) => unschedulableSinceMs !== undefined).length;
  const keeps = [
    ...(homeless === 0 ? [] : [`no node has room for ${homeless}`]),
    ...pods.flatMap(({ waiting }) => waiting ?? []).slice(0, 1),
  ];
  const message = [`${ready} of ${nodes} nodes search`, ...keeps].join('; ');
  return {
    now:
      ready === 0
        ? { phase: 'Pending', reason: startReason(placed), message }
        : { phase: 'Searching', reason: 'Searching', message },
  };
}

function roomOf(
  { settings, nowMs }: Observed,
  { nodes, onCpu, searches, roomSinceMs = 0 }: Attempt,
  pods: readonly SeenPod[],
): Room {
  const homeless = pods.flatMap(({ unschedulableSinceMs }) => unschedulableSinceMs ?? []);
  const placed = pods.filter(({ scheduledAtMs }) => scheduledAtMs !== undefined).length;
  if (homeless.length === 0) {
    const ready = pods.filter(({ running, done }) => running || done).length;
    const stuck = pods.find(({ waiting }) => waiting !== undefined)?.waiting;
    return ready >= nodes
      ? {
          now: { phase: 'Training', reason: 'Training', message: `${nodes} of ${nodes} nodes train` },
        }
      : {
          now: {
            phase: 'Pending',
            reason: startReason(pods),
            message: stuck ?? `${ready} of ${nodes} nodes have started`,
          },
        };
  }
  const said = pods.find(({ unschedulable }) => unschedulable !== undefined)?.unschedulable;
  const because = said === undefined ? '' : `; the scheduler: ${said}`;
  // A claim that is missing or not bound is no want of room: fewer pods, or pods without GPUs, would wait for it, too.
  // The scheduler says so in words alone, and the operator may not read claims.
  if (said !== undefined && /persistentvolumeclaim/i.test(said))
    return {
      now: { phase: 'Pending', reason: 'WaitingForVolume', message: `no node takes the pods: ${said}` },
    };
  // What the scheduler says changes, and the time of its condition stays.
  const waited = nowMs - Math.max(roomSinceMs, Math.min(...homeless));
  const onGpu = !onCpu;
  const shrinks = searches !== true && placed >= settings.minNodes && placed < nodes;
  const shrinkIn = shrinks ? settings.elasticWaitMs - waited : undefined;
  // Some GPUs are better than none: only a gang that has none at all to go on with falls back.
  const fallbackIn =
    onGpu && settings.gpuFallbackMs !== undefined && !shrinks ? settings.gpuFallbackMs - waited : undefined;
  const message = `no node has room for ${homeless.length} of ${nodes} pods${onGpu ? ' with their GPUs' : ''}`;
  if (shrinkIn !== undefined && shrinkIn <= 0)
    return given({ cause: 'Resized', message: `${message}: going on with ${placed}`, nextNodes: placed });
  if (fallbackIn !== undefined && fallbackIn <= 0)
    return given({ cause: 'CpuFallback', message: `${message}: going on by CPU` });
  return {
    now: {
      phase: 'Pending',
      reason: onGpu ? 'WaitingForGpu' : 'WaitingForRoom',
      message: `${message}${because}`,
    },
    requeueAfterMs: soonest(shrinkIn, fallbackIn),
    lacksRoom: true,
  };
}

/** The kubelet says in words alone that a variable of theirs is to come out of one that is missing, or lacks the key. */
export function lacksSecret({ waiting = '' }: SeenPod): boolean {
  return /CreateContainerConfigError: .*\bsecret\b/i.test(waiting);
}

function startReason(pods: readonly SeenPod[]): string {
  return pods.some(lacksSecret) ? 'WaitingForSecret' : 'Starting';
}

function given(giveUp: NonNullable<Room['giveUp']>): Room {
  return {
    now: { phase: 'Pending', reason: giveUp.cause, message: giveUp.message },
    giveUp,
    lacksRoom: true,
  };
}
