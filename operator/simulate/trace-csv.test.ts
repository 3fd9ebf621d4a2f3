import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { isForesailError } from '../errors.ts';
import { parseTraceCsv, type RepairKind } from './trace-csv.ts';
import { parsePanelCsv } from './trace-panel.ts';

const FILE = 'some/folder/shop.csv';

function csv(...rows: readonly (string | readonly [number, number | string])[]): string {
  return ['timestamp,value', ...rows.map((row) => (typeof row === 'string' ? row : row.join(',')))].join(
    '\n',
  );
}

/** Minutes with the value 10, 11, 12 … */
function minutes(count: number): [number, number][] {
  return Array.from({ length: count }, (_, i) => [60 * i, 10 + i]);
}

function refusal(text: string): string {
  try {
    parseTraceCsv(text, FILE);
  } catch (error) {
    if (isForesailError(error, 'TRACE_INVALID')) return error.message;
    throw error;
  }
  throw new Error('it was not refused');
}

test('a clean file comes out as it is, without a repair', () => {
  const { trace, repairs } = parseTraceCsv(csv(...minutes(5)), FILE);
  expect(trace).toEqual({
    name: 'shop',
    startMs: 0,
    stepMs: 60_000,
    values: Float64Array.of(10, 11, 12, 13, 14),
  });
  expect(repairs).toEqual([]);
});

test('what spreadsheets and Windows add changes nothing', () => {
  const text = '\uFEFF"timestamp" , value\r\n"0", 1\r\n60,"2e0"\r\n\r\n';
  expect(parseTraceCsv(text, FILE).trace.values).toEqual(Float64Array.of(1, 2));
});

describe('refused, with file and line', () => {
  const cases: readonly [string, string, string][] = [
    ['another header', 'start,end\n1,2', 'shop.csv:1: the header is "start,end"'],
    ['no header', '0,1\n60,2', 'shop.csv:1: the header is "0,1"'],
    ['an empty file', '', 'shop.csv:1: the header is ""'],
    ['no rows', csv(), 'shop.csv:1: no rows'],
    ['one row', csv([0, 1]), 'shop.csv:2: one row has no step'],
    ['one time twice', csv([0, 1], [0, 1]), 'shop.csv:2: one row has no step'],
    ['text for a value', csv([0, 1], [60, 'many']), 'shop.csv:3: the value "many" is not a number'],
    ['a hexadecimal number', csv([0, 1], [60, '0x10']), 'shop.csv:3: the value "0x10" is not a number'],
    ['infinity', csv([0, 1], [60, 'Infinity']), 'shop.csv:3: the value "Infinity" is not a number'],
    ['an absurd magnitude', csv([0, 1], [60, '1e300']), 'shop.csv:3: the value 1e300 is larger'],
    ['a negative load', csv([0, 1], [60, -0.5]), 'shop.csv:3: the value -0.5 is negative'],
    ['a date for a time', csv('2024-01-01,1'), 'shop.csv:2: the timestamp "2024-01-01" is not a number'],
    [
      'milliseconds',
      csv([1700000000000, 1]),
      'shop.csv:2: the timestamp 1700000000000 is not in unix seconds (mill',
    ],
    ['a third cell', csv([0, 1], '60,2,3'), 'shop.csv:3: 3 cells, not 2'],
    ['a decimal comma', csv('0,1', '60,2,5'), 'shop.csv:3: 3 cells, not 2'],
    [
      'two values at one time',
      csv([0, 1], [60, 2], [60, 3]),
      'shop.csv:4: the time 60 has the value 3 here and 2 in line 3',
    ],
    ['no value at all', csv([0, ''], [60, 'NaN']), 'shop.csv:2: no row has a value'],
    [
      'a step that becomes longer',
      csv(
        ...minutes(20),
        ...Array.from({ length: 10 }, (_, i): [number, number] => [1140 + 300 * (i + 1), 5]),
      ),
      'shop.csv:22: the step changes from 60 s to 300 s',
    ],
    [
      'a step that becomes shorter',
      csv(
        ...Array.from({ length: 20 }, (_, i): [number, number] => [300 * i, 5]),
        [5760, 1],
        [5820, 2],
        [5880, 3],
      ),
      'shop.csv:22: the step changes from 300 s to 60 s',
    ],
    [
      'a time between two steps',
      csv(...minutes(5), [265, 1], [300, 2]),
      'shop.csv:7: the time 265 is not on the grid',
    ],
    ['a jump of years', csv(...minutes(5), [999_999_960, 1]), 'shop.csv:7: only 6 of 16666667 steps'],
  ];
  test.each(cases)('%s', (_, text, message) => {
    expect(refusal(text)).toContain(message);
  });
});

describe('repaired, and said so', () => {
  function repairsOf(text: string): { kinds: RepairKind[]; values: number[]; imputed: number[] } {
    const { trace, repairs } = parseTraceCsv(text, FILE);
    return {
      kinds: repairs.map(({ kind }) => kind),
      values: [...trace.values],
      imputed: [...(trace.imputed ?? [])],
    };
  }

  test('disorder is sorted', () => {
    expect(repairsOf(csv([0, 1], [120, 3], [60, 2], [180, 4]))).toMatchObject({
      kinds: ['sorted'],
      values: [1, 2, 3, 4],
      imputed: [],
    });
  });

  test('a repeated row is dropped, also when one of the two knows no value', () => {
    expect(repairsOf(csv([0, 1], [60, 2], [60, 2], [120, ''], [120, 3]))).toMatchObject({
      kinds: ['duplicatesDropped'],
      values: [1, 2, 3],
    });
  });

  test('a short gap is filled in line and flagged; the line is that of the row before it', () => {
    const { trace, repairs } = parseTraceCsv(csv([0, 1], [60, 2], [240, 8], [300, 9]), FILE);
    expect([...trace.values]).toEqual([1, 2, 4, 6, 8, 9]);
    expect([...(trace.imputed ?? [])]).toEqual([0, 0, 1, 1, 0, 0]);
    expect(repairs).toMatchObject([{ kind: 'gapsFilled', line: 3, count: 2 }]);
  });

  test('a long gap stays unknown', () => {
    const text = csv(...minutes(20), ...minutes(20).map(([t, v]): [number, number] => [t + 1860, v]));
    const { trace, repairs } = parseTraceCsv(text, FILE);
    expect(trace.values).toHaveLength(51);
    expect(trace.values.slice(20, 31).every(Number.isNaN)).toBe(true);
    expect(trace.imputed).toBeUndefined();
    expect(repairs).toMatchObject([{ kind: 'gapsLeft', line: 21, count: 11 }]);
  });

  test('cells without a value are unknown: filled inside, left at the ends', () => {
    const { kinds, values, imputed } = repairsOf(
      csv([0, 'NaN'], [60, 2], [120, ''], [180, 4], [240, 'null']),
    );
    expect(kinds).toEqual(['unknownValues', 'gapsFilled', 'gapsLeft']);
    expect(values).toEqual([Number.NaN, 2, 3, 4, Number.NaN]);
    expect(imputed).toEqual([0, 0, 1, 0, 0]);
  });

  test('times that jitter are moved onto the grid', () => {
    expect(
      repairsOf(csv([0, 1], [60.2, 2], [119.9, 3], [180, 4], [240, 5], [300, 6], [360, 7])),
    ).toMatchObject({
      kinds: ['snapped'],
      values: [1, 2, 3, 4, 5, 6, 7],
    });
  });

  test('calendar months become evenly long', () => {
    const firsts = ['2024-01-01', '2024-02-01', '2024-03-01', '2024-04-01'].map(
      (day) => Date.parse(day) / 1000,
    );
    const { trace, repairs } = parseTraceCsv(
      csv(...firsts.map((t, i): [number, number] => [t, i + 1])),
      FILE,
    );
    expect(repairs).toMatchObject([{ kind: 'calendarMonths', count: 4 }]);
    expect(trace.stepMs).toBe((91 * 86_400_000) / 3);
  });

  test.each([0, 7])('a constant %d is said to be one', (value) => {
    expect(repairsOf(csv([0, value], [60, value], [120, value])).kinds).toEqual(['constant']);
  });
});

test('whatever rows are missing, swapped or repeated: known values keep their place and imputed ones are flagged', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 30, maxLength: 60 }),
      // Every other row missing for a while would be another step, which is refused.
      fc.array(fc.nat(28), { maxLength: 2 }),
      fc.nat(20),
      (loads, missing, repeated) => {
        const rows = loads.map((load, i): [number, number] => [1_000_020 + 60 * i, load]);
        const present = rows.filter((_, i) => i === 0 || i === loads.length - 1 || !missing.includes(i));
        const again = present[repeated] ?? [0, 0];
        const { trace } = parseTraceCsv(csv(...present.toReversed(), again), FILE);
        expect(trace.values).toHaveLength(loads.length);
        loads.forEach((load, i) => {
          const isMissing = !present.includes(rows[i] ?? [0, 0]);
          expect((trace.imputed?.[i] ?? 0) === 1).toBe(isMissing);
          if (!isMissing) expect(trace.values[i]).toBe(load);
        });
      },
    ),
    { numRuns: 100 },
  );
});

test('a panel is a series per column; what is wrong names the column', () => {
  const text = 'timestamp,a,b\n0,1,10\n60,2,\n120,3,30';
  const [a, b] = parsePanelCsv(text, 'x/panel.csv');
  expect(a?.trace).toMatchObject({ name: 'panel/a', values: Float64Array.of(1, 2, 3) });
  expect(b?.trace).toMatchObject({ name: 'panel/b', values: Float64Array.of(10, 20, 30) });
  expect(b?.repairs.map(({ kind }) => kind)).toEqual(['unknownValues', 'gapsFilled']);
  expect(() => parsePanelCsv('timestamp,a,b\n0,1,x\n', 'x/panel.csv')).toThrow(
    'x/panel.csv:2: the value of b "x" is not a number',
  );
});
