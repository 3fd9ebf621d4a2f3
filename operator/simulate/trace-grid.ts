/**
 * Puts rows of (time, value) on an even grid. Every difference between what was given and what comes out is either
 * stated as a repair or refused: a forecast and a replica count are only as honest as the axis they stand on.
 */
import type { ForesailError } from '../errors.ts';
import type { Trace } from './trace.ts';

export type RepairKind =
  | 'sorted' // rows were out of order
  | 'duplicatesDropped' // the same time twice with the same value
  | 'unknownValues' // empty or NaN cells
  | 'gapsFilled' // few missing steps in a row, filled in line and flagged as imputed
  | 'gapsLeft' // longer ones, left unknown
  | 'snapped' // times a little off the grid
  | 'calendarMonths' // months taken as evenly long
  | 'constant'; // no repair: there is nothing to forecast in it

export interface Repair {
  readonly kind: RepairKind;
  /** First line concerned, 1 = the header. */
  readonly line: number;
  /** Rows or steps concerned. */
  readonly count: number;
  /** For people, without the file's name. */
  readonly text: string;
}

export interface ParsedTrace {
  readonly trace: Trace;
  readonly repairs: readonly Repair[];
}

export interface TraceRow {
  readonly atMs: number;
  /** NaN = unknown. */
  readonly value: number;
  readonly line: number;
}

/** Missing steps in a row that are filled in; more are left unknown. */
export const MAX_FILLED = 10;
/** A time may be this share of a step off the grid. */
const SNAP = 0.25;
/** Fewer known steps than this share are not a series with gaps but another step. */
const LEAST_KNOWN = 0.3;
const MONTH_MS = { least: 28 * 86_400_000, most: 31 * 86_400_000 };
/** Differences of another length, this many in a row, are a change of the step and not gaps. */
const CHANGED_RUN = 10;
const CHANGED_SHARE = 0.1;

type Fail = (line: number, message: string) => ForesailError;

/** @throws what `fail` makes */
export function toGrid(name: string, given: readonly TraceRow[], fail: Fail): ParsedTrace {
  const repairs: Repair[] = [];
  const note = (kind: RepairKind, line: number, count: number, text: string): void => {
    repairs.push({ kind, line, count, text });
  };
  const rows = withoutDuplicates(inOrder(given, note), note, fail);
  const [first, second] = rows;
  if (first === undefined) throw fail(1, 'no rows');
  if (second === undefined) throw fail(first.line, 'one row has no step; at least two are needed');
  if (rows.every((row) => Number.isNaN(row.value))) throw fail(first.line, 'no row has a value');

  const { stepMs, months } = stepOf(rows);
  if (months) note('calendarMonths', first.line, rows.length, 'calendar months, taken as evenly long');
  else refuseChangedStep(rows, stepMs, fail);
  const slots = months ? rows.map((_, i) => i) : slotsOf(rows, stepMs, note, fail);
  const values = spread(rows, slots, stepMs, fail);
  const imputed = fill(values, rows, slots, note);
  const known = values.filter((value, i) => !Number.isNaN(value) && imputed[i] === 0);
  if (known.every((value) => value === known[0])) {
    note('constant', first.line, known.length, `every value is ${known[0]}: nothing to forecast`);
  }
  const trace: Trace = { name, startMs: first.atMs, stepMs, values };
  return { trace: imputed.includes(1) ? { ...trace, imputed } : trace, repairs };
}

type Note = (kind: RepairKind, line: number, count: number, text: string) => void;

function inOrder(rows: readonly TraceRow[], note: Note): readonly TraceRow[] {
  let latest = Number.NEGATIVE_INFINITY;
  let late = 0;
  let line = 0;
  for (const row of rows) {
    if (row.atMs < latest) {
      late++;
      line ||= row.line;
    }
    latest = Math.max(latest, row.atMs);
  }
  if (late === 0) return rows;
  note('sorted', line, late, `${late} rows are earlier than the one before them; sorted by time`);
  return rows.toSorted((a, b) => a.atMs - b.atMs);
}

function withoutDuplicates(rows: readonly TraceRow[], note: Note, fail: Fail): TraceRow[] {
  const kept: TraceRow[] = [];
  let dropped = 0;
  let line = 0;
  for (const row of rows) {
    const before = kept.at(-1);
    if (before?.atMs !== row.atMs) {
      kept.push(row);
      continue;
    }
    const [known, other] = Number.isNaN(before.value) ? [row, before] : [before, row];
    if (!Number.isNaN(other.value) && other.value !== known.value) {
      throw fail(
        Math.max(row.line, before.line),
        `the time ${row.atMs / 1000} has the value ${row.value} here and ${before.value} in line ${before.line}`,
      );
    }
    kept[kept.length - 1] = known;
    dropped++;
    line ||= row.line;
  }
  if (dropped > 0)
    note('duplicatesDropped', line, dropped, `${dropped} rows repeat a time and value; dropped`);
  return kept;
}

/** The usual difference of neighbours; where times jitter so that none is usual, their median in whole seconds. */
function stepOf(rows: readonly TraceRow[]): { stepMs: number; months: boolean } {
  const steps = differences(rows);
  const { least, most } = MONTH_MS;
  if (steps.length > 1 && steps.every((ms) => ms >= least && ms <= most) && new Set(steps).size > 1) {
    const span = (rows.at(-1)?.atMs ?? 0) - (rows[0]?.atMs ?? 0);
    return { stepMs: Math.round(span / steps.length), months: true };
  }
  const counts = new Map<number, number>();
  for (const ms of steps) counts.set(ms, (counts.get(ms) ?? 0) + 1);
  let usual = { ms: steps[0] ?? 1, count: 0 };
  for (const [ms, count] of counts) {
    // Among equally frequent ones the shorter: the longer may be a gap.
    if (count > usual.count || (count === usual.count && ms < usual.ms)) usual = { ms, count };
  }
  if (usual.count * 2 >= steps.length || usual.count >= CHANGED_RUN)
    return { stepMs: usual.ms, months: false };
  const median = steps.toSorted((a, b) => a - b)[Math.floor(steps.length / 2)] ?? usual.ms;
  const whole = Math.round(median / 1000) * 1000;
  return { stepMs: Math.abs(whole - median) <= 0.02 * median ? Math.max(whole, 1) : median, months: false };
}

function differences(rows: readonly TraceRow[]): number[] {
  return rows.slice(1).map((row, i) => row.atMs - (rows[i]?.atMs ?? 0));
}

function refuseChangedStep(rows: readonly TraceRow[], stepMs: number, fail: Fail): void {
  const steps = differences(rows);
  let run = 0;
  for (let i = 0; i < steps.length; i++) {
    const ms = steps[i] ?? stepMs;
    run = i > 0 && ms === steps[i - 1] ? run + 1 : 1;
    if (Math.abs(ms - stepMs) <= SNAP * stepMs) continue;
    if (run >= CHANGED_RUN || (run >= 2 && run >= CHANGED_SHARE * steps.length)) {
      const row = rows[i - run + 2];
      throw fail(
        row?.line ?? 1,
        `the step changes from ${stepMs / 1000} s to ${ms / 1000} s; resample the series to one step`,
      );
    }
  }
}

/** Position of each row on the grid that starts with the first one. */
function slotsOf(rows: readonly TraceRow[], stepMs: number, note: Note, fail: Fail): number[] {
  const startMs = rows[0]?.atMs ?? 0;
  let snapped = 0;
  let line = 0;
  let before = -1;
  const slots = rows.map((row) => {
    const exact = (row.atMs - startMs) / stepMs;
    const slot = Math.round(exact);
    if (Math.abs(exact - slot) > SNAP || slot === before) {
      throw fail(
        row.line,
        `the time ${row.atMs / 1000} is not on the grid of ${stepMs / 1000} s that the series has`,
      );
    }
    if (exact !== slot) {
      snapped++;
      line ||= row.line;
    }
    before = slot;
    return slot;
  });
  if (snapped > 0)
    note('snapped', line, snapped, `${snapped} times are off the grid of ${stepMs / 1000} s; moved onto it`);
  return slots;
}

function spread(
  rows: readonly TraceRow[],
  slots: readonly number[],
  stepMs: number,
  fail: Fail,
): Float64Array {
  const count = (slots.at(-1) ?? 0) + 1;
  if (rows.length < LEAST_KNOWN * count) {
    let widest = { gap: 0, line: 1 };
    slots.forEach((slot, i) => {
      const gap = slot - (slots[i - 1] ?? slot);
      if (gap > widest.gap) widest = { gap, line: rows[i]?.line ?? 1 };
    });
    throw fail(
      widest.line,
      `only ${rows.length} of ${count} steps of ${stepMs / 1000} s have a row; the widest gap, ${widest.gap - 1} steps, ends here`,
    );
  }
  const values = new Float64Array(count).fill(Number.NaN);
  rows.forEach((row, i) => {
    values[slots[i] ?? 0] = row.value;
  });
  return values;
}

/** Fills short gaps in line between their ends; returns 1 where it did. */
function fill(
  values: Float64Array,
  rows: readonly TraceRow[],
  slots: readonly number[],
  note: Note,
): Uint8Array {
  const imputed = new Uint8Array(values.length);
  const empty = rows.filter((row) => Number.isNaN(row.value));
  if (empty.length > 0) {
    note('unknownValues', empty[0]?.line ?? 1, empty.length, `${empty.length} rows have no value; unknown`);
  }
  const filled = { steps: 0, line: 0 };
  const left = { steps: 0, line: 0 };
  let row = 0;
  for (let i = 0; i < values.length; i++) {
    if (!Number.isNaN(values[i])) continue;
    const first = i;
    while (i + 1 < values.length && Number.isNaN(values[i + 1])) i++;
    while ((slots[row + 1] ?? Number.POSITIVE_INFINITY) <= first) row++;
    const count = i - first + 1;
    const before = values[first - 1];
    const after = values[i + 1];
    const fits = count <= MAX_FILLED && before !== undefined && after !== undefined;
    const tally = fits ? filled : left;
    tally.steps += count;
    tally.line ||= rows[row]?.line ?? 1;
    if (!fits) continue;
    for (let k = 1; k <= count; k++) {
      values[first + k - 1] = before + ((after - before) * k) / (count + 1);
      imputed[first + k - 1] = 1;
    }
  }
  if (filled.steps > 0)
    note('gapsFilled', filled.line, filled.steps, `${filled.steps} missing steps filled in line and flagged`);
  if (left.steps > 0)
    note(
      'gapsLeft',
      left.line,
      left.steps,
      `${left.steps} missing steps left unknown (more than ${MAX_FILLED} in a row, or at an end)`,
    );
  return imputed;
}
