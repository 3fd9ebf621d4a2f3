/** Numbers for people: ratios as per cent with a sign, minutes and hours, and words for what is not known. */

const NOT_REACHABLE = 'not reachable';

/** A relative change (-0.6: 60 % less) with a sign; a real minus, since a hyphen is easily lost. */
export function change(relative: number | null): string {
  if (relative === null) return '–';
  const percent = relative * 100;
  const rounded = Math.abs(percent) < 9.95 ? percent.toFixed(1) : percent.toFixed(0);
  if (Number(rounded) === 0) return '±0 %';
  return `${signed(rounded)} %`;
}

/** A ratio of costs (0.75) as a change (−25 %); what no setting reaches is said, not left blank. */
export function saving(ratio: number | null): string {
  return ratio === null ? NOT_REACHABLE : change(ratio - 1);
}

export function reachable(value: number | null, digits = 1): string {
  return value === null ? NOT_REACHABLE : plain(value, digits);
}

export function plain(value: number | null, digits = 1): string {
  if (value === null || !Number.isFinite(value)) return '–';
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** tau_U and the like: enough digits for a hundredth of a per cent, two that count below. */
export function percent(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return '–';
  if (value === 0) return '0 %';
  return `${Math.abs(value) >= 0.1 ? Number(value.toFixed(2)) : Number(value.toPrecision(2))} %`;
}

/** Minutes as people would say them. */
export function duration(minutes: number): string {
  if (minutes < 120) return `${Number(minutes.toFixed(minutes < 10 ? 1 : 0))} min`;
  return `${Number((minutes / 60).toFixed(1))} h`;
}

export function startUp(seconds: number): string {
  return seconds % 60 === 0 && seconds >= 60 ? `${seconds / 60} min` : `${seconds} s`;
}

/** "1 trace", "2 traces". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function signed(number: string): string {
  return number.startsWith('-') ? `−${number.slice(1)}` : `+${number}`;
}
