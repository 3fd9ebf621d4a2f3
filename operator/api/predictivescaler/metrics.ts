/**
 * `spec.metrics[]`: the five types of autoscaling/v2 with HPA's names and shapes, and Prometheus. Each is a variant
 * of one union, told apart by `type`; the generator turns that into one object with CEL rules for the API server.
 */
import { z } from 'zod';
import { parseQuantityMilli } from '../../quantity.ts';
import { type Rule, withRules } from '../schema/rules.ts';
import { dnsLabel, int32, pathSegment, positiveQuantity, text } from '../schema/scalars.ts';
import { labelSelector } from '../schema/selector.ts';

const metricIdentifier = z.object({
  name: pathSegment(1024).describe('Name of the metric in the metrics API.'),
  selector: labelSelector.optional().describe('Narrows the metric down, as the metrics API understands it.'),
});

// A member of another type is an error, not something to ignore: it would look as if it counted.
const absent = z.never({ error: 'is forbidden for this type' }).optional();

const ofTarget = { averageUtilization: absent, value: absent, averageValue: absent };
const utilization = z.object({
  type: z.literal('Utilization'),
  ...ofTarget,
  averageUtilization: int32(1).describe(
    'For `Utilization`: per cent of the pods’ requests, averaged over the ready pods.',
  ),
});
const averageValue = z.object({
  type: z.literal('AverageValue'),
  ...ofTarget,
  averageValue: positiveQuantity.describe(
    'For `AverageValue`: what one replica should carry. Whole numbers may stand without quotes, fractions not.',
  ),
});
const value = z.object({
  type: z.literal('Value'),
  ...ofTarget,
  value: positiveQuantity.describe(
    'For `Value`: what the metric itself should be, whatever the number of replicas. Such a metric is always ' +
      'handled reactively: a ratio says nothing about load per replica.',
  ),
});

const resourceTarget = z
  .discriminatedUnion('type', [utilization, averageValue])
  .describe('What to hold: a share of the request or an amount per pod.');
const podsTarget = z.discriminatedUnion('type', [averageValue]).describe('What to hold: an amount per pod.');
const totalTarget = z
  .discriminatedUnion('type', [value, averageValue])
  .describe('What to hold: the value itself or its share per replica.');

const resourceName = text(253).describe('`cpu`, `memory` or another resource of the metrics API.');

const resource = z.object({ name: resourceName, target: resourceTarget });

const containerResource = z.object({
  name: resourceName,
  container: dnsLabel().describe('Container whose usage counts.'),
  target: resourceTarget,
});

const pods = z.object({
  metric: metricIdentifier.describe('Metric that every pod has.'),
  target: podsTarget,
});

const object = z.object({
  describedObject: z
    .object({
      apiVersion: text(317).optional().describe('API version of the object.'),
      kind: pathSegment(63).describe('Kind of the object.'),
      name: pathSegment(253).describe('Name of the object.'),
    })
    .describe('Object in the same namespace that the metric describes.'),
  metric: metricIdentifier.describe('Metric of that object.'),
  target: totalTarget,
});

const external = z.object({
  metric: metricIdentifier.describe('Metric of external.metrics.k8s.io; several series are summed.'),
  target: totalTarget,
});

const prometheus = z.object({
  serverRef: z
    .object({ name: text(63).describe('Name of the server in that list.') })
    .describe(
      'Server out of the list that the administrator gave the operator. An address cannot be given here.',
    ),
  query: text(8192).describe(
    'PromQL whose answer is the load of the whole target; several series are summed. An empty answer is ' +
      'unknown, not zero.',
  ),
  target: totalTarget,
});

const ofMetric = {
  capacity: positiveQuantity
    .optional()
    .describe(
      'What one replica can carry at most, in the metric’s own unit (cores or bytes for `Utilization`). Learned ' +
        'from the workload when absent. At least the `averageValue` of the target; without effect for `Value`.',
    ),
  resource: absent,
  containerResource: absent,
  pods: absent,
  object: absent,
  external: absent,
  prometheus: absent,
};

/** Below the target, the forecast would order more replicas than the reactive rule holds on to, for ever. */
function capacityNotBelow(member: string): Rule<{ capacity?: string | number | undefined }> {
  const target = `self.${member}.target`;
  return {
    cel:
      `!has(self.capacity) || !has(${target}.averageValue) || ` +
      `quantity(string(self.capacity)).compareTo(quantity(string(${target}.averageValue))) >= 0`,
    message: `capacity must not be below ${member}.target.averageValue`,
    path: ['capacity'],
    holds: (metric) => {
      const source = (metric as Record<string, unknown>)[member] as { target: MetricTarget };
      return (
        metric.capacity === undefined ||
        source.target.type !== 'AverageValue' ||
        parseQuantityMilli(metric.capacity) >= parseQuantityMilli(source.target.averageValue)
      );
    },
  };
}

export const metricSpecSchema = z.discriminatedUnion('type', [
  withRules(
    z.object({
      type: z.literal('Resource'),
      ...ofMetric,
      resource: resource.describe('CPU or memory of the target’s pods, summed over containers.'),
    }),
    capacityNotBelow('resource'),
  ),
  withRules(
    z.object({
      type: z.literal('ContainerResource'),
      ...ofMetric,
      containerResource: containerResource.describe('CPU or memory of one container of the target’s pods.'),
    }),
    capacityNotBelow('containerResource'),
  ),
  withRules(
    z.object({
      type: z.literal('Pods'),
      ...ofMetric,
      pods: pods.describe('A metric of custom.metrics.k8s.io that every pod of the target has.'),
    }),
    capacityNotBelow('pods'),
  ),
  withRules(
    z.object({
      type: z.literal('Object'),
      ...ofMetric,
      object: object.describe('A metric of custom.metrics.k8s.io that describes another object.'),
    }),
    capacityNotBelow('object'),
  ),
  withRules(
    z.object({
      type: z.literal('External'),
      ...ofMetric,
      external: external.describe('A metric of external.metrics.k8s.io.'),
    }),
    capacityNotBelow('external'),
  ),
  withRules(
    z.object({
      type: z.literal('Prometheus'),
      ...ofMetric,
      prometheus: prometheus.describe('A query to a Prometheus server.'),
    }),
    capacityNotBelow('prometheus'),
  ),
]);

export type MetricSpec = z.infer<typeof metricSpecSchema>;
export type MetricType = MetricSpec['type'];
/** One variant, e.g. `MetricSpecOf<'Prometheus'>`. */
export type MetricSpecOf<T extends MetricType> = Extract<MetricSpec, { type: T }>;
export type MetricTarget = z.infer<typeof utilization> | z.infer<typeof value> | z.infer<typeof averageValue>;
export type MetricIdentifier = z.infer<typeof metricIdentifier>;
export type { LabelSelector } from '../schema/selector.ts';

/** The target of any metric, whichever member it stands in. */
export function targetOf(metric: MetricSpec): MetricTarget {
  switch (metric.type) {
    case 'Resource':
      return metric.resource.target;
    case 'ContainerResource':
      return metric.containerResource.target;
    case 'Pods':
      return metric.pods.target;
    case 'Object':
      return metric.object.target;
    case 'External':
      return metric.external.target;
    case 'Prometheus':
      return metric.prometheus.target;
  }
}
