/**
 * Files that were fetched before, by their digest, in a folder that outlives the pod and that several pods use at once.
 * A hit is hashed while it is copied, so what somebody changed there is never served: it is removed and fetched anew.
 * The folder only ever gains whole files (by rename) and loses the ones that were not used for longest. Whatever goes
 * wrong in it costs time, never the fetch.
 */
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { isForesailError, messageOf } from '../errors.ts';
import { keep, PART, type Pinned } from './store.ts';

export interface CacheOptions {
  readonly folder: string;
  /** Of all files together. */
  readonly maxBytes: number;
  readonly nowMs: () => number;
  readonly note: (text: string) => void;
}

export interface Cache {
  /** Copies the file to `place`; its bytes, or undefined when it is not there. */
  take(place: string, pinned: Pinned): Promise<number | undefined>;
  /** Remembers the file at `place`, which is what was pinned. */
  put(place: string, pinned: Pinned, bytes: number): Promise<void>;
}

/** A fetch that still writes is younger. */
const REST_MS = 24 * 3_600_000;

export function openCache({ folder, maxBytes, nowMs, note }: CacheOptions): Cache {
  const files = join(folder, 'sha256');
  const entryOf = ({ sha256 }: Pinned) => join(files, sha256);

  /** Until no more than `room` bytes are there. */
  const evict = async (room: number): Promise<void> => {
    const found = await listed(files);
    const rests = found.filter(({ name, usedMs }) => name.endsWith(PART) && nowMs() - usedMs > REST_MS);
    await Promise.all(rests.map(({ path }) => rm(path, { force: true })));
    const entries = found.filter(({ name }) => !name.endsWith(PART)).sort((a, b) => a.usedMs - b.usedMs);
    let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { path, bytes } of entries) {
      if (total <= room) return;
      // oxlint-disable-next-line no-await-in-loop -- no more than must go
      await rm(path, { force: true });
      total -= bytes;
    }
  };

  return {
    async take(place, pinned) {
      const entry = entryOf(pinned);
      const there = await stat(entry).catch(() => undefined);
      if (there?.isFile() !== true) return undefined;
      try {
        const bytes = await keep(createReadStream(entry), place, pinned);
        const now = new Date(nowMs());
        await utimes(entry, now, now).catch(() => {});
        return bytes;
      } catch (error) {
        // A full model volume is no fault of the cache.
        if (isForesailError(error, 'ARTIFACT_NO_SPACE')) throw error;
        note(`the cache's ${pinned.sha256} is not used: ${messageOf(error)}`);
        if (isForesailError(error)) await rm(entry, { force: true }).catch(() => {});
        return undefined;
      }
    },
    async put(place, pinned, bytes) {
      if (bytes > maxBytes) return;
      try {
        await mkdir(files, { recursive: true });
        await evict(maxBytes - bytes);
        await keep(createReadStream(place), entryOf(pinned), pinned);
      } catch (error) {
        note(`the file is not kept in the cache: ${messageOf(error)}`);
      }
    },
  };
}

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly usedMs: number;
}

/** Others remove files while we look. */
async function listed(folder: string): Promise<Entry[]> {
  const names = await readdir(folder);
  const entries = await Promise.all(
    names.map(async (name): Promise<Entry[]> => {
      const path = join(folder, name);
      const found = await stat(path).catch(() => undefined);
      return found?.isFile() === true ? [{ name, path, bytes: found.size, usedMs: found.mtimeMs }] : [];
    }),
  );
  return entries.flat();
}
