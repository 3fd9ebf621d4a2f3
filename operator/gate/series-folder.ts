/**
 * A folder of series as the trainer's data part writes it: `manifest.json` (`sources: [{name, file, validateEnd?}]`; each
 * source has a clock of its own) and per source a Parquet file with the columns `series` (string), `t` (seconds) and `v` (NaN = unknown), sorted by series and time.
 * What is wrong with the times of a series is noted and not repaired: the gate has to judge it.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { parquetMetadata, parquetRead } from 'hyparquet';
import { z } from 'zod';
import { ForesailError, isForesailError } from '../errors.ts';

export interface FolderSeries {
  /** `source/series`. */
  readonly name: string;
  /** Start of values[0]. */
  readonly startMs: number;
  readonly stepMs: number;
  /** On a whole grid; NaN = unknown. */
  readonly values: Float64Array;
  /** Undefined when its times make sense. */
  readonly fault: string | undefined;
  /** Where the test part of its source begins; absent: the lineage's `validateEnd` holds for all. */
  readonly validateEndMs?: number;
}

export interface SeriesFolder {
  /** Of manifest.json. */
  readonly sha256: string;
  readonly series: readonly FolderSeries[];
}

const MOST_MANIFEST_BYTES = 64 * 1024 * 1024;
const MOST_FILE_BYTES = 1024 * 1024 * 1024;
/** Of all files of a folder: 2,000 series of 60 days of minutes, 1.4 GB of values. */
const MOST_ROWS = 180_000_000;
/** Of one row group, whose columns are unpacked at once; the trainer writes one per series. */
const MOST_GROUP_ROWS = 20_000_000;
const MOST_UNPACKED = 2_000_000_000;
/** A series whose grid is so much longer than its points is no series of one step; half of it must be known anyway. */
const MOST_GAPS = 4;

const manifestSchema = z.looseObject({
  sources: z
    .array(
      z.looseObject({
        name: z.string().min(1).max(256),
        file: z.string().min(1).max(256),
        validateEnd: z.iso.datetime({ offset: true }).optional(),
      }),
    )
    .max(1000),
});

/** @throws DATA_INVALID (terminal) that names the file */
export function readSeriesFolder(folder: string, signal: AbortSignal): Promise<SeriesFolder> {
  return readWithin(folder, MOST_ROWS, signal);
}

/** @param mostRows of all files together */
export async function readWithin(
  folder: string,
  mostRows: number,
  signal: AbortSignal,
): Promise<SeriesFolder> {
  const path = join(folder, 'manifest.json');
  const bytes = Buffer.from(await bytesOf(path, MOST_MANIFEST_BYTES));
  const manifest = parseManifest(path, bytes.toString('utf8'));
  const series: FolderSeries[] = [];
  const room = { most: mostRows, left: mostRows };
  for (const { name, file, validateEnd } of manifest.sources) {
    signal.throwIfAborted();
    if (basename(file) !== file) throw invalid(path, `sources: "${file}" is no plain file name`);
    // oxlint-disable-next-line no-await-in-loop -- one file in memory at a time
    const own = await readSource(join(folder, file), name, room, signal);
    const bound = validateEnd === undefined ? {} : { validateEndMs: Date.parse(validateEnd) };
    series.push(...own.map((one) => ({ ...one, ...bound })));
  }
  return { sha256: createHash('sha256').update(bytes).digest('hex'), series };
}

function parseManifest(path: string, text: string): z.infer<typeof manifestSchema> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw invalid(path, 'is no JSON', cause);
  }
  const result = manifestSchema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw invalid(path, `${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'is invalid'}`);
}

/** Rows that all files of a folder may have together. */
interface Room {
  readonly most: number;
  left: number;
}

/** Columns of one row group as they came, one entry per row. */
interface Columns {
  readonly series: readonly string[];
  /** Seconds. */
  readonly t: Float64Array;
  readonly v: Float64Array;
}

async function readSource(
  path: string,
  source: string,
  room: Room,
  signal: AbortSignal,
): Promise<FolderSeries[]> {
  try {
    const gathering = createGathering(source);
    for await (const columns of rowGroups(path, room)) {
      signal.throwIfAborted();
      gathering.add(columns);
    }
    return gathering.end();
  } catch (error) {
    signal.throwIfAborted();
    if (isForesailError(error)) throw error;
    throw invalid(path, 'is no Parquet file with the columns series, t, v', error);
  }
}

/** One group in memory at a time: a holdout of a thousand workloads has 86 million rows. */
async function* rowGroups(path: string, room: Room): AsyncGenerator<Columns> {
  const file = await bytesOf(path, MOST_FILE_BYTES);
  const metadata = parquetMetadata(file);
  let unpacked = 0;
  const counted =
    (unpack: (input: Uint8Array, length: number) => Uint8Array) => (input: Uint8Array, length: number) => {
      unpacked += length;
      if (unpacked > MOST_UNPACKED) throw invalid(path, 'unpacks to too much');
      return unpack(input, Math.max(length, 1));
    };
  const compressors = {
    GZIP: counted((input, maxOutputLength) => gunzipSync(input, { maxOutputLength })),
    ZSTD: counted((input, maxOutputLength) => zstdDecompressSync(input, { maxOutputLength })),
  };
  let start = 0;
  for (const group of metadata.row_groups) {
    const size = Number(group.num_rows);
    if (size > MOST_GROUP_ROWS)
      throw invalid(path, `has a row group of ${size} rows, at most ${MOST_GROUP_ROWS}`);
    room.left -= size;
    if (room.left < 0) throw invalid(path, `with it its folder has more than ${room.most} rows`);
    const series = Array.from<unknown, string>({ length: size }, () => '');
    const t = new Float64Array(size).fill(Number.NaN);
    const v = new Float64Array(size).fill(Number.NaN);
    const begin = start;
    start += size;
    if (size === 0) continue;
    // oxlint-disable-next-line no-await-in-loop -- one group in memory at a time
    await parquetRead({
      file,
      metadata,
      rowStart: begin,
      rowEnd: start,
      columns: ['series', 't', 'v'],
      compressors,
      onChunk({ columnName, columnData, rowStart }) {
        for (let i = 0; i < columnData.length; i++) {
          const value: unknown = columnData[i];
          const row = rowStart - begin + i;
          if (columnName === 'series') series[row] = typeof value === 'string' ? value : '';
          else if (columnName === 't')
            t[row] = typeof value === 'bigint' || typeof value === 'number' ? Number(value) : Number.NaN;
          else v[row] = typeof value === 'number' ? value : Number.NaN;
        }
      },
    });
    yield { series, t, v };
  }
}

async function bytesOf(path: string, most: number): Promise<ArrayBuffer> {
  const handle = await open(path, 'r').catch((cause: unknown) => {
    throw invalid(path, 'cannot be read', cause);
  });
  try {
    const { size } = await handle.stat();
    if (size > most) throw invalid(path, `has ${size} bytes, at most ${most}`);
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; ) {
      // oxlint-disable-next-line no-await-in-loop -- a read may give less than was asked for
      const { bytesRead } = await handle.read(bytes, at, size - at, at);
      if (bytesRead === 0) throw invalid(path, 'became shorter while it was read');
      at += bytesRead;
    }
    return bytes.buffer;
  } finally {
    await handle.close();
  }
}

/** Puts together what row groups have cut: a series goes on in the next one. */
function createGathering(source: string) {
  const found: FolderSeries[] = [];
  const seen = new Set<string>();
  let name: string | undefined;
  let t: Float64Array[] = [];
  let v: Float64Array[] = [];

  function close(): void {
    if (name === undefined) return;
    const one = onGrid(`${source}/${name}`, joined(t), joined(v));
    // A series that begins a second time is out of order as a whole.
    found.push(seen.has(name) ? { ...one, fault: 'its rows do not lie together' } : one);
    seen.add(name);
    t = [];
    v = [];
  }

  return {
    add(columns: Columns): void {
      const { series } = columns;
      for (let from = 0; from < series.length; ) {
        let to = from + 1;
        while (to < series.length && series[to] === series[from]) to++;
        if (series[from] !== name) {
          close();
          name = series[from];
        }
        t.push(columns.t.subarray(from, to));
        v.push(columns.v.subarray(from, to));
        from = to;
      }
    },
    end(): FolderSeries[] {
      close();
      return found;
    },
  };
}

function joined(parts: readonly Float64Array[]): Float64Array {
  if (parts.length === 1 && parts[0] !== undefined) return parts[0];
  const whole = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** From rows to one value per step. A series with a fault keeps its values in the order of its rows. */
export function onGrid(name: string, t: Float64Array, v: Float64Array): FolderSeries {
  const startMs = (t[0] ?? 0) * 1000;
  const faulty = (fault: string, stepMs = 60_000): FolderSeries => ({
    name,
    startMs,
    stepMs,
    values: v.slice(),
    fault,
  });
  let step = Number.POSITIVE_INFINITY;
  for (let i = 1; i < t.length; i++) {
    const gap = (t[i] ?? Number.NaN) - (t[i - 1] ?? Number.NaN);
    if (!(gap > 0)) return faulty('its time does not increase');
    step = Math.min(step, gap);
  }
  if (t.length < 2) return faulty('it has one point');
  const length = ((t.at(-1) ?? 0) - (t[0] ?? 0)) / step + 1;
  if (!Number.isInteger(step)) return faulty('its step is no whole second');
  if (length > MOST_GAPS * t.length) return faulty('nearly all of its points are missing', step * 1000);
  const values = new Float64Array(Math.floor(length)).fill(Number.NaN);
  for (let i = 0; i < t.length; i++) {
    const at = ((t[i] ?? 0) - (t[0] ?? 0)) / step;
    if (!Number.isInteger(at))
      return faulty(`its times are no multiples of its step of ${step} s`, step * 1000);
    values[at] = v[i] ?? Number.NaN;
  }
  if (values.some((value) => value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY))
    return { name, startMs, stepMs: step * 1000, values, fault: 'it has infinite values' };
  return { name, startMs, stepMs: step * 1000, values, fault: undefined };
}

function invalid(file: string, why: string, cause?: unknown): ForesailError {
  return new ForesailError('DATA_INVALID', 'terminal', `${file}: ${why}`, {
    subject: file,
    ...(cause === undefined ? {} : { cause }),
  });
}
