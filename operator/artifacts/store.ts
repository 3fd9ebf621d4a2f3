/**
 * A file becomes visible under its name only when it is whole and is what was pinned: it is written beside its place,
 * its digest taken on the way, flushed, and then renamed.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ForesailError } from '../errors.ts';
import { isNoSpace } from './no-space.ts';
import { tooLarge } from './resume.ts';

export interface Pinned {
  /** 64 hex digits. */
  readonly sha256: string;
  readonly maxBytes: number;
}

export const PART = '.part';

/**
 * @param chunks the file's content, in order
 * @returns bytes written
 * @throws ARTIFACT_TOO_LARGE, ARTIFACT_DIGEST_MISMATCH, ARTIFACT_NO_SPACE; what reading throws. Nothing is left behind
 *   then.
 */
export async function keep(
  chunks: AsyncIterable<Uint8Array>,
  place: string,
  { sha256, maxBytes }: Pinned,
): Promise<number> {
  await mkdir(dirname(place), { recursive: true });
  const beside = `${place}.${randomUUID()}${PART}`;
  const file = await open(beside, 'wx');
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      hash.update(chunk);
      await file.writeFile(chunk).catch(full(place, bytes));
    }
    const found = hash.digest('hex');
    if (found !== sha256) throw mismatch(sha256, found, `(${bytes} bytes)`);
    await file.sync().catch(full(place, bytes));
    await file.close();
    await rename(beside, place);
    return bytes;
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(beside, { force: true });
    throw error;
  }
}

export function mismatch(pinned: string, found: string, of: string): ForesailError {
  return new ForesailError(
    'ARTIFACT_DIGEST_MISMATCH',
    'terminal',
    `its sha256 is ${found} ${of}, pinned is ${pinned}`,
    { subject: 'sha256' },
  );
}

const full =
  (place: string, bytes: number) =>
  (cause: unknown): never => {
    if (!isNoSpace(cause)) throw cause;
    throw new ForesailError(
      'ARTIFACT_NO_SPACE',
      'terminal',
      `no space is left in ${dirname(place)} after ${bytes} bytes of the file`,
      { cause, subject: place },
    );
  };

/**
 * What a killed fetch to this place left behind. Only one process at a time fetches to a place of a model repository;
 * a volume outlives a killed container.
 */
export async function removeRests(place: string): Promise<void> {
  const folder = dirname(place);
  const names = await readdir(folder).catch((): string[] => []);
  const rests = names.filter((name) => name.startsWith(`${basename(place)}.`) && name.endsWith(PART));
  await Promise.all(rests.map((name) => rm(join(folder, name), { force: true })));
}

/** Bytes of the file at `place` if it is the pinned one. */
export async function alreadyThere(place: string, { sha256 }: Pinned): Promise<number | undefined> {
  const size = await stat(place).then(
    (found) => found.size,
    () => undefined,
  );
  if (size === undefined) return undefined;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(place)) hash.update(chunk as Uint8Array);
  return hash.digest('hex') === sha256 ? size : undefined;
}
