/** A pod that fetches, as far as tests need one: a mounted Secret and an empty model volume. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isForesailError } from '../../errors.ts';
import { type Fetched, type FetchOptions, fetchArtifact } from '../fetch.ts';
import { type Put, type PutOptions, putArtifacts } from '../put.ts';
import { PART } from '../store.ts';
import { parseArtifactUri } from '../uri.ts';

export type Keys = Readonly<Record<string, string>>;

export interface Refused {
  readonly code: string;
  readonly message: string;
}

export interface Pod extends AsyncDisposable {
  /** @throws when what was fetched is not `content` */
  fetch(uri: string, content: Uint8Array, keys?: Keys, change?: Partial<FetchOptions>): Promise<Fetched>;
  put(uri: string, content: Uint8Array, keys?: Keys, change?: Partial<PutOptions>): Promise<Put>;
  /** Ends when so many bytes of what it fetches are on the disk. */
  landed(bytes: number): Promise<void>;
  /** Why it was refused; nothing is left behind then. */
  refused(uri: string, content: Uint8Array, keys?: Keys, change?: Partial<FetchOptions>): Promise<Refused>;
}

export const digestOf = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** Ends when so many bytes of the file that is fetched into `folder` are on the disk. */
export async function landed(folder: string, bytes: number): Promise<void> {
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- a poll
    const names = await readdir(folder).catch((): string[] => []);
    const part = names.find((name) => name.endsWith(PART));
    // oxlint-disable-next-line no-await-in-loop -- as above
    const found = part === undefined ? undefined : await stat(join(folder, part)).catch(() => undefined);
    if (found !== undefined && found.size >= bytes) return;
    // oxlint-disable-next-line no-await-in-loop -- as above
    await sleep(5, undefined, { ref: false });
  }
}

/** Stores are on loopback, and whatever passes is tried again at once. */
export async function startPod(): Promise<Pod> {
  const folder = await mkdtemp(join(tmpdir(), 'foresail-pod-'));
  const models = join(folder, 'models');
  const secret = async (keys: Keys): Promise<string> => {
    const credentials = await mkdtemp(join(folder, 'secret-'));
    for (const [key, value] of Object.entries(keys)) await writeFile(join(credentials, key), value);
    return credentials;
  };
  const options = {
    guard: { allowed: new Set(['loopback'] as const), apiServers: () => [] },
    allowHttp: false,
    allowFile: false,
    claims: '/nowhere',
    retries: { sleep: async () => {} },
  };
  const start = async (
    uri: string,
    content: Uint8Array,
    keys: Keys = {},
    change: Partial<FetchOptions> = {},
  ) => {
    await rm(models, { recursive: true, force: true });
    const credentials = await secret(keys);
    return fetchArtifact(
      parseArtifactUri(uri),
      join(models, 'model.onnx'),
      { sha256: digestOf(content), maxBytes: 10_000_000 },
      { ...options, credentials, ...change },
      AbortSignal.timeout(30_000),
    );
  };
  return {
    async fetch(uri, content, keys, change) {
      const fetched = await start(uri, content, keys, change);
      if (!(await readFile(join(models, 'model.onnx'))).equals(content)) throw new Error('another file');
      return fetched;
    },
    async refused(uri, content, keys, change) {
      const error = await start(uri, content, keys, change).then(
        () => undefined,
        (caught: unknown) => caught,
      );
      if (!isForesailError(error)) throw new Error(`not refused: ${String(error)}`, { cause: error });
      const left = await readdir(models).catch(() => []);
      if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
      return { code: error.code, message: error.message };
    },
    landed: (bytes) => landed(models, bytes),
    async put(uri, content, keys = {}, change = {}) {
      const credentials = await secret(keys);
      const file = { uri: parseArtifactUri(uri), content };
      const [done] = await putArtifacts(
        [file],
        { ...options, credentials, ...change },
        AbortSignal.timeout(30_000),
      );
      if (done === undefined) throw new Error('nothing was done');
      return done;
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}
