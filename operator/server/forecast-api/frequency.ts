/**
 * Steps of a series as KServe names them: a unit in one of two spellings. A whole number before it is ours, because loads
 * are often read every 15 seconds or 5 minutes, which the bare units cannot say.
 */
import { invalid } from '../core/errors.ts';

const UNITS = {
  S: 'second',
  T: 'minute',
  H: 'hour',
  D: 'day',
  W: 'week',
  M: 'month',
  Q: 'quarter',
  Y: 'year',
} as const;
type Unit = (typeof UNITS)[keyof typeof UNITS];

const FIXED_MS: Partial<Readonly<Record<Unit, number>>> = {
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 7 * 86_400_000,
};
const MONTHS: Partial<Readonly<Record<Unit, number>>> = { month: 1, quarter: 3, year: 12 };
/** Mean month of the Gregorian calendar; only the seasons that a window looks back to are counted with it. */
const MONTH_MS = (365.2425 / 12) * 86_400_000;

export interface Frequency {
  /** Nominal length of a step. */
  readonly stepMs: number;
  /** The instant `steps` after another one, by the calendar where a step is a month or longer. */
  after(startMs: number, steps: number): number;
}

/** @throws INPUT_INVALID */
export function readFrequency(value: unknown, field: string): Frequency {
  const [, count = '', name = ''] =
    /^(\d{0,4}) ?([A-Za-z]+)$/.exec(typeof value === 'string' ? value : '') ?? [];
  const unit = Object.hasOwn(UNITS, name) ? UNITS[name as keyof typeof UNITS] : (name as Unit);
  const times = count === '' ? 1 : Number(count);
  const fixed = FIXED_MS[unit];
  const months = MONTHS[unit];
  if (times >= 1 && fixed !== undefined) {
    const stepMs = times * fixed;
    return { stepMs, after: (startMs, steps) => startMs + steps * stepMs };
  }
  if (times >= 1 && months !== undefined)
    return {
      stepMs: Math.round(times * months * MONTH_MS),
      after: (startMs, steps) => addMonths(startMs, steps * times * months),
    };
  const known = Object.entries(UNITS).flat().join(', ');
  throw invalid(field, `${field} is none of ${known}, with or without a whole number before it`);
}

/** UTC; a day that the month does not have becomes its last one. */
function addMonths(startMs: number, months: number): number {
  const start = new Date(startMs);
  const target = new Date(startMs);
  target.setUTCDate(1);
  target.setUTCMonth(start.getUTCMonth() + months);
  const last = new Date(Date.UTC(target.getUTCFullYear(), target.getUTCMonth() + 1, 0)).getUTCDate();
  target.setUTCDate(Math.min(start.getUTCDate(), last));
  return target.getTime();
}
