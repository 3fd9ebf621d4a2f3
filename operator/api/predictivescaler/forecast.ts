/** `spec.forecast`: which model looks ahead, how far, and how sure it must be. */
import { z } from 'zod';
import { withRules } from '../schema/rules.ts';
import { duration, text } from '../schema/scalars.ts';

const coverage = withRules(
  z
    .string()
    .max(8)
    .regex(/^0\.[0-9]{1,4}$/),
  {
    cel: 'double(self) > 0.5',
    message: 'must be greater than 0.5 and at most 0.9999',
    holds: (value) => Number(value) > 0.5,
  },
);

export const forecastSchema = z.object({
  model: z
    .object({ name: text(253).describe('Name of a ModelDeployment in this namespace.') })
    .optional()
    .describe('Model that forecasts. Absent: the model in the box.'),
  coverage: coverage
    .default('0.99')
    .describe(
      'Share of the time that the ordered replicas must be enough for the load to come, as text with up to four ' +
        'decimals. Calibrated online, so that what is asked is what is realised.',
    ),
  leadTime: duration('1s', '1h')
    .optional()
    .describe('Time from ordering a replica until it serves. Absent: learned from the target’s own pods.'),
  step: duration('10s', '1h')
    .optional()
    .describe(
      'Spacing of the forecast’s points. Absent: the metric’s own cadence, rounded up to 1m, 2m, 5m, 10m, 15m, 30m or ' +
        '1h; one minute until that is known, and never less. status.forecast.step shows it.',
    ),
  history: duration('1h', '2160h')
    .default('336h')
    .describe('How much past load is read from Prometheus when the object is first seen.'),
});

export type ForecastSpec = z.infer<typeof forecastSchema>;
