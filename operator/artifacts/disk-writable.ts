/** A new file on a mounted volume: whole under its name or not there at all, and never over another one. */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { ForesailError, messageOf } from '../errors.ts';
import { isNoSpace } from './no-space.ts';
import { PART } from './store.ts';
import { isSame, type Writable } from './writable.ts';

/** File systems without hard links: some of the network. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

export function diskWritable(path: string, volume: string): Writable {
  return {
    name: path,
    async create(content) {
      const folder = await folderInside(path, volume);
      if (await isThere(path)) return false;
      const beside = join(folder, `${randomUUID()}${PART}`);
      try {
        await writeFlushed(beside, content);
        return await named(beside, path);
      } catch (cause) {
        throw fault(path, cause);
      } finally {
        await rm(beside, { force: true });
      }
    },
    async holds(content, signal) {
      const { size } = await stat(path);
      return size === content.length && isSame(content, createReadStream(path, { signal }));
    },
  };
}

/** A link on a volume that leads out of it would write into another folder of the pod. */
async function folderInside(path: string, volume: string): Promise<string> {
  const folder = dirname(path);
  const root = await realpath(volume).catch((cause: unknown) => {
    throw new ForesailError('ARTIFACT_NOT_FOUND', 'terminal', `${volume}: ${messageOf(cause)}`, { cause });
  });
  const inside = (real: string): boolean =>
    real === root || real.startsWith(root.endsWith(sep) ? root : root + sep);
  const denied = new ForesailError('ARTIFACT_DENIED', 'terminal', `${path} leads out of its volume`);
  // What exists of the path is looked at before anything is made below it.
  let above = folder;
  while (!(await isThere(above))) above = dirname(above);
  if (!inside(await realpath(above))) throw denied;
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw fault(path, cause);
  });
  const real = await realpath(folder);
  if (!inside(real)) throw denied;
  return real;
}

async function writeFlushed(place: string, content: Uint8Array): Promise<void> {
  const file = await open(place, 'wx', 0o644);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A hard link fails where a name is taken; a rename would replace it. */
async function named(beside: string, path: string): Promise<boolean> {
  try {
    await link(beside, path);
    return true;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (!NO_LINKS.has(code)) throw error;
    if (await isThere(path)) return false;
    await rename(beside, path);
    return true;
  }
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function fault(path: string, cause: unknown): ForesailError {
  const full = isNoSpace(cause);
  return new ForesailError(
    full ? 'ARTIFACT_NO_SPACE' : 'ARTIFACT_DENIED',
    'terminal',
    full ? `no space is left in ${dirname(path)}` : `${path}: ${messageOf(cause)}`,
    { cause, subject: path },
  );
}
