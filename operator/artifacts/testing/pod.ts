/** A pod that fetches, as far as tests need one: a mounted Secret and an empty model volume. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isForesailError } from '../../errors.ts';
import { type Fetched, type FetchOptions, fetchArtifact } from '../fetch.ts';
import { parseArtifactUri } from '../uri.ts';

export type Keys = Readonly<Record<string, string>>;

export interface Refused {
  readonly code: string;
  readonly message: string;
}

export interface Pod extends AsyncDisposable {
  /** @throws when what was fetched is not `content` */
  fetch(uri: string, content: Uint8Array, keys?: Keys, change?: Partial<FetchOptions>): Promise<Fetched>;
  /** Why it was refused; nothing is left behind then. */
  refused(uri: string, content: Uint8Array, keys?: Keys, change?: Partial<FetchOptions>): Promise<Refused>;
}

export const digestOf = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** Stores are on loopback, and whatever passes is tried again at once. */
export async function startPod(): Promise<Pod> {
  const folder = await mkdtemp(join(tmpdir(), 'foresail-pod-'));
  const models = join(folder, 'models');
  const start = async (
    uri: string,
    content: Uint8Array,
    keys: Keys = {},
    change: Partial<FetchOptions> = {},
  ) => {
    await rm(models, { recursive: true, force: true });
    const credentials = await mkdtemp(join(folder, 'secret-'));
    for (const [key, value] of Object.entries(keys)) await writeFile(join(credentials, key), value);
    return fetchArtifact(
      parseArtifactUri(uri),
      join(models, 'model.onnx'),
      { sha256: digestOf(content), maxBytes: 10_000_000 },
      {
        guard: { allowed: new Set(['loopback']), apiServers: () => [] },
        allowHttp: false,
        allowFile: false,
        claims: '/nowhere',
        credentials,
        retries: { sleep: async () => {} },
        ...change,
      },
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
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}
