/**
 * Plays recorded looks of one side to a decision function: what would it have done at each of them? Beside the
 * answers it finds the looks that hang on a few milliseconds: there HPA itself decides one way or the other by
 * chance, since it reads its clock several times in one look and a write takes a while.
 */
import { decisionSpec } from '../../operator/decision/from-spec.ts';
import type { DecisionMemory } from '../../operator/decision/types.ts';
import { unknown } from '../../operator/observation.ts';
import type { Judge } from './judge.ts';
import { scalerSpec } from './manifests.ts';
import { readingOf } from './script.ts';
import type { Sequence } from './sequence.ts';
import type { Recorded } from './side.ts';
import { TUNING } from './tuning.ts';

/** How far apart two clocks of the same look may be on a machine that nothing else uses. */
export const SLACK_MS = 200;

export interface Replayed {
  /** What the judge would have written at this look. */
  readonly desired: number;
  /** True when it would decide otherwise a moment earlier or later. */
  readonly ambiguous: boolean;
}

/** @param slackMs how far apart two clocks of the same look may have been */
export function replay(
  sequence: Sequence,
  records: readonly Recorded[],
  judge: Judge,
  slackMs = SLACK_MS,
): Replayed[] {
  const spec = decisionSpec(scalerSpec(sequence), TUNING);
  let memory: DecisionMemory | undefined;
  return records.map((record, index) => {
    const { atMs, specReplicas, statusReplicas, pods, numbers } = record;
    const at = (nowMs: number) =>
      judge.decide({
        id: String(index),
        nowMs,
        spec,
        specReplicas,
        statusReplicas,
        pods,
        readings: numbers.map((each) => readingOf(each, nowMs)),
        forecast: unknown('NotRead', 'none', nowMs),
        window: { fromMs: nowMs, toMs: nowMs },
        learnedCapacityMilli: [],
        activeSchedules: [],
        tuning: TUNING,
        guards: {},
        memory,
      });
    const decision = at(atMs);
    const outcome = ({ desiredReplicas, conditions }: typeof decision) =>
      JSON.stringify([desiredReplicas, conditions.map(({ reason }) => reason)]);
    const ambiguous = [atMs - slackMs, atMs + slackMs].some((ms) => outcome(at(ms)) !== outcome(decision));
    // What was written is what the recorded side wrote, whatever the judge thinks of it.
    const written = records[index + 1]?.specReplicas ?? specReplicas;
    memory = judge.recordScale(decision.memory, spec, specReplicas, written, atMs);
    return { desired: decision.desiredReplicas, ambiguous };
  });
}
