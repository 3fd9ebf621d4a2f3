/** Results for people (a table) and for programs (JSON beside the sources, not in git). */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '../../bench-results');

/** First column left, all others right. */
export function table(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) =>
    Math.max(...rows.map((row) => (row[i] ?? '').length)),
  );
  const line = (row: readonly string[]) =>
    widths
      .map((width, i) => (i === 0 ? (row[i] ?? '').padEnd(width) : (row[i] ?? '').padStart(width)))
      .join('  ')
      .trimEnd();
  const [head = [], ...body] = rows;
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...body.map(line)].join('\n');
}

/** Returns the path written. */
export function writeJson(name: string, result: object): string {
  mkdirSync(FOLDER, { recursive: true });
  const path = join(FOLDER, `${name}-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.json`);
  writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`);
  return path;
}

/** Progress goes beside the result, never into it. */
export function say(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

/** A whole number from the environment. */
export function setting(name: string, fallback: number): number {
  const text = process.env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name}=${text} is not a whole number above 0`);
  return value;
}
