/** `spec.schedules` and `spec.fallback`: bounds that come from the calendar, and a floor for metric outages. */
import { z } from 'zod';
import { cron, timeZone } from '../schema/cron.ts';
import { withRules } from '../schema/rules.ts';
import { dnsLabel, duration, int32 } from '../schema/scalars.ts';

const scheduleSchema = withRules(
  z.object({
    name: dnsLabel().describe('Name of the schedule, unique in the list.'),
    schedule: cron.describe(
      'When the bounds begin to hold: minute, hour, day of month, month, day of week (0 and 7 are Sunday).',
    ),
    duration: duration('1m', '744h').describe('For how long the bounds hold.'),
    timeZone: timeZone.default('UTC').describe('IANA time zone in which `schedule` is read.'),
    minReplicas: int32(1)
      .optional()
      .describe(
        'Lower bound while the schedule is active; between `spec.minReplicas` and `spec.maxReplicas`.',
      ),
    maxReplicas: int32(1)
      .optional()
      .describe(
        'Upper bound while the schedule is active; between `spec.minReplicas` and `spec.maxReplicas`.',
      ),
  }),
  {
    cel: 'has(self.minReplicas) || has(self.maxReplicas)',
    message: 'minReplicas or maxReplicas is required in a schedule',
    holds: (schedule) => schedule.minReplicas !== undefined || schedule.maxReplicas !== undefined,
  },
  {
    cel: '!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas',
    message: 'minReplicas of a schedule must not be greater than its maxReplicas',
    path: ['minReplicas'],
    holds: ({ minReplicas, maxReplicas }) =>
      minReplicas === undefined || maxReplicas === undefined || minReplicas <= maxReplicas,
  },
);

export const schedulesSchema = z
  .array(scheduleSchema)
  .max(32)
  .superRefine((schedules, context) => {
    // the API server refuses duplicates by itself: the list is a map by name
    const seen = new Set<string>();
    for (const [index, { name }] of schedules.entries()) {
      if (seen.has(name))
        context.addIssue({ code: 'custom', path: [index, 'name'], message: 'must be unique' });
      seen.add(name);
    }
  })
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] });

export const fallbackSchema = z.object({
  replicas: int32(1).describe(
    'Raise the target to this many replicas; never lowers it. Between `spec.minReplicas` and `spec.maxReplicas`.',
  ),
  after: duration('1m', '24h')
    .default('10m')
    .describe('How long no metric and no forecast may be known before the fallback applies.'),
});

export type Schedule = z.infer<typeof scheduleSchema>;
export type Fallback = z.infer<typeof fallbackSchema>;
