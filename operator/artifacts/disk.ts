/** Files of a mounted volume. */
import { createReadStream } from 'node:fs';
import { lstat, realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { ForesailError, messageOf } from '../errors.ts';
import type { Remote } from './remote.ts';

/** A link on a volume that leads out of it would read another file of the pod. */
export function diskRemote(path: string, volume: string): Remote {
  return {
    async open(from, signal) {
      const missing = (cause: unknown): never => {
        throw new ForesailError('ARTIFACT_NOT_FOUND', 'terminal', `${path}: ${messageOf(cause)}`, { cause });
      };
      const real = await realpath(path).catch(missing);
      const root = await realpath(volume).catch(missing);
      if (!real.startsWith(root.endsWith(sep) ? root : root + sep))
        throw new ForesailError('ARTIFACT_DENIED', 'terminal', `${path} leads out of its volume`);
      const found = await lstat(real);
      if (!found.isFile()) throw new ForesailError('ARTIFACT_NOT_FOUND', 'terminal', `${path} is not a file`);
      return { start: from, size: found.size, pieces: createReadStream(real, { start: from, signal }) };
    },
  };
}
