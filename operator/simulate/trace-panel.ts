/** Wide files, `timestamp,a,b,…`: every column is a series of its own, held to the rules of a trace. */
import { cellsOf, firstLine, parseLoad, parseTime, traceInvalid, traceName } from './trace-csv.ts';
import { type ParsedTrace, type TraceRow, toGrid } from './trace-grid.ts';

/** True for `timestamp` and at least two columns with names of their own. */
export function isPanelHeader(text: string): boolean {
  const [time, ...columns] = cellsOf(firstLine(text));
  return time === 'timestamp' && columns.length > 1 && columns.every((name) => name !== '');
}

/** @throws TRACE_INVALID */
export function parsePanelCsv(text: string, file: string): ParsedTrace[] {
  const [, ...columns] = cellsOf(firstLine(text));
  const rows: TraceRow[][] = columns.map(() => []);
  text.split('\n').forEach((raw, i) => {
    const line = raw.trim();
    if (i === 0 || line === '') return;
    const cells = cellsOf(line);
    if (cells.length !== columns.length + 1) {
      throw traceInvalid(file, i + 1, `${cells.length} cells, not ${columns.length + 1}`);
    }
    const atMs = parseTime(cells[0] ?? '');
    if (typeof atMs === 'string') throw traceInvalid(file, i + 1, atMs);
    columns.forEach((column, c) => {
      const value = parseLoad(cells[c + 1] ?? '');
      if (typeof value === 'string') throw traceInvalid(file, i + 1, `the value of ${column} ${value}`);
      rows[c]?.push({ atMs, value, line: i + 1 });
    });
  });
  return columns.map((column, c) =>
    toGrid(`${traceName(file)}/${column}`, rows[c] ?? [], (line, message) =>
      traceInvalid(file, line, `${column}: ${message}`),
    ),
  );
}
