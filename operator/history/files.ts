/** Names of history files and which of them go first. Pure: the worker does what is decided here. */

import { crc32 } from 'node:zlib';

export const DAY_MS = 86_400_000;
const NAME = /^(\d{4}-\d{2}-\d{2})\.(\d{12})-([0-9a-f]{8})\.parquet(\.quarantined)?$/;
export const TEMPORARY_PREFIX = '.writing-';

export interface HistoryFile {
  readonly name: string;
  /** Days since the epoch of the load in it. */
  readonly day: number;
  /** Grows with every file that is written; where two files say different things, the higher one is right. */
  readonly sequence: number;
  readonly bytes: number;
  /** CRC-32 of the content, in hex. It stands in the name, so a file can be renamed to nothing but the truth. */
  readonly checksum: string;
  readonly quarantined: boolean;
}

export interface Retention {
  readonly days: number;
  readonly bytes: number;
}

/** `2026-11-21.000000000042-1a2b3c4d.parquet` */
export function fileName(day: number, sequence: number, checksum: string): string {
  const date = new Date(day * DAY_MS).toISOString().slice(0, 10);
  return `${date}.${String(sequence).padStart(12, '0')}-${checksum}.parquet`;
}

export function checksumOf(content: Uint8Array): string {
  return crc32(content).toString(16).padStart(8, '0');
}

/** Undefined for a name that is not ours. */
export function parseName(name: string, bytes: number): HistoryFile | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  const day = Date.parse(`${match[1]}T00:00:00Z`) / DAY_MS;
  if (!Number.isInteger(day)) return undefined;
  return {
    name,
    day,
    sequence: Number(match[2]),
    bytes,
    checksum: match[3] ?? '',
    quarantined: match[4] !== undefined,
  };
}

/** Newest day first, and within a day the file that is right first. */
export function readingOrder(files: readonly HistoryFile[]): HistoryFile[] {
  return files.filter((f) => !f.quarantined).sort((a, b) => b.day - a.day || b.sequence - a.sequence);
}

/**
 * What has to go: everything older than the kept days, then the oldest until the bytes fit; files set aside go before
 * good ones of any age, because nobody reads them but a person.
 */
export function expired(files: readonly HistoryFile[], today: number, retention: Retention): HistoryFile[] {
  const gone = files.filter((f) => f.day < today - retention.days);
  const kept = files.filter((f) => f.day >= today - retention.days);
  const order = kept.sort(byWorth);
  let bytes = order.reduce((sum, f) => sum + f.bytes, 0);
  for (const file of order) {
    if (bytes <= retention.bytes) break;
    bytes -= file.bytes;
    gone.push(file);
  }
  return gone;
}

/** The file that is missed least; undefined when there is none. */
export function firstToGo(files: readonly HistoryFile[]): HistoryFile | undefined {
  return [...files].sort(byWorth)[0];
}

/** Least worth first: what was set aside, then the oldest. */
function byWorth(a: HistoryFile, b: HistoryFile): number {
  return Number(b.quarantined) - Number(a.quarantined) || a.day - b.day || a.sequence - b.sequence;
}

/** Days with so many files that they should become one. */
export function crowdedDays(files: readonly HistoryFile[], limit: number): HistoryFile[][] {
  const days = new Map<number, HistoryFile[]>();
  for (const file of files) {
    if (!file.quarantined) days.set(file.day, [...(days.get(file.day) ?? []), file]);
  }
  return [...days.values()].filter((day) => day.length >= limit);
}
