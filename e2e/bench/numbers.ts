/** The few statistics that the benches print. */

/** The smallest value that at least the share `q` of the values does not exceed; NaN of nothing. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(Math.max(Math.ceil(q * sorted.length) - 1, 0), sorted.length - 1)] ?? Number.NaN;
}

/** `a` as a multiple of `b`, for people; a ratio to nothing says nothing. */
export function ratio(a: number, b: number): string {
  if (!Number.isFinite(a) || !Number.isFinite(b)) return 'n/a';
  if (b === 0) return a === 0 ? '1.00' : 'n/a';
  return (a / b).toFixed(2);
}

/** Three significant digits or whole numbers, without an exponent. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return 'n/a';
  if (value === 0) return '0';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toPrecision(Math.abs(value) >= 10 ? 3 : 2);
}
