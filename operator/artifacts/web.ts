/**
 * Files over HTTP(S). Every hop is a URL that somebody else chose, so each is checked as the first one was: its scheme,
 * and the address that its name leads to. Credentials go to the first host alone.
 */
import { ForesailError } from '../errors.ts';
import { checkStatus, type Http, type Incoming, invalidAnswer, unreachable } from './http.ts';
import type { Remote } from './remote.ts';

const MOST_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface WebFile {
  readonly url: URL;
  readonly authorization?: string | undefined;
  /** Where to look when the store denies it. */
  readonly hint: string;
}

/** @returns a file whose opening throws ARTIFACT_* and ADDRESS_NOT_ALLOWED */
export function webRemote(http: Http, { url, authorization, hint }: WebFile): Remote {
  let seen: string | undefined;
  return {
    async open(from, signal) {
      const headers = {
        ...(from === 0 ? {} : { range: `bytes=${from}-` }),
        // A weak tag says nothing about bytes; a server ignores a range under one.
        ...(from === 0 || seen === undefined || seen.startsWith('W/') ? {} : { 'if-range': seen }),
      };
      const { origin, answer } = await follow(http, url, { authorization, headers, signal });
      const rest = answer.statusCode === 206 ? contentRange(origin, answer) : { start: 0 };
      try {
        checkStatus(origin, answer, hint);
        seen = sameTag(origin, seen, answer.headers['etag']);
        if (rest.start > from) throw invalidAnswer(origin, 'leaves out a part of the file');
      } catch (error) {
        answer.body.on('error', () => {}).destroy();
        throw error;
      }
      const size = rest.size ?? lengthOf(answer);
      return { ...rest, ...(size === undefined ? {} : { size }), pieces: piecesOf(origin, answer, signal) };
    },
  };
}

interface Hop {
  readonly authorization?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** The answer at the end of the redirects, and which origin gave it. */
export async function follow(
  http: Http,
  url: URL,
  { authorization, headers, signal }: Hop,
): Promise<{ readonly origin: string; readonly answer: Incoming }> {
  let hop = url;
  for (let redirects = 0; ; redirects++) {
    const { origin, pathname, search } = hop;
    const own = authorization !== undefined && origin === url.origin ? { authorization } : {};
    // oxlint-disable-next-line no-await-in-loop -- the next hop is in the answer
    const answer = await http.send(
      { origin, path: `${pathname}${search}`, headers: { ...headers, ...own } },
      signal,
    );
    const location = answer.headers.location;
    if (!REDIRECTS.has(answer.statusCode) || typeof location !== 'string') return { origin, answer };
    // oxlint-disable-next-line no-await-in-loop -- as above
    await answer.body.dump({ limit: 16_384, signal }).catch(() => {});
    if (redirects === MOST_REDIRECTS) throw refused('it redirects too often');
    hop = target(location, hop, http.allowHttp);
  }
}

function target(location: string, from: URL, allowHttp: boolean): URL {
  const to = URL.parse(location, from.href);
  if (to === null) throw refused(`${from.origin} redirects to what is not a URL`);
  if (to.username !== '' || to.password !== '')
    throw refused(`${from.origin} redirects to a URL with credentials`);
  if (to.protocol !== 'https:' && !(allowHttp && to.protocol === 'http:'))
    throw refused(`${from.origin} redirects to ${to.protocol}, which is not https`);
  return to;
}

function refused(text: string): ForesailError {
  return new ForesailError('ARTIFACT_REDIRECT', 'terminal', text);
}

function contentRange(origin: string, { headers }: Incoming): { start: number; size?: number } {
  const [, start, size] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(String(headers['content-range'])) ?? [];
  if (start === undefined) throw invalidAnswer(origin, 'does not say which part of the file it is');
  return { start: Number(start), ...(size === '*' ? {} : { size: Number(size) }) };
}

function lengthOf({ statusCode, headers }: Incoming): number | undefined {
  const length = headers['content-length'];
  return statusCode === 206 || typeof length !== 'string' ? undefined : Number(length);
}

/** @returns what to ask for next time @throws ARTIFACT_CHANGED when another file lies there by now */
export function sameTag(origin: string, before: string | undefined, now: unknown): string | undefined {
  if (typeof now !== 'string') return before;
  if (before === undefined || before === now) return now;
  throw new ForesailError('ARTIFACT_CHANGED', 'conflict', `${origin}: the file changed while it was read`);
}

async function* piecesOf(
  origin: string,
  { body }: Incoming,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw unreachable(origin, 'ends before its file does', signal, cause);
  }
}
