/**
 * Files over HTTP(S). Every hop is a URL that somebody else chose, so each is checked as the first one was: its scheme,
 * and the address that its name leads to. Credentials go to the first host alone.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, type Dispatcher, request } from 'undici';
import { ForesailError, messageOf } from '../errors.ts';
import { type AddressGuard, guardedConnector } from '../net/guarded-connector.ts';

const MOST_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const CONNECT_MS = 10_000;
/** Between two pieces of an answer. */
const IDLE_MS = 30_000;

export interface WebOptions {
  readonly guard: AddressGuard;
  /** Folder with `ca.crt`, `token` (bearer), or `username` and `password`. */
  readonly credentials?: string;
  /** Unencrypted hops, for stores inside the cluster that the administrator allows. */
  readonly allowHttp: boolean;
}

/** @throws ARTIFACT_UNREACHABLE, ARTIFACT_NOT_FOUND, ARTIFACT_DENIED, ARTIFACT_REDIRECT, ADDRESS_NOT_ALLOWED */
export async function* fromWeb(
  url: URL,
  options: WebOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const ca = await secret(options.credentials, 'ca.crt');
  const authorization = await authorizationOf(options.credentials);
  let hop = url;
  for (let redirects = 0; ; redirects++) {
    if (hop.protocol !== 'https:' && !(hop.protocol === 'http:' && options.allowHttp))
      throw refused('ARTIFACT_REDIRECT', `${hop.origin} is not https`);
    const port = Number(hop.port) || (hop.protocol === 'https:' ? 443 : 80);
    const agent = new Agent({
      connect: guardedConnector(options.guard, port, ca === undefined ? {} : { ca }, CONNECT_MS),
      headersTimeout: IDLE_MS,
      bodyTimeout: IDLE_MS,
    });
    try {
      const headers = authorization !== undefined && hop.origin === url.origin ? { authorization } : {};
      // oxlint-disable-next-line no-await-in-loop -- the next hop is in the answer
      const answer = await get(hop, agent, headers, signal);
      const location = answer.headers.location;
      if (!REDIRECTS.has(answer.statusCode) || typeof location !== 'string') {
        check(hop, answer.statusCode);
        yield* piecesOf(hop, answer.body, signal);
        return;
      }
      // oxlint-disable-next-line no-await-in-loop -- as above
      await answer.body.dump();
      if (redirects === MOST_REDIRECTS) throw refused('ARTIFACT_REDIRECT', 'it redirects too often');
      hop = target(location, hop);
    } finally {
      // oxlint-disable-next-line no-await-in-loop -- one connection per hop
      await agent.destroy();
    }
  }
}

function target(location: string, from: URL): URL {
  const to = URL.parse(location, from.href);
  if (to === null) throw refused('ARTIFACT_REDIRECT', `${from.origin} redirects to what is not a URL`);
  if (to.username !== '' || to.password !== '')
    throw refused('ARTIFACT_REDIRECT', `${from.origin} redirects to a URL with credentials`);
  return to;
}

async function* piecesOf(
  url: URL,
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    throw unreachable(url, 'ends before its file does', signal, cause);
  }
}

async function get(
  url: URL,
  dispatcher: Dispatcher,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  try {
    return await request(url, { dispatcher, headers: { ...headers, 'user-agent': 'foresail' }, signal });
  } catch (cause) {
    throw unreachable(url, 'cannot be reached', signal, cause);
  }
}

/** What the signal or the guard says goes before what the connection made of it. */
function unreachable(url: URL, what: string, signal: AbortSignal, cause: unknown): ForesailError {
  signal.throwIfAborted();
  if (cause instanceof ForesailError) return cause;
  return new ForesailError(
    'ARTIFACT_UNREACHABLE',
    'transient',
    `${url.origin} ${what}: ${messageOf(cause)}`,
    {
      cause,
    },
  );
}

function check(url: URL, status: number): void {
  if (status === 200) return;
  if (status === 404 || status === 410) throw refused('ARTIFACT_NOT_FOUND', `${url.origin} has no such file`);
  if (status === 401 || status === 403)
    throw refused('ARTIFACT_DENIED', `${url.origin} denies the file (${status})`);
  throw new ForesailError('ARTIFACT_UNREACHABLE', 'transient', `${url.origin} answers ${status}`);
}

function refused(code: string, text: string): ForesailError {
  return new ForesailError(code, 'terminal', text);
}

async function authorizationOf(folder: string | undefined): Promise<string | undefined> {
  const [token, username, password] = await Promise.all(
    ['token', 'username', 'password'].map((name) => secret(folder, name)),
  );
  if (token !== undefined) return `Bearer ${token.trim()}`;
  if (username === undefined || password === undefined) return undefined;
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** A key of the Secret; undefined when it has none of that name. */
export async function secret(folder: string | undefined, name: string): Promise<string | undefined> {
  if (folder === undefined) return undefined;
  return readFile(join(folder, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
