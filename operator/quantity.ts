/**
 * Kubernetes quantities as thousandths. HPA decides in milli-units (`Quantity.MilliValue`), so a spec, a metric and
 * a status of ours must read and write the very numbers that it does: `100m`, `1.5Gi`, `1e3`.
 *
 * The grammar is the one documented at k8s.io/apimachinery/pkg/api/resource: a signed decimal number and one suffix
 * out of n u m k M G T P E, Ki … Ei, or a decimal exponent. Go's parser also lets through texts without any digit
 * (".", "k"); the documented grammar does not, nor does the CRD's pattern, nor do we.
 */
import { ForesailError } from './errors.ts';

/** Kept in step with `QUANTITY` below; RE2 and JavaScript read it alike, so the CRD uses it too. */
export const QUANTITY_PATTERN =
  '^[+-]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$';

/** The longest text that the CRD admits; longer numbers carry no information that a decision could use. */
export const QUANTITY_MAX_LENGTH = 48;

const QUANTITY = /^([+-]?)([0-9]*)(?:\.([0-9]*))?([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$/;
const DECIMAL_EXPONENT: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const BINARY_SHIFT: Readonly<Record<string, bigint>> = {
  Ki: 10n,
  Mi: 20n,
  Gi: 30n,
  Ti: 40n,
  Pi: 50n,
  Ei: 60n,
};
const SUFFIXES = ['m', '', 'k', 'M', 'G', 'T', 'P', 'E'] as const;
const MAX_INT64 = 2n ** 63n - 1n;

/**
 * Reads a quantity as thousandths of its unit, rounded away from zero as `Quantity.MilliValue` does
 * (`1u` is 1, never 0). Exact up to 2^53; above, the nearest double.
 *
 * @throws ForesailError `QUANTITY_INVALID` when the text is no quantity or exceeds int64 in thousandths, where
 *   Go would silently return 0.
 */
export function parseQuantityMilli(text: string | number): number {
  const milli = parseExactMilli(typeof text === 'number' ? String(text) : text);
  return Number(milli);
}

/**
 * Reads a quantity as a plain number, not rounded to thousandths: for limits that are compared with measured ratios,
 * where 0.0004 and 0.001 are not the same.
 *
 * @throws ForesailError `QUANTITY_INVALID` as `parseQuantityMilli` does
 */
export function parseQuantityNumber(text: string | number): number {
  if (typeof text === 'number') return text;
  parseExactMilli(text);
  const [, sign, whole = '', fraction = '', suffix = ''] = QUANTITY.exec(text) ?? [];
  const exponent = /^[eE]./.test(suffix) ? Number(suffix.slice(1)) : (DECIMAL_EXPONENT[suffix] ?? 0);
  const magnitude = Number(`0${whole}.${fraction}0e${exponent}`) * 2 ** Number(BINARY_SHIFT[suffix] ?? 0n);
  return sign === '-' ? -magnitude : magnitude;
}

/** True for everything that `parseQuantityMilli` reads. */
export function isQuantity(text: string | number): boolean {
  try {
    parseQuantityMilli(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * Writes thousandths as the canonical text of a `DecimalSI` quantity: no fraction, the largest suffix that keeps
 * the number whole (`1500m`, `2`, `1500k`).
 *
 * @param milli a finite number; a fraction is rounded away from zero.
 * @throws ForesailError `QUANTITY_INVALID` for NaN and infinities.
 */
export function formatQuantityMilli(milli: number): string {
  if (!Number.isFinite(milli)) throw invalid(String(milli), 'is not a finite number');
  let rest = BigInt(Math.ceil(Math.abs(milli)));
  if (rest === 0n) return '0';
  let suffix = 0;
  while (suffix < SUFFIXES.length - 1 && rest % 1000n === 0n) {
    rest /= 1000n;
    suffix += 1;
  }
  return `${milli < 0 ? '-' : ''}${rest}${SUFFIXES[suffix]}`;
}

function parseExactMilli(text: string): bigint {
  if (text.length > 1024) throw invalid(`${text.slice(0, 16)}…`, 'is too long');
  const [matched, sign, whole = '', fraction = '', suffix = ''] = QUANTITY.exec(text) ?? [];
  if (matched === undefined || whole.length + fraction.length === 0) {
    throw invalid(text, 'is no Kubernetes quantity such as 250m, 1.5 or 2Gi');
  }
  // value = digits * 10^exponent thousandths, times a power of two for the binary suffixes
  let digits = BigInt(whole + fraction);
  let exponent = 3 - fraction.length;
  const shift = BINARY_SHIFT[suffix];
  if (shift !== undefined) digits <<= shift;
  else if (/^[eE]./.test(suffix)) exponent += Number(suffix.slice(1));
  else exponent += DECIMAL_EXPONENT[suffix] ?? 0;

  const magnitude =
    exponent >= 0 ? digits * 10n ** BigInt(exponent) : ceilDiv(digits, 10n ** BigInt(-exponent));
  if (magnitude > MAX_INT64) throw invalid(text, 'is out of range');
  return sign === '-' ? -magnitude : magnitude;
}

function ceilDiv(a: bigint, b: bigint): bigint {
  return (a + b - 1n) / b;
}

function invalid(text: string, why: string): ForesailError {
  return new ForesailError('QUANTITY_INVALID', 'terminal', `quantity ${JSON.stringify(text)} ${why}`, {
    subject: text,
  });
}
