/**
 * Reads `timestamp,value` (unix seconds, one constant step) and never repairs in silence: what is wrong is either an
 * error that names file and line, or a repair that is stated and flagged. docs/guides/traces.md has the table.
 */
import { ForesailError } from '../errors.ts';
import { type ParsedTrace, type TraceRow, toGrid } from './trace-grid.ts';

export type { ParsedTrace, Repair, RepairKind } from './trace-grid.ts';

/** Beyond it a number is a mistake: the models take such a magnitude for a missing value. */
const LARGEST = 1e18;
/** Unix seconds of the year 5138 (and of a past before all records); a larger number is milliseconds. */
const LATEST_S = 1e11;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
/** What exporters write for "no value". */
const UNKNOWN = new Set(['', 'nan', 'null', 'none', 'na', 'n/a']);

/** True when the first line is `timestamp,value`; other files of a folder are not traces. */
export function hasTraceHeader(text: string): boolean {
  return cellsOf(firstLine(text)).join() === 'timestamp,value';
}

/** @throws TRACE_INVALID, its subject being `file:line` */
export function traceInvalid(file: string, line: number, message: string): ForesailError {
  return new ForesailError('TRACE_INVALID', 'terminal', `${file}:${line}: ${message}`, {
    subject: `${file}:${line}`,
  });
}

/**
 * @param text the file
 * @param file its path, for errors; the trace is named after its last part without `.csv`
 * @returns values in the load's own unit on an even grid, NaN = unknown
 * @throws TRACE_INVALID
 */
export function parseTraceCsv(text: string, file: string): ParsedTrace {
  if (!hasTraceHeader(text)) {
    throw traceInvalid(
      file,
      1,
      `the header is "${firstLine(text).slice(0, 60)}", not "timestamp,value" (unix seconds)`,
    );
  }
  const lines = text.split('\n');
  const rows: TraceRow[] = [];
  for (let i = 1; i < lines.length; i++) {
    const line = (lines[i] ?? '').trim();
    if (line !== '') rows.push(parseRow(line, i + 1, file));
  }
  return toGrid(traceName(file), rows, (line, message) => traceInvalid(file, line, message));
}

export function traceName(file: string): string {
  return (file.split('/').at(-1) ?? file).replace(/\.csv$/i, '');
}

/** One cell as a load: NaN = unknown; otherwise what is wrong with it. */
export function parseLoad(cell: string): number | string {
  if (UNKNOWN.has(cell.toLowerCase())) return Number.NaN;
  if (!NUMBER.test(cell)) return `"${cell.slice(0, 40)}" is not a number`;
  const value = Number(cell);
  if (value < 0) return `${cell} is negative, and a load is not`;
  if (!(value <= LARGEST)) return `${cell} is larger than ${LARGEST}`;
  return value + 0;
}

/** One cell as a time in milliseconds, or what is wrong with it. */
export function parseTime(cell: string): number | string {
  if (!NUMBER.test(cell)) return `the timestamp "${cell.slice(0, 40)}" is not a number of unix seconds`;
  const seconds = Number(cell);
  if (Math.abs(seconds) > LATEST_S) {
    return `the timestamp ${cell} is not in unix seconds${seconds > LATEST_S ? ' (milliseconds?)' : ''}`;
  }
  return Math.round(seconds * 1000);
}

function parseRow(line: string, number: number, file: string): TraceRow {
  const cells = cellsOf(line);
  if (cells.length !== 2)
    throw traceInvalid(file, number, `${cells.length} cells, not 2: "${line.slice(0, 60)}"`);
  const atMs = parseTime(cells[0] ?? '');
  if (typeof atMs === 'string') throw traceInvalid(file, number, atMs);
  const value = parseLoad(cells[1] ?? '');
  if (typeof value === 'string') throw traceInvalid(file, number, `the value ${value}`);
  return { atMs, value, line: number };
}

/** Neither quotes nor a byte order mark change what a cell says. */
export function cellsOf(line: string): string[] {
  return line.split(',').map((cell) =>
    cell
      .trim()
      .replace(/^\uFEFF/, '')
      .replace(/^"(.*)"$/, '$1')
      .trim(),
  );
}

export function firstLine(text: string): string {
  const end = text.indexOf('\n');
  return (end === -1 ? text : text.slice(0, end)).replace(/^\uFEFF/, '').trim();
}
