/** A cron expression and the time zone that it is read in, as the API server and we both judge them. */
import { Cron } from 'croner';
import { z } from 'zod';
import { withRules } from './rules.ts';

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

export const cron = z
  .string()
  .max(128)
  .regex(new RegExp(CRON_PATTERN), { error: 'must be a cron expression of five fields, such as 0 8 * * 5' })
  .refine((value) => isCron(value), { error: 'must be a cron expression that comes true' });

export const timeZone = withRules(
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
