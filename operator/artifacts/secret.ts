/**
 * The tenant's Secret as kubelet mounts it: a folder with a file per key. Its keys are the names that KServe's users
 * know. Nothing else is read for credentials, above all not the environment that the image or the operator brings.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ForesailError, messageOf } from '../errors.ts';

export interface Secret {
  /** A key's value without the newline that editors leave; undefined when the Secret has no such key. */
  read(key: string): Promise<string | undefined>;
  /** The first of the keys that is there. */
  first(...keys: readonly string[]): Promise<string | undefined>;
}

/** @param folder absent: there is no Secret, and every key is absent */
export function secretIn(folder: string | undefined): Secret {
  const read = async (key: string): Promise<string | undefined> => {
    if (folder === undefined) return undefined;
    const text = await readFile(join(folder, key), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw badKey(key, messageOf(error));
    });
    const value = text?.trim();
    return value === '' ? undefined : value;
  };
  return {
    read,
    async first(...keys) {
      const values = await Promise.all(keys.map(read));
      return values.find((value) => value !== undefined);
    },
  };
}

/** Names the key; what it holds never stands in an error, not even in its cause: parsers quote what they read. */
export function badKey(key: string, why: string): ForesailError {
  return new ForesailError('ARTIFACT_CREDENTIALS', 'terminal', `${key} of the Secret: ${why}`, {
    subject: key,
  });
}

/** @throws ARTIFACT_CREDENTIALS */
export function parsedKey<T>(key: string, text: string, what: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch {
    throw badKey(key, `it is not ${what}`);
  }
}

/** Where to look when a store says no. */
export function hintFor(keys: string, given: boolean): string {
  return given
    ? `look at ${keys} of the Secret`
    : `no credentials are given; spec.credentialsSecretRef names a Secret with ${keys}`;
}

/** An address that the tenant names in the Secret. @throws ARTIFACT_CREDENTIALS */
export function originKey(key: string, text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '')
    throw badKey(key, 'it must be https://<host>[:<port>]');
  if (url.username !== '' || url.password !== '') throw badKey(key, 'it must not contain credentials');
  return url.origin;
}

/** `token`, or `username` and `password`, as an Authorization header. */
export async function authorizationOf(secret: Secret): Promise<string | undefined> {
  const [token, username, password] = await Promise.all(
    ['token', 'username', 'password'].map((key) => secret.read(key)),
  );
  if (token !== undefined) return `Bearer ${token}`;
  if (username === undefined || password === undefined) return undefined;
  return basic(username, password);
}

export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
