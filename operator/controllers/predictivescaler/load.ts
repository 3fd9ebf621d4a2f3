/**
 * The load of a metric as one absolute number: what all pods together carry. History and forecasts are kept in this
 * form, since a utilisation or an average per pod falls when pods are added and would teach the model our own actions.
 */
import type { MetricPlan, PodView } from '../../decision/types.ts';
import type { MetricReading, Observation } from '../../observation.ts';

/** Only these can be divided by a replica's share; a target of type Value is a ratio and stays reactive. */
export function isForecastable(plan: MetricPlan): boolean {
  return plan.target.kind !== 'Value';
}

/**
 * @returns the load in the metric's own unit (cores, requests/s), or undefined when it is not known. Ready pods
 *   without a sample are counted with the mean of the others, as a scrape that came late must not look like a fall.
 */
export function absoluteLoad(
  reading: Observation<MetricReading>,
  pods: readonly PodView[],
): number | undefined {
  if (reading.kind === 'unknown') return undefined;
  if (reading.value.form === 'total') return reading.value.milli / 1000;
  const { samples } = reading.value;
  if (samples.size === 0) return undefined;
  let sum = 0;
  for (const { milli } of samples.values()) sum += milli;
  const missing = pods.filter(
    (pod) => !pod.deleting && pod.ready?.status === 'True' && !samples.has(pod.name),
  ).length;
  return (sum * (1 + missing / samples.size)) / 1000;
}
