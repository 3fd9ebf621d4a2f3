/**
 * What one tick of a sequence means for one side: the numbers that its metrics answer with, given the pods that it
 * has. Both the metrics server and the offline model ask here, so the script has one meaning.
 */
import type { PodView } from '../../operator/decision/types.ts';
import { known, type MetricReading, type Observation, unknown } from '../../operator/observation.ts';
import { CPU_REQUEST_MILLI, MEMORY_UNIT } from './manifests.ts';
import type { ScriptedMetric, Tick } from './sequence.ts';

/** A total in thousandths, or the same usage for each of these pods; undefined: no answer at all. */
export type Numbers =
  | { readonly form: 'total'; readonly milli: number }
  | { readonly form: 'perPod'; readonly pods: readonly string[]; readonly milli: number }
  | undefined;

/** @param pods oldest first. */
export function numbersAt(
  tick: Tick,
  index: number,
  metric: ScriptedMetric,
  pods: readonly PodView[],
): Numbers {
  const load = tick.load[index] ?? 0;
  if (tick.lost[index] === true) return undefined;
  const serving = pods.filter((pod) => pod.phase === 'Running' && !pod.deleting);
  // What a queue or a latency is like: the load that each pod that can work gets of it.
  const share = load / Math.max(1, serving.filter((pod) => pod.ready?.status === 'True').length);
  if (metric.kind === 'ExternalAverage' || metric.kind === 'ObjectAverage') {
    return { form: 'total', milli: Math.round(load * metric.target * 1000) };
  }
  if (metric.kind === 'ExternalValue' || metric.kind === 'ObjectValue') {
    return { form: 'total', milli: Math.round(share * metric.target * 1000) };
  }
  const sampled = serving.slice(Math.min(tick.missing, Math.max(0, serving.length - 1)));
  if (sampled.length === 0) return undefined;
  const milli = Math.floor((load * metric.target * unitOf(metric)) / serving.length);
  return { form: 'perPod', pods: sampled.map(({ name }) => name), milli };
}

/** Thousandths of the metric for a target of one. */
function unitOf({ kind }: ScriptedMetric): number {
  if (kind === 'ResourceUtilization') return (2 * CPU_REQUEST_MILLI) / 100; // two containers
  if (kind === 'ContainerUtilization') return CPU_REQUEST_MILLI / 100;
  return kind === 'ResourceAverage' ? MEMORY_UNIT * 1000 : 1000;
}

/** The reading that an honest source makes of these numbers. */
export function readingOf(numbers: Numbers, nowMs: number): Observation<MetricReading> {
  if (numbers === undefined) return unknown('NoData', 'the script has no answer here', nowMs);
  if (numbers.form === 'total') return known({ form: 'total', milli: numbers.milli, series: 1 }, nowMs);
  const { milli } = numbers;
  const samples = new Map(numbers.pods.map((pod) => [pod, { milli, at: nowMs, windowMs: 0 }]));
  return known({ form: 'perPod', samples }, nowMs);
}
