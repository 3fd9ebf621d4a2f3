/** Who we are to a registry: from a Secret as `kubectl create secret docker-registry` makes it, or from plain keys. */
import { z } from 'zod';
import { authorizationOf, badKey, basic, parsedKey, type Secret } from './secret.ts';

const KEY = '.dockerconfigjson';

const configSchema = z.object({
  auths: z.record(
    z.string(),
    z
      .object({
        auth: z.string(),
        username: z.string(),
        password: z.string(),
        identitytoken: z.string(),
        registrytoken: z.string(),
      })
      .partial(),
  ),
});

/** @returns an Authorization header; undefined where the Secret says nothing about the host */
export async function authorizationFor(host: string, secret: Secret): Promise<string | undefined> {
  const text = await secret.read(KEY);
  if (text === undefined) return authorizationOf(secret);
  const config = configSchema.safeParse(parsedKey(KEY, text, 'JSON', (json) => JSON.parse(json) as unknown));
  if (!config.success) throw badKey(KEY, 'it has no object "auths" of registries');
  const entry = Object.entries(config.data.auths).find(([name]) => hostOf(name) === host)?.[1];
  if (entry === undefined) return undefined;
  const { auth, username, password, identitytoken, registrytoken } = entry;
  if (registrytoken !== undefined) return `Bearer ${registrytoken}`;
  if (username !== undefined && password !== undefined) return basic(username, password);
  if (auth !== undefined && auth !== '') {
    const [, user, pass] = /^([^:]+):(.+)$/s.exec(Buffer.from(auth, 'base64').toString('utf8')) ?? [];
    if (user === undefined || pass === undefined)
      throw badKey(KEY, `auth of ${host} is not <user>:<password> in base64`);
    return basic(user, pass);
  }
  if (identitytoken !== undefined)
    throw badKey(KEY, `identitytoken of ${host} is not supported; use a user and a password`);
  return undefined;
}

/** Written with and without a scheme and a path. */
function hostOf(name: string): string {
  return name.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}
