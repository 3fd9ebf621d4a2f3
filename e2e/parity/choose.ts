/** Draws sequences until enough of them are eventful: the dull ones are thrown away. */
import type { Decision } from '../../operator/decision/types.ts';
import { contentOf, isInteresting, type Look } from './interesting.ts';
import { simulate } from './model.ts';
import { generate, type Sequence } from './sequence.ts';

/** @param wanted a further condition; without one each kind comes in turn, whatever the throw-away does to the rest */
export function choose(
  count: number,
  firstSeed: number,
  wanted?: (sequence: Sequence) => boolean,
): Sequence[] {
  const chosen: Sequence[] = [];
  for (let seed = firstSeed; chosen.length < count; seed += 1) {
    if (seed > firstSeed + 1000 * count) throw new Error('the generator makes too few eventful sequences');
    const sequence = generate(seed);
    // What is wanted may show in one kind alone.
    if (wanted === undefined && seed % 8 !== chosen.length % 8) continue;
    const looks = looksOf(simulate(sequence), sequence.startReplicas);
    if (isInteresting(contentOf(looks)) && (wanted === undefined || wanted(sequence))) chosen.push(sequence);
  }
  return chosen;
}

export function looksOf(decisions: readonly Decision[], startReplicas: number): Look[] {
  let replicas = startReplicas;
  const last = { AbleToScale: '', ScalingActive: '', ScalingLimited: '', MetricsDegraded: '' };
  return decisions.map((decision) => {
    for (const { type, reason } of decision.conditions) last[type] = reason;
    const look: Look = {
      replicas,
      ableToScale: last.AbleToScale,
      scalingActive: last.ScalingActive,
      scalingLimited: last.ScalingLimited,
    };
    replicas = decision.desiredReplicas;
    return look;
  });
}
