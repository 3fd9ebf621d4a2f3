/**
 * Google Cloud Storage. Getting a token is Google's own library's part; the file is then one GET, which goes the way of
 * every other file here.
 */
import { z } from 'zod';
import { ForesailError, isForesailError } from '../errors.ts';
import { bytesOf, checkStatus, type Http, type Outgoing } from './http.ts';
import { IDENTITY_HINT } from './identity.ts';
import type { Remote } from './remote.ts';
import { remoteAfter } from './remote.ts';
import { badKey, hintFor, originKey, parsedKey } from './secret.ts';
import type { StoreAccess } from './store-access.ts';
import { webRemote } from './web.ts';
import { isSame, type Writable } from './writable.ts';

const STORE = 'https://storage.googleapis.com';
const SCOPES = 'https://www.googleapis.com/auth/devstorage';
type Scope = 'read_only' | 'read_write';
const MOST_BYTES = 65_536;
/** KServe's name for the file first, then that of the variable which points to it. */
const KEYS = ['gcloud-application-credentials.json', 'GOOGLE_APPLICATION_CREDENTIALS'] as const;

const nonEmpty = z.string().min(1);
/** Other kinds read files, run programs or ask any address for a token. */
const credentialsFile = z.discriminatedUnion('type', [
  z.object({ type: z.literal('service_account'), client_email: nonEmpty, private_key: nonEmpty }),
  z.object({
    type: z.literal('authorized_user'),
    client_id: nonEmpty,
    client_secret: nonEmpty,
    refresh_token: nonEmpty,
  }),
]);
type CredentialsFile = z.output<typeof credentialsFile>;

interface Where {
  readonly bucket: string;
  readonly key: string;
}

export function gsRemote({ bucket, key }: Where, access: StoreAccess, scope: Scope = 'read_only'): Remote {
  return remoteAfter(async (signal) => {
    const { origin, authorization, hint } = await opened(access, scope, signal);
    const path = `/storage/v1/b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(key)}?alt=media`;
    return webRemote(access.http, { url: new URL(`${origin}${path}`), authorization, hint });
  });
}

export function gsWritable({ bucket, key }: Where, access: StoreAccess): Writable {
  const name = `gs://${bucket}/${key}`;
  const remote = gsRemote({ bucket, key }, access, 'read_write');
  return {
    name,
    async create(content, signal) {
      const { origin, authorization, hint } = await opened(access, 'read_write', signal);
      const query = `uploadType=media&ifGenerationMatch=0&name=${encodeURIComponent(key)}`;
      const answer = await access.http.send(
        {
          origin,
          path: `/upload/storage/v1/b/${encodeURIComponent(bucket)}/o?${query}`,
          method: 'POST',
          headers: {
            'content-type': 'application/octet-stream',
            ...(authorization === undefined ? {} : { authorization }),
          },
          body: content,
        },
        signal,
      );
      await answer.body.dump({ limit: MOST_BYTES, signal }).catch(() => {});
      // Generation 0 is asked for: there must be none.
      if (answer.statusCode === 412) return false;
      checkStatus(origin, answer, hint);
      return true;
    },
    holds: async (content, signal) => isSame(content, (await remote.open(0, signal)).pieces),
  };
}

interface Opened {
  readonly origin: string;
  readonly authorization: string | undefined;
  /** Where to look when the store says no. */
  readonly hint: string;
}

async function opened(access: StoreAccess, scope: Scope, signal: AbortSignal): Promise<Opened> {
  const emulator = await access.secret.read('STORAGE_EMULATOR_HOST');
  const own = await tokenOf(access, scope, signal);
  const token = own ?? (await access.identity?.google(signal));
  return {
    origin: emulator === undefined ? STORE : originKey('STORAGE_EMULATOR_HOST', emulator),
    authorization: token === undefined ? undefined : `Bearer ${token}`,
    hint: own === undefined && token !== undefined ? IDENTITY_HINT : hintFor(KEYS[0], token !== undefined),
  };
}

/** What the Secret says; undefined where it says nothing. */
async function tokenOf(
  { http, secret }: StoreAccess,
  scope: Scope,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const key of KEYS) {
    // oxlint-disable-next-line no-await-in-loop -- the first that is there
    const text = await secret.read(key);
    if (text !== undefined) return tokenFor(key, text, { http, scope }, signal);
  }
  return secret.read('token');
}

interface Asker {
  readonly http: Http;
  readonly scope: Scope;
}

async function tokenFor(key: string, text: string, asker: Asker, signal: AbortSignal): Promise<string> {
  const file = parsedKey(key, text, 'JSON', (json) => JSON.parse(json) as unknown);
  const known = credentialsFile.safeParse(file);
  if (!known.success) {
    const at = known.error.issues[0]?.path.join('.') ?? '';
    throw badKey(
      key,
      `it must be the file of a service_account or an authorized_user${at === '' ? '' : `; look at its ${at}`}`,
    );
  }
  try {
    const { token } = await (await clientOf(known.data, asker, signal)).getAccessToken();
    if (token === null || token === undefined) throw badKey(key, 'no token was given for it');
    return token;
  } catch (error) {
    signal.throwIfAborted();
    throw ownError(error) ?? denied(key, error);
  }
}

async function clientOf(file: CredentialsFile, { http, scope }: Asker, signal: AbortSignal) {
  const { JWT, UserRefreshClient } = await import('google-auth-library');
  const transporterOptions = { fetchImplementation: fetchOver(http, signal), retry: false };
  if (file.type === 'service_account')
    return new JWT({
      email: file.client_email,
      key: file.private_key,
      scopes: [`${SCOPES}.${scope}`],
      transporterOptions,
    });
  return new UserRefreshClient({
    clientId: file.client_id,
    clientSecret: file.client_secret,
    refreshToken: file.refresh_token,
    transporterOptions,
  });
}

/** The library's requests go out the guarded way. Its redirects are not followed, its answers are short. */
function fetchOver(http: Http, signal: AbortSignal): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const { origin, pathname, search } = new URL(request.url);
    const outgoing: Outgoing = {
      origin,
      path: `${pathname}${search}`,
      method: request.method,
      headers: Object.fromEntries(request.headers),
      body: request.body === null ? null : Buffer.from(await request.arrayBuffer()),
    };
    const answer = await http.send(outgoing, signal);
    const body = await bytesOf(origin, answer, MOST_BYTES, signal);
    const headers = Object.entries(answer.headers).map(([name, value]): [string, string] => [
      name,
      String(value),
    ]);
    return new Response(new Uint8Array(body), { status: answer.statusCode, headers });
  };
}

/** The library wraps what its requests throw. */
function ownError(error: unknown): ForesailError | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if (isForesailError(at)) return at;
  return undefined;
}

/** Without the cause: it holds the request, which holds what it was signed with. */
function denied(key: string, error: unknown): ForesailError {
  const status = Number((error as { status?: unknown }).status);
  if (status >= 500 || status === 429)
    return new ForesailError('ARTIFACT_UNREACHABLE', 'transient', `Google's token service answers ${status}`);
  const why = Number.isNaN(status) ? 'no token can be signed with it' : `it gets no token (${status})`;
  return badKey(key, why);
}
