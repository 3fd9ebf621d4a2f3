/** Our side's autoscaler: reads what HPA reads, by the operator's own client and metric sources, and decides. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_METRIC } from '../../operator/api/predictivescaler/hpa-defaults.ts';
import { decisionSpec } from '../../operator/decision/from-spec.ts';
import type { DecisionMemory } from '../../operator/decision/types.ts';
import { unknown } from '../../operator/observation.ts';
import type { Judge } from './judge.ts';
import { NAME, scalerSpec } from './manifests.ts';
import { type Sequence, TICK_MS } from './sequence.ts';
import { TUNING } from './tuning.ts';
import { type Access, DEPLOYMENTS, type World } from './world.ts';

/** Looks again after each tick, until `looks` are done. Returns the reasons that stand after each look. */
export async function runReactive(
  world: World,
  { client, sources }: Access,
  namespace: string,
  sequence: Sequence,
  { decide, recordScale }: Judge,
  looks: number,
  signal: AbortSignal,
): Promise<Record<string, string>[]> {
  const spec = scalerSpec(sequence);
  const plan = decisionSpec(spec, TUNING);
  const key = { namespace, name: NAME };
  const reasons: Record<string, string>[] = [];
  let standing: Record<string, string> = {};
  let memory: DecisionMemory | undefined;
  for (let look = 0; look < looks; look += 1) {
    const scale = await client.getScale(DEPLOYMENTS, key, signal);
    const podSelector = scale.status.selector ?? '';
    const readings = [];
    // One after the other, as HPA does.
    for (const metric of spec.metrics ?? [DEFAULT_METRIC]) {
      readings.push(await sources.read({ namespace, metric, podSelector }, signal));
    }
    const nowMs = Date.now();
    const decision = decide({
      id: `${namespace}-${look}`,
      nowMs,
      spec: plan,
      specReplicas: scale.spec.replicas,
      statusReplicas: scale.status.replicas,
      pods: world.pods(namespace),
      readings,
      forecast: unknown('NotRead', 'Reactive asks for none', nowMs),
      window: { fromMs: nowMs, toMs: nowMs },
      learnedCapacityMilli: [],
      activeSchedules: [],
      tuning: TUNING,
      guards: {},
      memory,
    });
    memory = decision.memory;
    for (const { type, reason } of decision.conditions) standing = { ...standing, [type]: reason };
    if (decision.write) {
      await client.patchScale(DEPLOYMENTS, key, decision.desiredReplicas, {}, signal);
      memory = recordScale(memory, plan, scale.spec.replicas, decision.desiredReplicas, Date.now());
      standing = { ...standing, AbleToScale: 'SucceededRescale' };
    }
    reasons.push(standing);
    // A little early: the gate has us wait for HPA, whose timer leads.
    await sleep(TICK_MS - 200, undefined, { signal });
  }
  return reasons;
}
