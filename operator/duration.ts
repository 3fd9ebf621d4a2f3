/**
 * Durations of our own fields, in Go's text form (`90s`, `1h30m`, `336h`), because that is what people write in
 * every other Kubernetes object. Units are h, m, s and ms: nothing here is decided in microseconds.
 */
import { ForesailError } from './errors.ts';

/** Read alike by RE2 and JavaScript; the CRD uses it. */
export const DURATION_PATTERN = '^([0-9]{1,6}(\\.[0-9]{1,9})?(ms|s|m|h))+$';
export const DURATION_MAX_LENGTH = 32;

const WHOLE = new RegExp(DURATION_PATTERN);
const PART = /([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)/g;
const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/**
 * Reads a duration as milliseconds, rounded to a whole one.
 *
 * @throws ForesailError `DURATION_INVALID` for anything else: no unit, a sign, a day.
 */
export function parseDurationMs(text: string): number {
  if (text.length > DURATION_MAX_LENGTH || !WHOLE.test(text)) throw invalid(text);
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(PART))
    ms += Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
  const rounded = Math.round(ms);
  if (!Number.isSafeInteger(rounded)) throw invalid(text);
  return rounded;
}

/**
 * Writes milliseconds with the fewest parts: `1h30m`, `90s` as `1m30s`, `250ms`, `0s`. A negative duration
 * (a clock that went back) keeps its sign, although no field of a spec accepts it.
 */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) throw invalid(String(ms));
  let rest = Math.round(Math.abs(ms));
  if (rest === 0) return '0s';
  let text = ms < 0 ? '-' : '';
  for (const unit of ['h', 'm', 's', 'ms'] as const) {
    const count = Math.floor(rest / UNIT_MS[unit]);
    rest -= count * UNIT_MS[unit];
    if (count > 0) text += `${count}${unit}`;
  }
  return text;
}

function invalid(text: string): ForesailError {
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return new ForesailError(
    'DURATION_INVALID',
    'terminal',
    `duration ${JSON.stringify(shown)} is not of the form 90s, 1h30m or 336h`,
    { subject: shown },
  );
}
