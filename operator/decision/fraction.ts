/**
 * A quantity as the double that Go makes of it. A tolerance is compared with a ratio at its very edge, so the last
 * bit counts: the API server writes "0.15" as 150m, and Go reads that as 150 times 1e-3.
 */
import { ForesailError } from '../errors.ts';
import { parseQuantityMilli } from '../quantity.ts';

const SUB_MILLI = /^\+?([0-9]*)(?:\.([0-9]*))?([num]?)$/;
const SUFFIX_DIGITS = { n: 9, u: 6, m: 3, '': 0 } as const;

/** @throws ForesailError QUANTITY_INVALID */
export function parseFraction(quantity: string | number): number {
  const text = String(quantity);
  const milli = parseQuantityMilli(text);
  if (milli < 0) {
    throw new ForesailError('QUANTITY_INVALID', 'terminal', `quantity "${text}" must not be negative`, {
      subject: text,
    });
  }
  const [, whole = '', decimals = '', suffix = ''] = SUB_MILLI.exec(text) ?? [];
  const digits = `${whole}${decimals}`;
  if (digits === '') return milli / 1000;
  // In canonical form the exponent is a multiple of three, and as large as leaves no fraction.
  const fractionDigits = decimals.length + SUFFIX_DIGITS[suffix as keyof typeof SUFFIX_DIGITS];
  let value = BigInt(digits);
  let exponent = Math.ceil(fractionDigits / 3) * 3;
  value *= 10n ** BigInt(exponent - fractionDigits);
  while (exponent > 0 && value % 1000n === 0n) {
    value /= 1000n;
    exponent -= 3;
  }
  return exponent === 0 ? Number(value) : Number(value) * Number(`1e-${exponent}`);
}
