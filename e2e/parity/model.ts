/**
 * An offline world in which a sequence can be tried before it costs a minute on a cluster: pods that start and go
 * as the script says, and a clock that ticks exactly. It only sorts out dull sequences; it proves nothing.
 */
import { decisionSpec } from '../../operator/decision/from-spec.ts';
import type { Decision, DecisionMemory, PodView } from '../../operator/decision/types.ts';
import { unknown } from '../../operator/observation.ts';
import { type Judge, REAL } from './judge.ts';
import { CPU_REQUEST_MILLI, SIDECAR, scalerSpec } from './manifests.ts';
import { numbersAt, readingOf } from './script.ts';
import { DELAY_MS, type Sequence, TICK_MS } from './sequence.ts';
import { TUNING } from './tuning.ts';

interface ModelPod {
  readonly name: string;
  readonly bornMs: number;
  goneMs: number;
}

export const CONTAINERS = ['app', SIDECAR].map((name) => ({
  name,
  requestsMilli: { cpu: CPU_REQUEST_MILLI },
}));

export function simulate(sequence: Sequence, { decide, recordScale }: Judge = REAL): Decision[] {
  const spec = decisionSpec(scalerSpec(sequence), TUNING);
  const decisions: Decision[] = [];
  let pods: ModelPod[] = [];
  let serial = 0;
  const create = (bornMs: number) => {
    pods.push({ name: `p${serial++}`, bornMs, goneMs: Number.POSITIVE_INFINITY });
  };
  for (let count = 0; count < sequence.startReplicas; count += 1) create(-3_600_000);
  let replicas = sequence.startReplicas;
  let memory: DecisionMemory | undefined;
  for (const [index, tick] of sequence.ticks.entries()) {
    const nowMs = index * TICK_MS;
    pods = pods.filter(({ goneMs }) => nowMs < goneMs + (sequence.lingering ? DELAY_MS : 0));
    const views = pods.map((pod, rank) => view(sequence, pod, nowMs, rank < unreadyBefore(sequence, index)));
    const decision = decide({
      id: String(index),
      nowMs,
      spec,
      specReplicas: replicas,
      statusReplicas: replicas,
      pods: views,
      readings: sequence.metrics.map((metric, i) => readingOf(numbersAt(tick, i, metric, views), nowMs)),
      forecast: unknown('NotRead', 'none', nowMs),
      window: { fromMs: nowMs, toMs: nowMs },
      learnedCapacityMilli: [],
      activeSchedules: [],
      tuning: TUNING,
      guards: {},
      memory,
    });
    const desired: number = decision.desiredReplicas;
    memory = recordScale(decision.memory, spec, replicas, desired, nowMs);
    for (let count = replicas; count < desired; count += 1) create(nowMs);
    const staying = pods.filter(({ goneMs }) => goneMs > nowMs);
    for (const pod of staying.slice(desired)) pod.goneMs = nowMs;
    replicas = desired;
    decisions.push(decision);
  }
  return decisions;
}

/** Pods are made unready after a look, so the next one sees it. */
function unreadyBefore(sequence: Sequence, index: number): number {
  return sequence.ticks[index - 1]?.unready ?? 0;
}

function view(sequence: Sequence, pod: ModelPod, nowMs: number, madeUnready: boolean): PodView {
  const starting = nowMs < pod.bornMs + DELAY_MS && sequence.startUp !== 'none';
  const pending = starting && sequence.startUp === 'pending';
  const unready = madeUnready || (starting && sequence.startUp === 'unready');
  return {
    name: pod.name,
    phase: pending ? 'Pending' : 'Running',
    deleting: pod.goneMs <= nowMs,
    containers: CONTAINERS,
    ...(pending
      ? {}
      : {
          startTimeMs: pod.bornMs,
          ready: {
            status: unready ? 'False' : 'True',
            lastTransitionMs: madeUnready ? nowMs - 1000 : pod.bornMs,
          },
        }),
  };
}
