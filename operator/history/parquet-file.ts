/**
 * One Parquet file of history: a row per series and stretch of time,
 * `series (string), start (timestamp, ms), step (int32, ms), values (list of float, NaN = unknown)`.
 * pandas and pyarrow read it as it is. Parquet as written here has no checksum of its own, so one stands in the name.
 */
import type { WriteStream } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import parquet from '@dsnp/parquetjs';
import { parquetMetadata, parquetRead } from 'hyparquet';
import { ForesailError } from '../errors.ts';
import { checksumOf, fileName, TEMPORARY_PREFIX } from './files.ts';
import type { DirtyRun } from './memory-store.ts';

export const MAX_FILE_BYTES = 64 * 1024 * 1024;
const MAX_ROWS = 200_000;
const MAX_UNPACKED_BYTES = 256 * 1024 * 1024;
const MAX_VALUES_PER_ROW = 90_000;
/** What the library calls a stream; of it only `write` and `end` are used, which any Writable has. */
type FileSink = Pick<WriteStream, 'write' | 'end'>;
/** Rows per row group: a group is held in memory while it is written. */
const ROW_GROUP = 200;
const COLUMNS = [
  'series:BYTE_ARRAY:REQUIRED',
  'start:INT64:REQUIRED',
  'step:INT32:REQUIRED',
  'values:FLOAT:REPEATED',
];

const SCHEMA = new parquet.ParquetSchema({
  series: { type: 'UTF8', compression: 'GZIP' },
  start: { type: 'TIMESTAMP_MILLIS', compression: 'GZIP' },
  step: { type: 'INT32', compression: 'GZIP' },
  values: { type: 'FLOAT', repeated: true, compression: 'GZIP' },
});

/** Writes beside the target, syncs, renames: a reader sees the whole file or none. Returns the file's name. */
export async function writeRuns(
  folder: string,
  day: number,
  sequence: number,
  runs: readonly DirtyRun[],
): Promise<string> {
  const content = await encodeRuns(runs);
  const temporary = join(folder, `${TEMPORARY_PREFIX}${sequence}`);
  try {
    const handle = await open(temporary, 'w');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    const name = fileName(day, sequence, checksumOf(content));
    await rename(temporary, join(folder, name));
    await sync(folder);
    return name;
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

/** The library writes into memory, a few megabytes: its own file stream loses the error of a full disk. */
async function encodeRuns(runs: readonly DirtyRun[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  const writer = await parquet.ParquetWriter.openStream(SCHEMA, sink as unknown as FileSink, {
    rowGroupSize: ROW_GROUP,
  });
  for (const run of runs) {
    const row = {
      series: run.key,
      start: new Date(run.startMs),
      step: run.stepMs,
      values: Array.from(run.values),
    };
    // oxlint-disable-next-line no-await-in-loop -- a file is written from front to back
    await writer.appendRow(row);
  }
  await writer.close();
  return Buffer.concat(chunks);
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function bad(message: string, cause?: unknown): ForesailError {
  return new ForesailError('HISTORY_FILE_INVALID', 'terminal', message, { cause });
}

/** @throws HISTORY_FILE_INVALID for anything that is not a whole file of ours */
export async function readRuns(bytes: Uint8Array): Promise<DirtyRun[]> {
  if (bytes.length > MAX_FILE_BYTES)
    throw bad(`the file has ${bytes.length} bytes, at most ${MAX_FILE_BYTES}`);
  const file = Uint8Array.from(bytes).buffer;
  try {
    checkShape(file);
    let unpacked = 0;
    const rows: Record<string, unknown>[] = [];
    await parquetRead({
      file,
      rowFormat: 'object',
      compressors: {
        GZIP: (input, length) => {
          unpacked += length;
          if (unpacked > MAX_UNPACKED_BYTES) throw bad('the file unpacks to too much');
          return gunzipSync(input, { maxOutputLength: Math.max(length, 1) });
        },
      },
      onComplete: (all) => rows.push(...all),
    });
    return rows.map(toRun);
  } catch (error) {
    if (error instanceof ForesailError) throw error;
    throw bad('the file is not whole', error);
  }
}

function checkShape(file: ArrayBuffer): void {
  const metadata = parquetMetadata(file);
  const columns = metadata.schema.slice(1).map((c) => `${c.name}:${c.type}:${c.repetition_type}`);
  if (columns.join() !== COLUMNS.join()) throw bad('the file has other columns');
  if (Number(metadata.num_rows) > MAX_ROWS) throw bad(`the file has more than ${MAX_ROWS} rows`);
  let unpacked = 0;
  for (const group of metadata.row_groups) {
    for (const column of group.columns) {
      if (column.meta_data?.codec !== 'GZIP') throw bad('the file is packed by another codec');
      unpacked += Number(column.meta_data.total_uncompressed_size);
    }
  }
  if (unpacked > MAX_UNPACKED_BYTES) throw bad('the file unpacks to too much');
}

function toRun(row: Record<string, unknown>): DirtyRun {
  const { series, start, step, values } = row;
  const list: unknown = values ?? [];
  if (
    typeof series !== 'string' ||
    series.length === 0 ||
    series.length > 512 ||
    !(start instanceof Date) ||
    typeof step !== 'number' ||
    !Number.isInteger(step) ||
    step < 1000 ||
    step > 86_400_000 ||
    !Array.isArray(list) ||
    list.length > MAX_VALUES_PER_ROW
  ) {
    throw bad('the file has a row that makes no sense');
  }
  return { key: series, stepMs: step, startMs: start.getTime(), values: Float32Array.from(list as number[]) };
}
