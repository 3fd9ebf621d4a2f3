/**
 * Where the API server is and how we prove who we are. Credentials are read again and again instead of kept: a
 * service account's token lives for an hour, and CA bundles are rotated too. client-node parses kubeconfig files and
 * runs the exec and OIDC plugins; the service account is read here, since client-node's own reader adds a minute of
 * its own to our cache.
 */
import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { isIPv6 } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { load } from 'js-yaml';
import { ForesailError } from '../errors.ts';

export interface TlsMaterial {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly passphrase?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsMaterial;
}

export interface Connection {
  /** Scheme, host, port and path prefix, without a slash at the end. */
  readonly server: string;
  /** The namespace of the context or of the service account. */
  readonly namespace: string;
  readonly proxyUrl?: string;
  /** Reads the credentials anew; the transport caches the answer for half a minute. */
  credentials(): Promise<Credentials>;
}

/** A connection from plain values, for tests and tools. */
export function explicitConnection(options: {
  readonly server: string;
  readonly token?: string;
  readonly tls?: TlsMaterial;
  readonly namespace?: string;
}): Connection {
  const credentials: Credentials = {
    headers: options.token === undefined ? {} : { authorization: `Bearer ${options.token}` },
    tls: options.tls ?? {},
  };
  return {
    server: serverUrl(options.server),
    namespace: options.namespace ?? 'default',
    credentials: () => Promise.resolve(credentials),
  };
}

const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

export async function inClusterConnection(
  env: NodeJS.ProcessEnv = process.env,
  folder: string = SERVICE_ACCOUNT_FOLDER,
): Promise<Connection> {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'];
  if (host === undefined || port === undefined)
    throw configError(
      'KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: not inside a cluster',
    );
  return {
    server: serverUrl(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`),
    namespace: (await readText(join(folder, 'namespace'))).trim(),
    async credentials() {
      const [token, ca] = await Promise.all([
        readText(join(folder, 'token')),
        readText(join(folder, 'ca.crt')),
      ]);
      return { headers: { authorization: `Bearer ${token.trim()}` }, tls: { ca } };
    },
  };
}

/** @param tokenFile holds the user's token and is read anew each time; it counts before a token in the kubeconfig */
export function kubeConfigConnection(config: KubeConfig, tokenFile?: string): Connection {
  const cluster = config.getCurrentCluster();
  if (cluster === null)
    throw configError(`the kubeconfig's current-context "${config.getCurrentContext()}" names no cluster`);
  const user = config.getCurrentUser();
  return {
    server: serverUrl(cluster.server),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? 'default',
    ...(cluster.proxyUrl === undefined ? {} : { proxyUrl: cluster.proxyUrl }),
    async credentials() {
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(options.headers ?? {}))
        headers[name.toLowerCase()] = String(value);
      if (user?.username !== undefined && user.username !== '')
        headers['authorization'] =
          `Basic ${Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')}`;
      if (tokenFile !== undefined) headers['authorization'] = `Bearer ${(await readText(tokenFile)).trim()}`;
      return { headers, tls: tlsOf(options) };
    },
  };
}

/** `KUBECONFIG` or a path when there is one, else the service account, else ~/.kube/config. */
export async function loadConnection(
  options: { readonly kubeconfig?: string } = {},
  env: NodeJS.ProcessEnv = process.env,
): Promise<Connection> {
  const config = new KubeConfig();
  if (options.kubeconfig !== undefined) config.loadFromFile(options.kubeconfig);
  else if (env['KUBECONFIG'] === undefined && env['KUBERNETES_SERVICE_HOST'] !== undefined)
    return inClusterConnection(env);
  else config.loadFromDefault();
  const files = options.kubeconfig === undefined ? kubeConfigFiles(env) : [options.kubeconfig];
  return kubeConfigConnection(config, await tokenFileOf(files, config.getCurrentUser()?.name));
}

function kubeConfigFiles(env: NodeJS.ProcessEnv): readonly string[] {
  const listed = env['KUBECONFIG'];
  if (listed !== undefined) return listed.split(delimiter).filter((path) => path !== '');
  return [join(env['HOME'] ?? homedir(), '.kube', 'config')];
}

/**
 * `tokenFile` of a user, which client-node leaves out. As in kubectl the first file that knows the user counts, and a
 * relative path begins at that file.
 */
async function tokenFileOf(files: readonly string[], user: string | undefined): Promise<string | undefined> {
  for (const path of files) {
    // oxlint-disable-next-line no-await-in-loop -- in order: the first one counts; one that is not there is passed over
    const text = await readFile(path, 'utf8').catch(() => undefined);
    const users = text === undefined ? undefined : (load(text) as { readonly users?: unknown } | null)?.users;
    const entry = (Array.isArray(users) ? users : []).find((each: KubeConfigUser) => each?.name === user);
    if (entry === undefined) continue;
    const file = (entry as KubeConfigUser).user?.tokenFile;
    return typeof file === 'string' && file !== '' ? resolve(dirname(path), file) : undefined;
  }
  return undefined;
}

interface KubeConfigUser {
  readonly name?: unknown;
  readonly user?: { readonly tokenFile?: unknown };
}

function tlsOf(options: RequestOptions): TlsMaterial {
  const tls: { -readonly [K in keyof TlsMaterial]: TlsMaterial[K] } = {};
  if (options.ca !== undefined) tls.ca = options.ca as string | Buffer;
  if (options.cert !== undefined) tls.cert = options.cert as string | Buffer;
  if (options.key !== undefined) tls.key = options.key as string | Buffer;
  if (options.passphrase !== undefined) tls.passphrase = options.passphrase;
  if (options.servername !== undefined) tls.servername = options.servername;
  if (options.rejectUnauthorized !== undefined) tls.rejectUnauthorized = options.rejectUnauthorized;
  return tls;
}

function serverUrl(text: string): string {
  if (!URL.canParse(text)) throw configError(`"${text}" is not the URL of an API server`);
  return text.replace(/\/+$/, '');
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new ForesailError('KUBE_CONFIG_INVALID', 'transient', `cannot read ${path}`, {
      subject: path,
      cause,
    });
  }
}

function configError(message: string): ForesailError {
  return new ForesailError('KUBE_CONFIG_INVALID', 'terminal', message);
}
