/**
 * Traces from files and folders. A file that is named must be good; in a folder, what is no trace is skipped and
 * what is a bad one is left out, each with a note that says why. Every repair is noted too.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ForesailError, isForesailError, messageOf } from '../errors.ts';
import type { Trace } from '../simulate/trace.ts';
import { hasTraceHeader, type ParsedTrace, parseTraceCsv } from '../simulate/trace-csv.ts';
import { isPanelHeader, parsePanelCsv } from '../simulate/trace-panel.ts';

export interface ReadTracesOptions {
  /** Read every column of a wide file (`timestamp,a,b,…`) as a series `file/column`, and look into subfolders. */
  readonly panels?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * @param paths CSV files and folders of them; a file that is met twice is read once
 * @param note takes one line for people per repair, skip and omission
 * @throws TRACE_INVALID for a bad file that was named, a path that cannot be read, or when no trace is left
 */
export async function readTraces(
  paths: readonly string[],
  note: (line: string) => void,
  options: ReadTracesOptions = {},
): Promise<Trace[]> {
  const traces = new Map<string, Trace>();
  const seen = new Set<string>();
  for (const file of await filesOf(paths, options.panels === true)) {
    options.signal?.throwIfAborted();
    const path = resolve(file.path);
    if (seen.has(path)) continue;
    seen.add(path);
    // oxlint-disable-next-line no-await-in-loop -- one file in memory at a time
    for (const { trace, repairs } of await readOne(file, note, options)) {
      for (const { line, text } of repairs) note(`${file.path}:${line}: ${trace.name}: ${text}`);
      const name = traces.has(trace.name) ? `${basename(dirname(path))}/${trace.name}` : trace.name;
      if (traces.has(name)) throw unreadable(file.path, `a series called ${name} was already read`);
      traces.set(name, name === trace.name ? trace : { ...trace, name });
    }
  }
  if (traces.size === 0) throw unreadable(paths.join(', '), 'no trace among them');
  return [...traces.values()];
}

interface Listed {
  readonly path: string;
  /** Named by the user, not found in a folder. */
  readonly named: boolean;
}

async function readOne(
  { path, named }: Listed,
  note: (line: string) => void,
  options: ReadTracesOptions,
): Promise<readonly ParsedTrace[]> {
  const text = await readFile(path, {
    encoding: 'utf8',
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  }).catch((cause: unknown) => {
    options.signal?.throwIfAborted();
    throw unreadable(path, messageOf(cause), cause);
  });
  try {
    if (options.panels === true && isPanelHeader(text)) return parsePanelCsv(text, path);
    if (named || hasTraceHeader(text)) return [parseTraceCsv(text, path)];
    note(`${path}: skipped, its header is not "timestamp,value"`);
  } catch (error) {
    if (named || !isForesailError(error, 'TRACE_INVALID')) throw error;
    note(`${error.message}; the file is left out`);
  }
  return [];
}

async function filesOf(paths: readonly string[], deep: boolean): Promise<Listed[]> {
  const files: Listed[] = [];
  for (const path of paths) {
    // oxlint-disable-next-line no-await-in-loop -- few paths, and their order is kept
    const info = await stat(path).catch((cause: unknown) => {
      throw unreadable(path, messageOf(cause), cause);
    });
    if (!info.isDirectory()) {
      files.push({ path, named: true });
      continue;
    }
    // oxlint-disable-next-line no-await-in-loop -- as above
    const names = await readdir(path, { recursive: deep });
    for (const name of names.sort()) {
      if (name.endsWith('.csv') && !name.endsWith('.labels.csv')) {
        files.push({ path: join(path, name), named: false });
      }
    }
  }
  return files;
}

function unreadable(path: string, message: string, cause?: unknown): ForesailError {
  return new ForesailError('TRACE_INVALID', 'terminal', `${path}: ${message}`, {
    subject: path,
    ...(cause === undefined ? {} : { cause }),
  });
}
