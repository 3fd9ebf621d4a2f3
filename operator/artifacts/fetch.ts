/** Brings the pinned file of a version to its place in the model repository. Runs in the tenant's pod, as the tenant. */
import { rm } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { ForesailError, isForesailError } from '../errors.ts';
import { type CacheOptions, openCache } from './cache.ts';
import { diskRemote } from './disk.ts';
import { type Http, type HttpOptions, openHttp } from './http.ts';
import type { Remote } from './remote.ts';
import { RETRIES, type Retries, wholeFile } from './resume.ts';
import { authorizationOf, hintFor, type Secret, secretIn } from './secret.ts';
import { alreadyThere, keep, type Pinned, removeRests } from './store.ts';
import type { StoreAccess } from './store-access.ts';
import type { ArtifactUri } from './uri.ts';
import { webRemote } from './web.ts';

export interface FetchOptions extends Omit<HttpOptions, 'ca'> {
  /** The tenant's Secret as a folder; see secret.ts and docs/guides/model-artifacts.md for its keys. */
  readonly credentials?: string;
  /** The environment that says who the pod is to its cloud; absent: it is nobody. */
  readonly identity?: Readonly<Record<string, string | undefined>>;
  /** Where claims are mounted: `<folder>/<claim>`. */
  readonly claims: string;
  /** `file://` reads the image's own files; only where the administrator says so. */
  readonly allowFile: boolean;
  readonly cache?: CacheOptions;
  readonly retries?: Partial<Retries>;
}

export interface Fetched {
  readonly bytes: number;
  /** Where it came from: it was in its place already, from the node's cache, or from its store. */
  readonly from: 'place' | 'cache' | 'store';
}

/** @throws ARTIFACT_*, ADDRESS_NOT_ALLOWED, ADDRESS_UNKNOWN; `retry` says whether trying again may help */
export async function fetchArtifact(
  uri: ArtifactUri,
  place: string,
  pinned: Pinned,
  options: FetchOptions,
  signal: AbortSignal,
): Promise<Fetched> {
  await removeRests(place);
  const there = await alreadyThere(place, pinned);
  if (there !== undefined) return { bytes: there, from: 'place' };
  // Whatever else lies there must not be served when the fetch fails.
  await rm(place, { force: true });
  const cache = options.cache && openCache(options.cache);
  const taken = await cache?.take(place, pinned);
  if (taken !== undefined) return { bytes: taken, from: 'cache' };
  const bytes = await fetched(uri, place, pinned, options, signal);
  await cache?.put(place, pinned, bytes);
  return { bytes, from: 'store' };
}

async function fetched(
  uri: ArtifactUri,
  place: string,
  pinned: Pinned,
  options: FetchOptions,
  signal: AbortSignal,
): Promise<number> {
  const secret = secretIn(options.credentials);
  const ca = await secret.read('ca.crt');
  const http = openHttp({ ...options, ...(ca === undefined ? {} : { ca }) });
  const identity = options.identity && (await import('./identity.ts')).identityOf(options.identity);
  const access = { http, secret, ...(identity === undefined ? {} : { identity }) };
  try {
    const remote = await remoteOf(uri, pinned, access, options);
    const retries = { ...RETRIES, ...options.retries };
    return await keep(wholeFile(remote, pinned.maxBytes, retries, signal), place, pinned);
  } catch (error) {
    if (!signal.aborted) throw error;
    if (isForesailError(signal.reason)) throw signal.reason;
    throw new ForesailError(
      'ARTIFACT_TIMEOUT',
      'transient',
      'the file was not there within the time that is allowed for it (--timeout)',
      { cause: error },
    );
  } finally {
    await http.close();
  }
}

/** The client of a store is loaded when its scheme is asked for. */
async function remoteOf(
  uri: ArtifactUri,
  { sha256 }: Pinned,
  access: StoreAccess,
  options: FetchOptions,
): Promise<Remote> {
  switch (uri.scheme) {
    case 'https':
    case 'http':
      return fromWeb(uri.url, access.http, access.secret);
    case 's3':
      return (await import('./s3.ts')).s3Remote(uri, access);
    case 'gs':
      return (await import('./gs.ts')).gsRemote(uri, access);
    case 'oci':
      return (await import('./oci.ts')).ociRemote(uri, sha256, access);
    case 'hf':
      return (await import('./hf.ts')).hfRemote(uri, access);
    case 'pvc': {
      const volume = join(options.claims, uri.claim);
      return diskRemote(join(volume, uri.path), volume);
    }
    case 'file':
      if (!options.allowFile)
        throw new ForesailError('ARTIFACT_DENIED', 'terminal', 'file:// is not allowed here', {
          subject: 'uri',
        });
      return diskRemote(uri.path, sep);
  }
}

async function fromWeb(url: URL, http: Http, secret: Secret): Promise<Remote> {
  const authorization = await authorizationOf(secret);
  const hint = hintFor('token, or username and password', authorization !== undefined);
  return webRemote(http, { url, authorization, hint });
}
