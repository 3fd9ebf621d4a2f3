/**
 * Do both sides tell the same story? The replicas at each look and HPA's reasons after it must be equal. Where they
 * part, the sequence is void if a look before showed them different worlds (a pod that became ready a moment later on
 * a busy machine) or fell onto the edge of a window; without such an excuse it is a difference of the algorithms.
 */
import type { PodView } from '../../operator/decision/types.ts';
import { contentOf, isInteresting, type Look } from './interesting.ts';
import type { Replayed } from './replay.ts';
import type { Recorded } from './side.ts';

export interface Story {
  readonly records: readonly Recorded[];
  /** Reasons after each look. */
  readonly reasons: readonly Readonly<Record<string, string>>[];
  readonly replayed: readonly Replayed[];
}

/** More than these, and the reasons of a sequence cannot be called compared. */
const MAX_LOST_STATUSES = 3;

export type Verdict =
  | { readonly kind: 'agrees' }
  /** They agree, but too little happened to prove anything. */
  | { readonly kind: 'dull' }
  /** They part after a look in which the machine, not the algorithm, may have made the difference. */
  | { readonly kind: 'void'; readonly at: number; readonly why: string }
  | { readonly kind: 'differs'; readonly at: number; readonly what: string };

export function compare(theirs: Story, ours: Story, looks: number): Verdict {
  let excuse: { at: number; why: string } | undefined;
  let lostStatuses = 0;
  for (let look = 0; look < looks; look += 1) {
    const [a, b] = [theirs.records[look], ours.records[look]];
    if (a === undefined || b === undefined) return { kind: 'void', at: look, why: 'a look is missing' };
    const last = look + 1 === looks;
    const replicas =
      a.specReplicas === b.specReplicas ? undefined : `HPA runs ${a.specReplicas}, ours ${b.specReplicas}`;
    // Replicas show what the look before decided; an excuse of this look comes too late for them.
    if (replicas !== undefined) return parted(excuse, look, replicas);
    if (last) break;
    excuse ??= excuseFor(theirs, ours, look);
    const reasons = reasonsDiffer(theirs.reasons[look], ours.reasons[look]);
    if (reasons === undefined) continue;
    // HPA writes its status last, with the version that its cache has; when that write is refused, it lets it be.
    const unwritten = a.version !== '' && a.version === theirs.records[look + 1]?.version;
    if (!unwritten) return parted(excuse, look, reasons);
    excuse ??=
      ++lostStatuses > MAX_LOST_STATUSES ? { at: look, why: 'HPA wrote too few statuses' } : undefined;
  }
  if (lostStatuses > MAX_LOST_STATUSES && excuse !== undefined) return { kind: 'void', ...excuse };
  return isInteresting(contentOf(looksOf(theirs))) ? { kind: 'agrees' } : { kind: 'dull' };
}

function parted(excuse: { at: number; why: string } | undefined, at: number, what: string): Verdict {
  return excuse === undefined ? { kind: 'differs', at, what } : { kind: 'void', ...excuse };
}

function excuseFor(theirs: Story, ours: Story, at: number): { at: number; why: string } | undefined {
  const [a, b] = [theirs.records[at], ours.records[at]];
  if (a === undefined || b === undefined) return { at, why: 'a look is missing' };
  const [seen, others] = [worldOf(a), worldOf(b)];
  if (seen !== others) return { at, why: `HPA sees ${seen}, ours ${others}` };
  if (!a.certain || !b.certain) return { at, why: 'the status was moving' };
  if (theirs.replayed[at]?.ambiguous !== false || ours.replayed[at]?.ambiguous !== false) {
    return { at, why: 'it hangs on a few milliseconds' };
  }
  return undefined;
}

export function looksOf({ records, reasons }: Story): Look[] {
  return records.map(({ specReplicas }, index) => ({
    replicas: specReplicas,
    // A write replaces AbleToScale, so a stabilised hold is one without a write: exactly what is counted.
    ableToScale: reasons[index]?.['AbleToScale'] ?? '',
    scalingActive: reasons[index]?.['ScalingActive'] ?? '',
    scalingLimited: reasons[index]?.['ScalingLimited'] ?? '',
  }));
}

const COMPARED = ['AbleToScale', 'ScalingActive', 'ScalingLimited'] as const;

function reasonsDiffer(
  theirs: Readonly<Record<string, string>> | undefined,
  ours: Readonly<Record<string, string>> | undefined,
): string | undefined {
  for (const type of COMPARED) {
    if (theirs?.[type] !== ours?.[type]) return `${type}: HPA says ${theirs?.[type]}, ours ${ours?.[type]}`;
  }
  return undefined;
}

/** Everything that a decision depends on but time and names. */
function worldOf({ statusReplicas, pods, numbers }: Recorded): string {
  const measured = numbers.map((each) =>
    each === undefined ? 'lost' : each.form === 'total' ? each.milli : `${each.pods.length}x${each.milli}`,
  );
  return `${statusReplicas} replicas; ${podsShown(pods)}; ${measured.join(', ')}`;
}

/** How many pods are in which state. */
export function podsShown(pods: readonly PodView[]): string {
  const groups = new Map<string, number>();
  for (const pod of pods) groups.set(groupOf(pod), (groups.get(groupOf(pod)) ?? 0) + 1);
  const sorted = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([group, count]) => `${count} ${group}`).join(', ');
}

function groupOf({ phase, ready, deleting }: PodView): string {
  return `${phase}/${ready?.status ?? 'no condition'}${deleting ? '/deleting' : ''}`;
}
