/**
 * Writes a file to a store, once: what lies there already must be the same bytes, or nothing is written. So whoever
 * publishes may repeat what he does not know the end of, and nobody changes a version that others have pinned.
 */
import { join, sep } from 'node:path';
import { ForesailError, isForesailError } from '../errors.ts';
import { backoffDelay } from '../kube/backoff.ts';
import { type HttpOptions, openHttp } from './http.ts';
import { RETRIES, type Retries } from './resume.ts';
import { secretIn } from './secret.ts';
import type { StoreAccess } from './store-access.ts';
import type { ArtifactUri } from './uri.ts';
import type { Writable } from './writable.ts';

export interface PutOptions extends Omit<HttpOptions, 'ca'> {
  /** The tenant's Secret as a folder, with the keys that `foresail fetch` reads. */
  readonly credentials?: string;
  /** The environment that says who the pod is to its cloud; absent: it is nobody. */
  readonly identity?: Readonly<Record<string, string | undefined>>;
  /** Where claims are mounted: `<folder>/<claim>`. */
  readonly claims: string;
  /** `file://` writes into the pod itself. */
  readonly allowFile: boolean;
  readonly retries?: Partial<Retries>;
}

export interface PutFile {
  readonly uri: ArtifactUri;
  readonly content: Uint8Array;
  /** What lies there already stays and is no fault, whatever it is: notes that a repeated run words anew. */
  readonly keepsFirst?: boolean;
}

export type Put = 'written' | 'there';

/**
 * @param files in the order in which they are written: what others read last comes first
 * @throws ARTIFACT_EXISTS when another file lies there; ARTIFACT_*, ADDRESS_NOT_ALLOWED
 */
export async function putArtifacts(
  files: readonly PutFile[],
  options: PutOptions,
  signal: AbortSignal,
): Promise<Put[]> {
  const secret = secretIn(options.credentials);
  const ca = await secret.read('ca.crt');
  const http = openHttp({ ...options, ...(ca === undefined ? {} : { ca }) });
  const identity = options.identity && (await import('./identity.ts')).identityOf(options.identity);
  const access = { http, secret, ...(identity === undefined ? {} : { identity }) };
  const done: Put[] = [];
  try {
    for (const { uri, content, keepsFirst = false } of files) {
      // oxlint-disable-next-line no-await-in-loop -- in order
      const place = await writableOf(uri, access, options);
      // oxlint-disable-next-line no-await-in-loop -- as above
      done.push(await putOnce(place, content, keepsFirst, { ...RETRIES, ...options.retries }, signal));
    }
    return done;
  } finally {
    await http.close();
  }
}

async function putOnce(
  place: Writable,
  content: Uint8Array,
  keepsFirst: boolean,
  retries: Retries,
  signal: AbortSignal,
): Promise<Put> {
  for (let attempt = 1; ; attempt++) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- again after what may pass
      if (await place.create(content, signal)) return 'written';
      // oxlint-disable-next-line no-await-in-loop -- as above
      if (keepsFirst || (await place.holds(content, signal))) return 'there';
      throw new ForesailError(
        'ARTIFACT_EXISTS',
        'terminal',
        `${place.name}: another file lies there already`,
        {
          subject: place.name,
        },
      );
    } catch (error) {
      if (!isForesailError(error) || error.retry !== 'transient' || attempt > retries.most) throw error;
      retries.note(`${error.message}; trying again`);
      const { baseMs, maxMs, random } = retries;
      const delay = { baseMs, maxMs, jitter: 0.5 };
      // oxlint-disable-next-line no-await-in-loop -- as above
      await retries.sleep(backoffDelay(delay, attempt - 1, random), signal);
    }
  }
}

/** The client of a store is loaded when its scheme is asked for. */
async function writableOf(uri: ArtifactUri, access: StoreAccess, options: PutOptions): Promise<Writable> {
  switch (uri.scheme) {
    case 's3':
      return (await import('./s3.ts')).s3Writable(uri, access);
    case 'gs':
      return (await import('./gs.ts')).gsWritable(uri, access);
    case 'pvc': {
      const volume = join(options.claims, uri.claim);
      return (await import('./disk-writable.ts')).diskWritable(join(volume, uri.path), volume);
    }
    case 'file':
      if (options.allowFile) return (await import('./disk-writable.ts')).diskWritable(uri.path, sep);
      throw new ForesailError('ARTIFACT_DENIED', 'terminal', 'file:// is not allowed here', {
        subject: 'uri',
      });
    case 'https':
    case 'http':
    case 'oci':
    case 'hf':
      throw new ForesailError(
        'ARTIFACT_URI_INVALID',
        'terminal',
        `${uri.scheme}:// cannot be written to; take s3, gs or pvc`,
        { subject: 'uri' },
      );
  }
}
