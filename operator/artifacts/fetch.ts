/** Brings the pinned file of a version to its place in the model repository. Runs in the tenant's pod, as the tenant. */
import { createReadStream } from 'node:fs';
import { lstat, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { ForesailError, messageOf } from '../errors.ts';
import { alreadyThere, keep, type Pinned } from './store.ts';
import type { ArtifactUri } from './uri.ts';
import { fromWeb, type WebOptions } from './web.ts';

export interface FetchOptions extends WebOptions {
  /** Where claims are mounted: `<folder>/<claim>`. */
  readonly claims: string;
  /** `file://` reads the image's own files; only where the administrator says so. */
  readonly allowFile: boolean;
}

export interface Fetched {
  readonly bytes: number;
  /** True when the file was there and nothing was transferred. */
  readonly cached: boolean;
}

/** @throws ARTIFACT_* and ADDRESS_NOT_ALLOWED; `retry` says whether trying again may help */
export async function fetchArtifact(
  uri: ArtifactUri,
  place: string,
  pinned: Pinned,
  options: FetchOptions,
  signal: AbortSignal,
): Promise<Fetched> {
  const there = await alreadyThere(place, pinned);
  if (there !== undefined) return { bytes: there, cached: true };
  return { bytes: await keep(await contentOf(uri, options, signal), place, pinned), cached: false };
}

async function contentOf(
  uri: ArtifactUri,
  options: FetchOptions,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  switch (uri.scheme) {
    case 'https':
    case 'http':
      return fromWeb(uri.url, options, signal);
    case 'pvc': {
      const volume = join(options.claims, uri.claim);
      return fromDisk(join(volume, uri.path), volume, signal);
    }
    case 'file':
      if (!options.allowFile)
        throw new ForesailError('ARTIFACT_DENIED', 'terminal', 'file:// is not allowed here', {
          subject: 'uri',
        });
      return fromDisk(uri.path, sep, signal);
  }
}

/** A link on a volume that leads out of it would read another file of the pod. */
async function fromDisk(
  path: string,
  volume: string,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const missing = (cause: unknown): never => {
    throw new ForesailError('ARTIFACT_NOT_FOUND', 'terminal', `${path}: ${messageOf(cause)}`, { cause });
  };
  const real = await realpath(path).catch(missing);
  const root = await realpath(volume).catch(missing);
  if (!real.startsWith(root.endsWith(sep) ? root : root + sep))
    throw new ForesailError('ARTIFACT_DENIED', 'terminal', `${path} leads out of its volume`);
  if (!(await lstat(real)).isFile())
    throw new ForesailError('ARTIFACT_NOT_FOUND', 'terminal', `${path} is not a file`);
  return createReadStream(real, { signal });
}
