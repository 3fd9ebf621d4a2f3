/**
 * float32 as JSON numbers: the shortest of 7 to 9 digits that is the same float32 again, straight into bytes. The
 * language's own text of such a number is that of the double it is stored in, which is twice as long and, for a few
 * hundred of them, takes longer than a small model's run.
 */

/** 10^0 … 10^22, all of them exact. */
const POWERS = Array.from({ length: 23 }, (_, i) => 10 ** i);
const LEAST = 1e-6;
const MOST = 1e9;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const COMMA = 0x2c;
const OPEN = 0x5b;
const CLOSE = 0x5d;
/** A sign, "0.", five zeros, nine digits and a comma; what the language itself writes is at most 25 long. */
const LONGEST = 26;

/**
 * A JSON list of the numbers, with null for NaN.
 *
 * @returns undefined when one of them is infinite, which JSON cannot say
 */
export function floatsText(values: Float32Array): string | undefined {
  const into = Buffer.allocUnsafe(2 + values.length * LONGEST);
  let at = 0;
  into[at++] = OPEN;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (i > 0) into[at++] = COMMA;
    const size = Math.abs(value);
    if (size >= LEAST && size < MOST) {
      if (value < 0) into[at++] = MINUS;
      at = writePlain(into, at, size);
    } else if (value === 0) {
      into[at++] = ZERO;
    } else if (Number.isFinite(value)) {
      at += into.write(String(value), at, 'latin1');
    } else if (Number.isNaN(value)) {
      at += into.write('null', at, 'latin1');
    } else {
      return undefined;
    }
  }
  into[at++] = CLOSE;
  return into.toString('latin1', 0, at);
}

/**
 * Digits and decimals so that digits / 10^decimals is the number. Both are exact as doubles, so the quotient is the very
 * double that a reader makes of the text (Clinger 1990), and rounding that to float32 is what the check does.
 */
function writePlain(into: Buffer, start: number, size: number): number {
  // Places in front of the point, at least one.
  let whole = 1;
  while (size >= (POWERS[whole] as number)) whole++;
  // A small number has zeros behind the point before its first digit.
  let zeros = 0;
  for (let scaled = size; scaled < 0.1; scaled *= 10) zeros++;
  let digits = 0;
  let decimals = 0;
  for (let precision = 7; precision <= 9; precision++) {
    decimals = size < 1 ? precision + zeros : Math.max(0, precision - whole);
    const power = POWERS[decimals] as number;
    digits = Math.round(size * power);
    if (Math.fround(digits / power) === size) break;
  }
  while (decimals > 0 && digits % 10 === 0) {
    digits /= 10;
    decimals--;
  }
  return writeDigits(into, start, digits, decimals);
}

function writeDigits(into: Buffer, start: number, digits: number, decimals: number): number {
  let places = 1;
  while (digits >= (POWERS[places] as number)) places++;
  // "0.05" has a zero more than the digits say.
  const width = Math.max(places, decimals + 1);
  const point = decimals > 0 ? start + width - decimals : -1;
  const end = start + width + (decimals > 0 ? 1 : 0);
  // Nine digits fit into 32 bits, where a division is cheap.
  let rest = digits | 0;
  for (let at = end - 1; at >= start; at--) {
    if (at === point) {
      into[at] = POINT;
      continue;
    }
    const next = (rest / 10) | 0;
    into[at] = ZERO + (rest - 10 * next);
    rest = next;
  }
  return end;
}
