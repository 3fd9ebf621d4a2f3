/**
 * What starts runs again and again. The fields stand at the top of the spec, as those of a CronJob do; none of them
 * has a default of the server's, so that one which does not count can be refused.
 */
import { z } from 'zod';
import { cron, timeZone } from '../schema/cron.ts';
import { type Rule, withRules } from '../schema/rules.ts';
import { duration, int32 } from '../schema/scalars.ts';

/** So many times of runs are remembered: a budget of more could not be counted. */
export const MOST_BUDGET_RUNS = 100;

const budgetSchema = z.object({
  runs: int32(1, MOST_BUDGET_RUNS).describe(
    'Runs that triggers may start within `per`. Those of the schedule and of `foresail train now` are not counted, and ' +
      'not held back.',
  ),
  per: duration('1h', '8760h').describe('How far back is counted, from now.'),
});

export type TriggerBudget = z.infer<typeof budgetSchema>;

/** Of `scoreBreachFactor`, where it is absent. */
const BREACH_FACTOR = '2';

const factorSchema = withRules(
  z
    .string()
    .max(4)
    .regex(/^[0-9]{1,2}(\.[0-9])?$/, { error: 'must be a number with at most one decimal, such as 1.5' }),
  {
    cel: 'double(self) >= 1.1 && double(self) <= 20.0',
    message: 'must be a number between 1.1 and 20',
    holds: (value) => Number(value) >= 1.1 && Number(value) <= 20,
  },
);

const triggersSchema = withRules(
  z.object({
    drift: z
      .boolean()
      .default(false)
      .describe('A run when a selected PredictiveScaler reports ForecastDrift.'),
    scoreBreach: z
      .boolean()
      .default(false)
      .describe('A run when the forecast of a selected PredictiveScaler misses the coverage that was asked.'),
    scoreBreachFactor: factorSchema
      .optional()
      .describe(
        'How many times as often as its coverage allows a forecast must miss for `scoreBreach`: with 2 and a coverage of ' +
          `0.99, more than 2 of 100. Absent: \`${BREACH_FACTOR}\`.`,
      ),
    budget: budgetSchema
      .optional()
      .describe('How many runs triggers may start. Absent: `coolDown` alone holds them back.'),
  }),
  {
    cel: 'self.drift || self.scoreBreach',
    message: 'triggers: at least one of drift and scoreBreach must be true',
    holds: ({ drift, scoreBreach }) => drift || scoreBreach,
  },
  {
    cel: '!has(self.scoreBreachFactor) || self.scoreBreach',
    message: 'triggers.scoreBreachFactor is forbidden without scoreBreach',
    path: ['scoreBreachFactor'],
    holds: ({ scoreBreachFactor, scoreBreach }) => scoreBreachFactor === undefined || scoreBreach,
  },
);

export const triggerFields = {
  schedule: cron
    .optional()
    .describe(
      'When runs start: minute, hour, day of month, month, day of week (0 and 7 are Sunday). With it, or with ' +
        '`triggers`, the object trains nothing itself: it makes TrainingJobs that do, as a CronJob makes Jobs.',
    ),
  timeZone: timeZone.optional().describe('IANA time zone in which `schedule` is read. Absent: UTC.'),
  startingDeadlineSeconds: int32(10)
    .optional()
    .describe('A run of the schedule that could not start for so long is left out. Absent: never.'),
  jitter: duration('1s', '24h')
    .optional()
    .describe('Each start is delayed by a random time up to this one, the same for one object each time.'),
  triggers: triggersSchema.optional().describe('What starts a run beside the schedule.'),
  coolDown: duration('1m', '8760h')
    .optional()
    .describe('Time between the end of a run and the next one that `triggers` may start. Absent: 24h.'),
  concurrencyPolicy: z
    .enum(['Forbid', 'Replace'])
    .optional()
    .describe('What happens when a run is due while one goes on. Absent: `Forbid`, the new one is left out.'),
  successfulHistoryLimit: int32(0, 100)
    .optional()
    .describe('How many finished runs that made a version are kept. Absent: 3.'),
  failedHistoryLimit: int32(0, 100)
    .optional()
    .describe('How many finished runs that made none are kept. Absent: 3.'),
};

const fieldsSchema = z.object(triggerFields);
type TriggerFields = z.infer<typeof fieldsSchema>;

export function repeats(spec: Pick<TriggerFields, 'schedule' | 'triggers'>): boolean {
  return spec.schedule !== undefined || spec.triggers !== undefined;
}

/** A field that would be without effect looks as if it counted. */
export const triggerRules: readonly Rule<TriggerFields>[] = [
  ...(['timeZone', 'startingDeadlineSeconds', 'jitter'] as const).map((field) => ({
    cel: `!has(self.${field}) || has(self.schedule)`,
    message: `${field} is forbidden without schedule`,
    path: [field],
    holds: (spec: TriggerFields) => spec[field] === undefined || spec.schedule !== undefined,
  })),
  {
    cel: '!has(self.coolDown) || has(self.triggers)',
    message: 'coolDown is forbidden without triggers',
    path: ['coolDown'],
    holds: (spec) => spec.coolDown === undefined || spec.triggers !== undefined,
  },
  ...(['concurrencyPolicy', 'successfulHistoryLimit', 'failedHistoryLimit'] as const).map((field) => ({
    cel: `!has(self.${field}) || has(self.schedule) || has(self.triggers)`,
    message: `${field} is forbidden without schedule or triggers`,
    path: [field],
    holds: (spec: TriggerFields) => spec[field] === undefined || repeats(spec),
  })),
];

/** The fields with what they mean when they are absent. */
export function triggersOf(spec: TriggerFields) {
  if (!repeats(spec)) return undefined;
  const { triggers, startingDeadlineSeconds } = spec;
  return {
    schedule: spec.schedule,
    timeZone: spec.timeZone ?? 'UTC',
    startingDeadlineMs: startingDeadlineSeconds === undefined ? Infinity : startingDeadlineSeconds * 1000,
    jitter: spec.jitter ?? '0s',
    drift: triggers?.drift ?? false,
    scoreBreach: triggers?.scoreBreach ?? false,
    breachFactor: Number(triggers?.scoreBreachFactor ?? BREACH_FACTOR),
    budget: triggers?.budget,
    coolDown: spec.coolDown ?? '24h',
    concurrencyPolicy: spec.concurrencyPolicy ?? 'Forbid',
    successfulHistoryLimit: spec.successfulHistoryLimit ?? 3,
    failedHistoryLimit: spec.failedHistoryLimit ?? 3,
  } as const;
}

export type Triggers = NonNullable<ReturnType<typeof triggersOf>>;
