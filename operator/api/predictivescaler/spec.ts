/** `spec` of a PredictiveScaler. Where HPA has the field, name, shape and default are HPA's. */
import { z } from 'zod';
import { withRules } from '../schema/rules.ts';
import { groupVersion, int32, pathSegment } from '../schema/scalars.ts';
import { behaviorSchema } from './behavior.ts';
import { forecastSchema } from './forecast.ts';
import { metricSpecSchema } from './metrics.ts';
import { fallbackSchema, schedulesSchema } from './schedules.ts';

export const MODES = ['Recommend', 'Reactive', 'Shadow', 'Active', 'Auto'] as const;
export const OBJECTIVES = ['Availability', 'Efficiency'] as const;

const AUTOSCALERS = [
  'PredictiveScaler',
  'TrainingJob',
  'HorizontalPodAutoscaler',
  'ScaledObject',
  'ScaledJob',
];

const scaleTargetRefSchema = withRules(
  z.object({
    apiVersion: groupVersion().describe('API group and version of the target, such as `apps/v1`.'),
    kind: pathSegment(63).describe(
      'Kind of the target; any kind with a scale subresource that the operator may write.',
    ),
    name: pathSegment(253).describe('Name of the target, in the same namespace.'),
  }),
  {
    cel: `!(self.kind in [${AUTOSCALERS.map((kind) => `'${kind}'`).join(', ')}])`,
    message: `scaleTargetRef.kind must be a workload, not ${AUTOSCALERS.join(', ')}`,
    path: ['kind'],
    holds: (target) => !AUTOSCALERS.includes(target.kind),
  },
);

export const predictiveScalerSpecSchema = withRules(
  z.object({
    scaleTargetRef: scaleTargetRefSchema.describe('What is scaled.'),
    minReplicas: int32(1).default(1).describe('Lower bound of the replicas.'),
    maxReplicas: int32(1).describe('Upper bound of the replicas.'),
    mode: z
      .enum(MODES)
      .default('Auto')
      .describe(
        '`Recommend` writes nothing to the target. `Reactive` does what a HorizontalPodAutoscaler would. `Shadow` ' +
          'lets the reactive rule act and scores the forecast. `Active` lets the forecast act. `Auto` is Shadow ' +
          'until the forecast has proved better than the reactive rule on this load, Active while it stays better.',
      ),
    objective: z
      .enum(OBJECTIVES)
      .default('Availability')
      .describe(
        '`Availability` never orders fewer replicas than the reactive rule at the target. `Efficiency` holds ' +
          '`forecast.coverage` with the fewest replicas.',
      ),
    paused: z
      .boolean()
      .default(false)
      .describe(
        'While true nothing is written to the target; observing, forecasting and scoring go on. A field and not an ' +
          'annotation, so that a misspelt pause is refused instead of ignored; KEDA’s pause annotations are not read.',
      ),
    metrics: z
      .array(metricSpecSchema)
      .max(32)
      .optional()
      .describe(
        'What the replicas depend on; the metric that asks for most wins. Absent or empty: CPU at 80 % of the ' +
          'request, as in autoscaling/v2.',
      )
      .meta({ 'x-kubernetes-list-type': 'atomic' }),
    behavior: behaviorSchema
      .optional()
      .describe(
        'Speed limits as in autoscaling/v2. Absent, HPA’s algorithm without behavior holds, which is not the same ' +
          'as `{}`: given partly, HPA’s defaults for the rest are applied by the operator.',
      ),
    forecast: forecastSchema.prefault({}).describe('How the load to come is forecast.'),
    schedules: schedulesSchema
      .optional()
      .describe(
        'Bounds that hold at times of the calendar. Where several are active, the highest of each wins.',
      ),
    fallback: fallbackSchema
      .optional()
      .describe('What to do when nothing is known for long. Absent: the replicas are held.'),
  }),
  {
    cel: 'self.minReplicas <= self.maxReplicas',
    message: 'minReplicas must not be greater than maxReplicas',
    path: ['minReplicas'],
    holds: (spec) => spec.minReplicas <= spec.maxReplicas,
  },
  {
    cel:
      '!has(self.fallback) || ' +
      '(self.fallback.replicas >= self.minReplicas && self.fallback.replicas <= self.maxReplicas)',
    message: 'fallback.replicas must lie between minReplicas and maxReplicas',
    path: ['fallback', 'replicas'],
    holds: (spec) => within(spec, spec.fallback?.replicas),
  },
  {
    cel: everyScheduleWithin('minReplicas'),
    message: 'minReplicas of each of the schedules must lie between spec.minReplicas and spec.maxReplicas',
    path: ['schedules'],
    holds: (spec) => (spec.schedules ?? []).every((schedule) => within(spec, schedule.minReplicas)),
  },
  {
    cel: everyScheduleWithin('maxReplicas'),
    message: 'maxReplicas of each of the schedules must lie between spec.minReplicas and spec.maxReplicas',
    path: ['schedules'],
    holds: (spec) => (spec.schedules ?? []).every((schedule) => within(spec, schedule.maxReplicas)),
  },
);

export type PredictiveScalerSpec = z.infer<typeof predictiveScalerSpecSchema>;
export type ScaleTargetRef = z.infer<typeof scaleTargetRefSchema>;
export type Mode = (typeof MODES)[number];
export type Objective = (typeof OBJECTIVES)[number];

function everyScheduleWithin(bound: 'minReplicas' | 'maxReplicas'): string {
  return (
    `!has(self.schedules) || self.schedules.all(s, !has(s.${bound}) || ` +
    `(s.${bound} >= self.minReplicas && s.${bound} <= self.maxReplicas))`
  );
}

function within(spec: { minReplicas: number; maxReplicas: number }, replicas: number | undefined): boolean {
  return replicas === undefined || (replicas >= spec.minReplicas && replicas <= spec.maxReplicas);
}
