/** S3 and what speaks like it, by the official client, whose requests go out the guarded way. */
import type { GetObjectCommandOutput, S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { ForesailError, isForesailError, messageOf } from '../errors.ts';
import type { Http } from './http.ts';
import { invalidAnswer, statusError, unreachable } from './http.ts';
import { IDENTITY_HINT, type Identity } from './identity.ts';
import type { Part, Remote } from './remote.ts';
import { remoteAfter } from './remote.ts';
import { badKey, hintFor, originKey } from './secret.ts';
import type { StoreAccess } from './store-access.ts';
import { sameTag } from './web.ts';
import { isSame, type Writable } from './writable.ts';

const KEYS = 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
const DEFAULT_REGION = 'us-east-1';
const SESSION = 'foresail';

interface Where {
  readonly bucket: string;
  readonly key: string;
}

export function s3Remote(where: Where, access: StoreAccess): Remote {
  return remoteAfter(async (signal) => {
    const { client, hint } = await opened(access, signal);
    return objectOf(client, where, hint);
  });
}

export function s3Writable({ bucket, key }: Where, access: StoreAccess): Writable {
  const name = `s3://${bucket}/${key}`;
  const remote = s3Remote({ bucket, key }, access);
  return {
    name,
    async create(content, signal) {
      const { client, hint } = await opened(access, signal);
      const { PutObjectCommand } = await import('@aws-sdk/client-s3');
      try {
        // Refused by the store itself when somebody was faster.
        const put = new PutObjectCommand({ Bucket: bucket, Key: key, Body: content, IfNoneMatch: '*' });
        await client.send(put, { abortSignal: signal });
        return true;
      } catch (error) {
        signal.throwIfAborted();
        const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
        // 409: another one is being written at this moment.
        if (status === 412) return false;
        if (status === 409) throw statusError(name, 503, hint);
        throw faultOf(name, error, hint);
      }
    },
    holds: async (content, signal) => isSame(content, (await remote.open(0, signal)).pieces),
  };
}

interface Opened {
  readonly client: S3Client;
  /** Where to look when the store says no. */
  readonly hint: string;
}

async function opened({ http, secret, identity }: StoreAccess, signal: AbortSignal): Promise<Opened> {
  const [endpoint, region, id, key, sessionToken, virtualBucket] = await Promise.all([
    secret.first('AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3'),
    secret.first('AWS_REGION', 'AWS_DEFAULT_REGION'),
    secret.read('AWS_ACCESS_KEY_ID'),
    secret.read('AWS_SECRET_ACCESS_KEY'),
    secret.read('AWS_SESSION_TOKEN'),
    secret.read('S3_USE_VIRTUAL_BUCKET'),
  ]);
  if ((id === undefined) !== (key === undefined))
    throw badKey(
      id === undefined ? 'AWS_ACCESS_KEY_ID' : 'AWS_SECRET_ACCESS_KEY',
      'it is missing, and the other half is there',
    );
  const shared = {
    region: region ?? identity?.awsRegion ?? DEFAULT_REGION,
    requestHandler: handlerOver(http, signal),
    // One place tries again (resume.ts, put.ts).
    maxAttempts: 1,
  };
  const given =
    id !== undefined && key !== undefined
      ? { accessKeyId: id, secretAccessKey: key, ...(sessionToken === undefined ? {} : { sessionToken }) }
      : identity && (await keysOf(identity, shared, signal));
  const { S3Client: Client } = await import('@aws-sdk/client-s3');
  const client = new Client({
    ...shared,
    ...(given === undefined ? UNSIGNED : { credentials: given }),
    ...(endpoint === undefined ? {} : { endpoint: originKey('AWS_ENDPOINT_URL', endpoint) }),
    // Stores of one's own rarely have a name per bucket.
    forcePathStyle: endpoint !== undefined && virtualBucket?.toLowerCase() !== 'true',
    followRegionRedirects: true,
    // The pin is a better one than any the store has; and not every store knows the newest checksums.
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestChecksumCalculation: 'WHEN_REQUIRED',
    // Our way out cannot wait for the store's leave before it sends a body.
    expectContinueHeader: false,
  });
  return {
    client,
    hint: id === undefined && given !== undefined ? IDENTITY_HINT : hintFor(KEYS, given !== undefined),
  };
}

/** A public bucket. */
const UNSIGNED: Pick<S3ClientConfig, 'credentials' | 'signer'> = {
  credentials: { accessKeyId: '', secretAccessKey: '' },
  signer: { sign: async (request) => request },
};

async function keysOf(
  identity: Identity,
  shared: { readonly region: string; readonly requestHandler: Handler },
  signal: AbortSignal,
) {
  const who = await identity.aws(signal);
  if ('accessKeyId' in who) return who;
  const { fromTokenFile } = await import('@aws-sdk/credential-provider-web-identity');
  const { endpoint, ...role } = who;
  return fromTokenFile({
    ...role,
    roleSessionName: SESSION,
    clientConfig: { ...shared, ...(endpoint === undefined ? {} : { endpoint }) },
  });
}

function objectOf(client: S3Client, { bucket, key }: Where, hint: string): Remote {
  const name = `s3://${bucket}`;
  let seen: string | undefined;
  return {
    async open(from, signal): Promise<Part> {
      const { GetObjectCommand } = await import('@aws-sdk/client-s3');
      const range = from === 0 ? {} : { Range: `bytes=${from}-` };
      let answer: GetObjectCommandOutput;
      try {
        answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key, ...range }), {
          abortSignal: signal,
        });
      } catch (error) {
        signal.throwIfAborted();
        throw faultOf(name, error, hint);
      }
      seen = sameTag(name, seen, answer.ETag);
      const pieces = answer.Body as AsyncIterable<Uint8Array> | undefined;
      if (pieces === undefined) throw invalidAnswer(name, 'has no body');
      const [, start, whole] = /^bytes (\d+)-\d+\/(\d+)$/.exec(answer.ContentRange ?? '') ?? [];
      const size = whole === undefined ? answer.ContentLength : Number(whole);
      return {
        start: Number(start ?? 0),
        ...(size === undefined ? {} : { size }),
        pieces: piecesOf(name, pieces, signal),
      };
    },
  };
}

async function* piecesOf(
  name: string,
  pieces: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* pieces;
  } catch (cause) {
    throw unreachable(name, 'ends before its file does', signal, cause);
  }
}

/** About the keys, whatever number comes with them: AWS says 400 to an old token, others 404 to an unknown key. */
const ABOUT_KEYS = /AccessKey|Signature|Token|Authorization|UserNotFound/;

/** The store's own word (`SignatureDoesNotMatch`) is worth more than its number. Messages may hold keys: not repeated. */
function faultOf(name: string, error: unknown, hint: string): ForesailError {
  if (isForesailError(error)) return error;
  const { name: word = '', $metadata } = error as {
    name?: string;
    $metadata?: { httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  if (status !== undefined)
    return statusError(`${name} (${word})`, ABOUT_KEYS.test(word) ? 403 : status, hint);
  // The clock, a malformed key, a token file that is not there.
  return new ForesailError(
    'ARTIFACT_CREDENTIALS',
    'terminal',
    `${name}: no signed request can be made (${word}: ${messageOf(error)}); ${hint}`,
  );
}

type Handler = Extract<NonNullable<S3ClientConfig['requestHandler']>, { handle: unknown }>;
type Sent = Parameters<Handler['handle']>;

function handlerOver(http: Http, whole: AbortSignal): Handler {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle(request: Sent[0], options: Sent[1]) {
      const { protocol, hostname, port, path, query, method, headers, body } = request;
      const answer = await http.send(
        {
          origin: `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`,
          path: `${path}${queryOf(query)}`,
          method: method as 'GET' | 'POST' | 'PUT',
          headers,
          body: body as string | Uint8Array | null | undefined,
        },
        (options?.abortSignal as AbortSignal | undefined) ?? whole,
      );
      const named = Object.entries(answer.headers).map(([name, value]): [string, string] => [
        name,
        String(value),
      ]);
      return {
        response: {
          statusCode: answer.statusCode,
          headers: Object.fromEntries(named),
          body: answer.body as unknown,
        },
      };
    },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  } as Handler;
}

/** As it was signed: in the alphabet of RFC 3986, sorted. */
function queryOf(query: Sent[0]['query']): string {
  const escape = (text: string) =>
    encodeURIComponent(text).replace(
      /[!'()*]/g,
      (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  const pairs = Object.entries(query ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value]).map((one) => `${escape(name)}=${escape(one ?? '')}`),
    );
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}
