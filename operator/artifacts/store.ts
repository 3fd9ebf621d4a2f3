/**
 * A file becomes visible under its name only when it is whole and is what was pinned: it is written beside its place,
 * its digest taken on the way, flushed, and then renamed. A file of that digest that is there already is not fetched.
 * One process at a time fetches to a place: what another one has begun there is taken for a killed one's rest.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ForesailError } from '../errors.ts';

export interface Pinned {
  /** 64 hex digits. */
  readonly sha256: string;
  readonly maxBytes: number;
}

/**
 * @param chunks the file's content, in order
 * @returns bytes written
 * @throws ARTIFACT_TOO_LARGE, ARTIFACT_DIGEST_MISMATCH; whatever reading and writing throw. Nothing is left behind then.
 */
export async function keep(
  chunks: AsyncIterable<Uint8Array>,
  place: string,
  { sha256, maxBytes }: Pinned,
): Promise<number> {
  await mkdir(dirname(place), { recursive: true });
  await removeRests(place);
  const beside = `${place}.${process.pid}.part`;
  const file = await open(beside, 'wx');
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > maxBytes)
        throw new ForesailError(
          'ARTIFACT_TOO_LARGE',
          'terminal',
          `the file is larger than ${maxBytes} bytes`,
        );
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    const found = hash.digest('hex');
    if (found !== sha256)
      throw new ForesailError(
        'ARTIFACT_DIGEST_MISMATCH',
        'terminal',
        `its sha256 is ${found} (${bytes} bytes), pinned is ${sha256}`,
        { subject: 'sha256' },
      );
    await file.sync();
    await file.close();
    await rename(beside, place);
    return bytes;
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(beside, { force: true });
    throw error;
  }
}

/** A volume outlives a killed container, and the next one's process often gets the same number. */
async function removeRests(place: string): Promise<void> {
  const folder = dirname(place);
  const rests = (await readdir(folder)).filter(
    (name) => name.startsWith(`${basename(place)}.`) && name.endsWith('.part'),
  );
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
