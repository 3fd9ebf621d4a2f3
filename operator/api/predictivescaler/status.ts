/**
 * `status` of a PredictiveScaler. HPA's fields keep HPA's names. It is written by the operator alone, so it is
 * validated loosely: a status that the API server refused would hide what happens. Fields that stand in the columns
 * of `kubectl get` are scalars made for it.
 */
import { z } from 'zod';
import { conditionsSchema } from '../schema/condition.ts';
import { MODES } from './spec.ts';

const count = () => z.int().min(0);
const shortText = () => z.string().max(1024);
const time = () => z.string().max(64).meta({ format: 'date-time' });
const quantityText = () => z.string().max(64);

const metricValue = z
  .object({
    averageUtilization: count().optional().describe('Per cent of the requests.'),
    averageValue: quantityText().optional().describe('Per pod.'),
    value: quantityText().optional().describe('The metric itself.'),
  })
  .describe('What was read last.');

const metricName = z.object({
  name: shortText().describe('Name of the metric.'),
  selector: z.looseObject({}).optional().describe('Selector of the metric.'),
});

const metricStatusSchema = z.object({
  type: z
    .enum(['Resource', 'ContainerResource', 'Pods', 'Object', 'External', 'Prometheus'])
    .describe('Type of the metric; the member of that name is set.'),
  resource: z
    .object({ name: shortText().describe('Name of the resource.'), current: metricValue })
    .optional()
    .describe('For `Resource`.'),
  containerResource: z
    .object({
      name: shortText().describe('Name of the resource.'),
      container: shortText().describe('Name of the container.'),
      current: metricValue,
    })
    .optional()
    .describe('For `ContainerResource`.'),
  pods: z
    .object({ metric: metricName.describe('The metric.'), current: metricValue })
    .optional()
    .describe('For `Pods`.'),
  object: z
    .object({
      metric: metricName.describe('The metric.'),
      describedObject: z
        .object({
          apiVersion: shortText().optional().describe('API version of the object.'),
          kind: shortText().describe('Kind of the object.'),
          name: shortText().describe('Name of the object.'),
        })
        .describe('What it describes.'),
      current: metricValue,
    })
    .optional()
    .describe('For `Object`.'),
  external: z
    .object({ metric: metricName.describe('The metric.'), current: metricValue })
    .optional()
    .describe('For `External`.'),
  prometheus: z
    .object({
      serverRef: z
        .object({ name: shortText().describe('Name of the server.') })
        .describe('Server that was asked.'),
      query: z.string().max(8192).describe('Query that was asked.'),
      current: metricValue,
    })
    .optional()
    .describe('For `Prometheus`.'),
});

export const predictiveScalerStatusSchema = z.object({
  observedGeneration: count().optional().describe('Generation of the spec that this status speaks of.'),
  target: shortText().optional().describe('The target as kind and name, `Deployment/web`.'),
  mode: z
    .enum(MODES)
    .optional()
    .describe('Mode in force: what `Auto` resolved to, or the mode that a missing forecast left.'),
  selector: z.string().max(8192).optional().describe('Label selector of the target’s pods.'),
  currentReplicas: count().optional().describe('Replicas that the target had at the last decision.'),
  desiredReplicas: count().optional().describe('Replicas that the last decision asked for.'),
  lastScaleTime: time().optional().describe('When the number of replicas was last written.'),
  currentMetrics: z
    .array(metricStatusSchema)
    .max(64)
    .optional()
    .describe('Last values of the metrics, as HPA shows them.')
    .meta({ 'x-kubernetes-list-type': 'atomic' }),
  conditions: conditionsSchema
    .optional()
    .describe(
      'AbleToScale, ScalingActive and ScalingLimited as in HPA; Ready, ForecastReady, ForecastProven, ForecastDrift, ' +
        'MetricsDegraded and ConflictingScaler of our own.',
    ),
  leadTime: z
    .object({
      value: shortText().optional().describe('Lead time in force, as a duration.'),
      source: z
        .enum(['Configured', 'Learned', 'Assumed'])
        .optional()
        .describe('`Assumed` until enough pods were seen to become ready.'),
      p50: shortText().optional().describe('Median of what was seen.'),
      p90: shortText().optional().describe('90th percentile of what was seen.'),
      samples: count().optional().describe('Number of pods seen.'),
    })
    .optional()
    .describe('Time from ordering a replica until it serves.'),
  forecast: z
    .object({
      replicas: count().optional().describe('Replicas that the forecast asks for at the lead time.'),
      forecaster: shortText()
        .optional()
        .describe(
          'Who forecast: the model, or the simple forecaster that has forecast this load best or serves while the model cannot.',
        ),
      model: shortText().optional().describe('Name of the model.'),
      version: shortText().optional().describe('Version of the model.'),
      digest: shortText().optional().describe('sha256 of the model’s file.'),
      step: shortText().optional().describe('Spacing of the forecast’s points, as a duration.'),
      quantiles: z
        .array(
          z.object({
            level: z.string().max(8).describe('Level of the quantile, `0.99`.'),
            value: quantityText().describe('Load at that level.'),
          }),
        )
        .max(64)
        .optional()
        .describe('Calibrated quantiles of the load at the lead time.')
        .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['level'] }),
    })
    .optional()
    .describe('The forecast of the last decision.'),
  coverage: z
    .object({
      asked: z.string().max(8).optional().describe('Coverage that the spec asks for.'),
      realised: z.string().max(8).optional().describe('Coverage that was reached.'),
    })
    .optional()
    .describe('Whether the forecast keeps its word.'),
  lastDecision: z
    .object({
      id: shortText().describe('Id of the decision; the same as in logs and events.'),
      time: time().describe('When it was made.'),
      reactive: count().optional().describe('Replicas of the reactive rule; absent while unknown.'),
      forecast: count().optional().describe('Replicas of the forecast; absent while unknown.'),
      boundBy: shortText().optional().describe('What decided: a metric, the forecast, a bound, a policy.'),
      result: count().optional().describe('Replicas that came out.'),
    })
    .optional()
    .describe('The last decision that changed something.'),
  verdict: z
    .object({
      recommendation: z
        .enum(['Active', 'Shadow', 'Undecided'])
        .optional()
        .describe('Mode that the comparison speaks for.'),
      reason: shortText()
        .optional()
        .describe('Why, one word for programs; `LowConfidence` while too little is known.'),
      since: time().optional().describe('When the recommendation became what it is.'),
      window: shortText().optional().describe('Time that was compared, as a duration.'),
      underProvisionedMinutes: quantityText().optional().describe('Minutes with fewer replicas than needed.'),
      replicaHours: quantityText().optional().describe('Replica-hours spent.'),
      hpaUnderProvisionedMinutes: quantityText().optional().describe('The same minutes for a plain HPA.'),
      hpaReplicaHours: quantityText().optional().describe('The same replica-hours for a plain HPA.'),
      coverage: z.string().max(8).optional().describe('Coverage that the forecast reached in that time.'),
      againstHpa: shortText().optional().describe('Both comparisons as one line of text.'),
    })
    .optional()
    .describe('The forecast against a plain HPA on this workload’s own load.'),
});

export type PredictiveScalerStatus = z.infer<typeof predictiveScalerStatusSchema>;
export type { Condition } from '../schema/condition.ts';
export type MetricStatus = z.infer<typeof metricStatusSchema>;
export type MetricValueStatus = z.infer<typeof metricValue>;
