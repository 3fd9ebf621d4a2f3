/** `spec.schedules` and `spec.fallback`: bounds that come from the calendar, and a floor for metric outages. */
import { Cron } from 'croner';
import { z } from 'zod';
import { withRules } from '../schema/rules.ts';
import { dnsLabel, duration, int32 } from '../schema/scalars.ts';

/** Five fields with ranges, steps, lists and names; no `@daily`, no seconds, no extensions of any library. */
const CRON_PATTERN = `^${[
  '[0-5]?[0-9]',
  '([01]?[0-9]|2[0-3])',
  '(0?[1-9]|[12][0-9]|3[01])',
  '(0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)',
  '([0-7]|SUN|MON|TUE|WED|THU|FRI|SAT)',
]
  .map(cronField)
  .join(' +')}$`;

const cron = z
  .string()
  .max(128)
  .regex(new RegExp(CRON_PATTERN), { error: 'must be a cron expression of five fields, such as 0 8 * * 5' })
  .refine((value) => isCron(value), { error: 'must be a cron expression that comes true' });

const timeZone = withRules(
  z
    .string()
    .max(64)
    .regex(/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/),
  {
    // The API server knows the zones: an unknown one makes the evaluation fail, which refuses the object too.
    cel: "self != 'Local' && timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0",
    message: 'must be a time zone of the IANA database, such as Europe/Berlin or UTC',
    holds: (value) => value !== 'Local' && isTimeZone(value),
  },
);

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

/** False for a text that the pattern lets through but no calendar fulfils, such as a range that runs backwards. */
function isCron(value: string): boolean {
  try {
    return new Cron(value, { paused: true, utcOffset: 0 }).nextRun(new Date(0)) !== null;
  } catch {
    return false;
  }
}

function isTimeZone(value: string): boolean {
  try {
    Intl.DateTimeFormat('en', { timeZone: value }); // throws for a zone it does not know
    return true;
  } catch {
    return false;
  }
}

function cronField(value: string): string {
  const part = `(\\*|${value}(-${value})?)(/[1-9][0-9]?)?`;
  return `${part}(,${part})*`;
}
