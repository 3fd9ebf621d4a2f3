import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { isForesailError } from './errors.ts';
import {
  formatQuantityMilli,
  isQuantity,
  parseQuantityMilli,
  parseQuantityNumber,
  QUANTITY_PATTERN,
} from './quantity.ts';

interface Vectors {
  vectors: [text: string, milli: string, canonical: string][];
}

const { vectors } = JSON.parse(
  readFileSync(new URL('quantity.vectors.json', import.meta.url), 'utf8'),
) as Vectors;

describe('against the Go implementation', () => {
  test.each(vectors)('%s is %s thousandths', (text, milli, canonical) => {
    expect(parseQuantityMilli(text)).toBe(Number(milli));
    if (Number.isSafeInteger(Number(milli))) expect(formatQuantityMilli(Number(milli))).toBe(canonical);
  });
});

describe('refused', () => {
  test.each([
    '',
    ' ',
    '.',
    '+',
    'k',
    'Ki',
    '1 ',
    ' 1',
    '1e',
    '1ki',
    '1K',
    '1Mm',
    '1.2.3',
    '--1',
    '0x10',
    '1_000',
    'NaN',
    '1e1.5',
    '٣',
  ])('%j', (text) => {
    expect(() => parseQuantityMilli(text)).toThrow(JSON.stringify(text));
    expect(new RegExp(QUANTITY_PATTERN).test(text)).toBe(false);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, 1e308])('the number %d', (value) => {
    expect(isQuantity(value)).toBe(false);
  });

  test('beyond int64 in thousandths, where Go answers 0', () => {
    expect(isQuantity('9223372036854775807m')).toBe(true);
    expect(isQuantity('9223372036854775808m')).toBe(false);
    expect(isQuantity('1E')).toBe(false);
    expect(isQuantity('1e999')).toBe(false);
  });

  test('a megabyte is refused at once and not echoed', () => {
    let thrown: unknown;
    try {
      parseQuantityMilli('9'.repeat(1_000_000));
    } catch (error) {
      thrown = error;
    }
    expect(isForesailError(thrown, 'QUANTITY_INVALID')).toBe(true);
    expect(String(thrown).length).toBeLessThan(200);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('formatting %d', (value) => {
    expect(() => formatQuantityMilli(value)).toThrow('finite');
  });
});

describe('properties', () => {
  const milli = fc.maxSafeInteger();

  test('format then parse gives the number back', () => {
    fc.assert(fc.property(milli, (m) => parseQuantityMilli(formatQuantityMilli(m)) === m));
  });

  test('canonical text is a fixed point and has no fraction', () => {
    fc.assert(
      fc.property(milli, (m) => {
        const text = formatQuantityMilli(m);
        expect(formatQuantityMilli(parseQuantityMilli(text))).toBe(text);
        expect(text).not.toContain('.');
      }),
    );
  });

  test('a JSON number reads as its text does', () => {
    fc.assert(
      fc.property(fc.double({ min: -1e12, max: 1e12, noNaN: true }), (n) => {
        expect(parseQuantityMilli(n)).toBe(parseQuantityMilli(String(n)));
      }),
    );
  });

  test('rounds away from zero by less than one thousandth', () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.nat(999_999_999), fc.boolean(), (whole, nano, negative) => {
        const text = `${negative ? '-' : ''}${whole}.${String(nano).padStart(9, '0')}`;
        const exactNano = BigInt(whole) * 1_000_000_000n + BigInt(nano);
        const gotNano = BigInt(Math.abs(parseQuantityMilli(text))) * 1_000_000n;
        expect(gotNano >= exactNano && gotNano - exactNano < 1_000_000n).toBe(true);
      }),
    );
  });

  test('adds up: n thousandths, n of the next suffix', () => {
    fc.assert(
      fc.property(fc.nat(9000), (n) => {
        expect(parseQuantityMilli(`${n}k`)).toBe(parseQuantityMilli(`${n}`) * 1000);
        expect(parseQuantityMilli(`${n}Ki`)).toBe(parseQuantityMilli(`${n}`) * 1024);
        expect(parseQuantityMilli(`${n}e3`)).toBe(parseQuantityMilli(`${n}E3`));
      }),
    );
  });

  test('is read as a plain number without rounding to thousandths', () => {
    const rows: [string | number, number][] = [
      ['0.0004', 0.0004],
      ['400u', 0.0004],
      ['-1.5', -1.5],
      ['.5', 0.5],
      ['5.', 5],
      ['2Ki', 2048],
      ['1.5e-3', 0.0015],
      ['3k', 3000],
      [0.25, 0.25],
    ];
    for (const [text, number] of rows) expect(parseQuantityNumber(text)).toBeCloseTo(number, 12);
    expect(() => parseQuantityNumber('five')).toThrow('quantity "five"');
  });

  test('any text is read or refused with our error, and the CRD pattern admits what is read', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[+-]?[0-9.]{0,6}[numkMGTPEie+-]{0,3}[0-9]{0,2}$/));
    fc.assert(
      fc.property(text, (t) => {
        try {
          parseQuantityMilli(t);
        } catch (error) {
          expect(isForesailError(error, 'QUANTITY_INVALID')).toBe(true);
          return;
        }
        expect(t).toMatch(new RegExp(QUANTITY_PATTERN));
      }),
    );
  });
});
