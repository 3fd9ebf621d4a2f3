/**
 * Real artifact stores on loopback for tests: an S3 gateway, an OCI registry, Google Cloud Storage's double. Each dies
 * with the process that started it, kill -9 too.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Certificate, selfSigned } from '../operator/metricsources/testing/certificate.ts';
import { type Binaries, binary, ensureBinaries, STORE_TOOLS } from './binaries.ts';
import { eventually } from './eventually.ts';

export interface Stores extends AsyncDisposable {
  /** Its own authority; every store but `gcs` serves with it. */
  readonly certificate: Certificate;
  readonly s3: { readonly origin: string; readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly gcs: { readonly origin: string };
  /** Wants a user and a password. */
  readonly basicRegistry: { readonly host: string; readonly username: string; readonly password: string };
  /** Wants a token of `realm`, signed with the certificate's key, for `service` by `issuer`. */
  readonly tokenRegistry: { readonly host: string; readonly issuer: string; readonly service: string };
}

export interface StoresOptions {
  /** Files of Google Cloud Storage by `<bucket>/<object>`. */
  readonly objects: Readonly<Record<string, Uint8Array>>;
  /** Where the registry sends clients for tokens. */
  readonly realm: string;
  readonly certificate?: Certificate;
}

const S3_KEYS = { accessKeyId: 'TESTKEYID', secretAccessKey: 'test-secret-of-nobody' };
const USER = { username: 'reader', password: 'correct' };
/** Of that password, at the lowest cost. */
const BCRYPT = '$2a$04$vQ38PQhxfCvPI5n9MIJql.YXO2vhWrDS4BmUQTICjVHD2EPVHFDVC';
const TOKENS = { issuer: 'foresail test', service: 'registry.test' };

export async function startStores({
  objects,
  realm,
  certificate = selfSigned(),
}: StoresOptions): Promise<Stores> {
  const binaries = await ensureBinaries(STORE_TOOLS);
  const folder = await mkdtemp(join(tmpdir(), 'foresail-stores-'));
  const [cert, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  await writeFile(cert, certificate.cert);
  await writeFile(key, certificate.key);
  await writeFile(join(folder, 'htpasswd'), `${USER.username}:${BCRYPT}\n`);
  await mkdir(join(folder, 's3'));
  for (const [name, content] of Object.entries(objects)) {
    await mkdir(join(folder, 'gcs', name, '..'), { recursive: true });
    await writeFile(join(folder, 'gcs', name), content);
  }
  const stops: (() => Promise<void>)[] = [];
  const start = async (
    name: string,
    argsFor: (port: number) => readonly string[] | Promise<readonly string[]>,
    env = {},
  ): Promise<string> => {
    for (let attempt = 1; ; attempt++) {
      const port = await freePort();
      try {
        stops.push(await startProgram(binaries, name, await argsFor(port), port, env));
        return `127.0.0.1:${port}`;
      } catch (error) {
        // Somebody else may have taken the port in between.
        if (attempt === 3) throw error;
      }
    }
  };
  const registry = (auth: unknown) =>
    start('distribution', async (port) => {
      const file = join(folder, `registry-${port}.yaml`);
      const config = {
        version: '0.1',
        log: { level: 'error' },
        storage: { inmemory: {}, maintenance: { uploadpurging: { enabled: false } } },
        http: { addr: `127.0.0.1:${port}`, secret: 'test', tls: { certificate: cert, key } },
        auth,
      };
      await writeFile(file, JSON.stringify(config)); // YAML too
      return ['serve', file];
    });
  try {
    const gateway = (port: number) => [
      '--port',
      `127.0.0.1:${port}`,
      '--cert',
      cert,
      '--key',
      key,
      '--quiet',
      'posix',
      join(folder, 's3'),
    ];
    const s3 = await start('versitygw', gateway, {
      ROOT_ACCESS_KEY: S3_KEYS.accessKeyId,
      ROOT_SECRET_KEY: S3_KEYS.secretAccessKey,
    });
    const gcs = await start('fake-gcs-server', (port) => [
      '-scheme=http',
      '-host=127.0.0.1',
      `-port=${port}`,
      '-log-level=error',
      '-backend=memory',
      `-data=${join(folder, 'gcs')}`,
    ]);
    const basicHost = await registry({ htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } });
    const tokenHost = await registry({ token: { realm, ...TOKENS, rootcertbundle: cert } });
    return {
      certificate,
      s3: { origin: `https://${s3}`, ...S3_KEYS },
      gcs: { origin: `http://${gcs}` },
      basicRegistry: { host: basicHost, ...USER },
      tokenRegistry: { host: tokenHost, ...TOKENS },
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }

  async function stop(): Promise<void> {
    await Promise.all(stops.map((end) => end()));
    await rm(folder, { recursive: true, force: true });
  }
}

/** Resolves when the program listens. */
async function startProgram(
  binaries: Binaries,
  name: string,
  args: readonly string[],
  port: number,
  env: Readonly<Record<string, string>> = {},
): Promise<() => Promise<void>> {
  // The kernel ends it with us.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', binary(binaries, name), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000);
    });
  const dead = new AbortController();
  const ended = once(child, 'exit').finally(() => dead.abort(new Error(`${name} ended: ${said}`)));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  try {
    await eventually(`${name} listens`, () => listens(port), 30_000, dead.signal);
    return stop;
  } catch (error) {
    await stop();
    throw error;
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
