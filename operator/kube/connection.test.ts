import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { explicitConnection, inClusterConnection, loadConnection } from './connection.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'foresail-connection-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('inside a cluster', () => {
  const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' };
  const write = (files: Record<string, string>) =>
    Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)));

  test('reads token and CA anew each time it is asked', async () => {
    await write({ token: 'one\n', 'ca.crt': 'CA1', namespace: 'foresail' });
    const connection = await inClusterConnection(env, folder);
    expect(connection).toMatchObject({ server: 'https://10.0.0.1:443', namespace: 'foresail' });
    expect(await connection.credentials()).toEqual({
      headers: { authorization: 'Bearer one' },
      tls: { ca: 'CA1' },
    });
    await write({ token: 'two', 'ca.crt': 'CA2' });
    expect(await connection.credentials()).toEqual({
      headers: { authorization: 'Bearer two' },
      tls: { ca: 'CA2' },
    });
  });

  test('puts brackets around an IPv6 address', async () => {
    await write({ token: 't', 'ca.crt': 'CA', namespace: 'x' });
    const connection = await inClusterConnection({ ...env, KUBERNETES_SERVICE_HOST: 'fd00::1' }, folder);
    expect(connection.server).toBe('https://[fd00::1]:443');
  });

  test('a token that is missing for a moment is a transient error that names the file', async () => {
    await write({ 'ca.crt': 'CA', namespace: 'x' });
    const connection = await inClusterConnection(env, folder);
    await expect(connection.credentials()).rejects.toMatchObject({
      code: 'KUBE_CONFIG_INVALID',
      retry: 'transient',
      subject: join(folder, 'token'),
    });
  });

  test('outside of a cluster it says what is missing', async () => {
    await expect(inClusterConnection({}, folder)).rejects.toThrow(/KUBERNETES_SERVICE_HOST/);
  });
});

describe('a kubeconfig', () => {
  const config = (user: object, cluster: object = {}) =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'here',
      contexts: [{ name: 'here', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
      clusters: [{ name: 'c', cluster: { server: 'https://api:6443/', ...cluster } }],
      users: [{ name: 'u', user }],
    });

  test.each([
    ['a token', { token: 'secret' }, { authorization: 'Bearer secret' }],
    ['a password', { username: 'ann', password: 'pw' }, { authorization: 'Basic YW5uOnB3' }],
    ['nothing', {}, {}],
  ])('with %s', async (_, user, headers) => {
    const path = join(folder, 'config');
    await writeFile(
      path,
      config(user, { 'certificate-authority-data': Buffer.from('CA').toString('base64') }),
    );
    const connection = await loadConnection({ kubeconfig: path });
    expect(connection).toMatchObject({ server: 'https://api:6443', namespace: 'shop' });
    const credentials = await connection.credentials();
    expect(credentials.headers).toEqual(headers);
    expect(String(credentials.tls.ca)).toBe('CA');
  });

  test('with client certificates and a server name', async () => {
    const path = join(folder, 'config');
    const user = { 'client-certificate-data': 'Y2VydA==', 'client-key-data': 'a2V5' };
    await writeFile(path, config(user, { 'tls-server-name': 'kubernetes' }));
    const { tls } = await (await loadConnection({ kubeconfig: path })).credentials();
    expect([String(tls.cert), String(tls.key), tls.servername]).toEqual(['cert', 'key', 'kubernetes']);
  });

  test('with a token file: it is read anew each time, from beside the kubeconfig', async () => {
    const path = join(folder, 'config');
    await writeFile(path, config({ token: 'old', tokenFile: 'token' }));
    await writeFile(join(folder, 'token'), 'one\n');
    const connection = await loadConnection({ kubeconfig: path });
    expect((await connection.credentials()).headers).toEqual({ authorization: 'Bearer one' });
    await writeFile(join(folder, 'token'), 'two\n');
    expect((await connection.credentials()).headers).toEqual({ authorization: 'Bearer two' });
    await rm(join(folder, 'token'));
    await expect(connection.credentials()).rejects.toMatchObject({ retry: 'transient' });
  });

  test('of several files the first one that knows the user tells its token file', async () => {
    const [first, second] = ['first', 'second'].map((name) => join(folder, name));
    const bare = { apiVersion: 'v1', kind: 'Config', clusters: [], contexts: [] };
    await writeFile(String(first), JSON.stringify({ ...bare, users: [{ name: 'other', user: {} }] }));
    await writeFile(String(second), config({ tokenFile: join(folder, 'token') }));
    await writeFile(join(folder, 'token'), 'secret');
    const before = process.env['KUBECONFIG'];
    process.env['KUBECONFIG'] = [first, second].join(':');
    try {
      const connection = await loadConnection();
      expect((await connection.credentials()).headers).toEqual({ authorization: 'Bearer secret' });
    } finally {
      if (before === undefined) delete process.env['KUBECONFIG'];
      else process.env['KUBECONFIG'] = before;
    }
  });

  test('that is broken or names no cluster is told apart from one that is not there', async () => {
    const path = join(folder, 'config');
    await writeFile(path, config({}).replace('"c"', '"other"'));
    await expect(loadConnection({ kubeconfig: path })).rejects.toThrow(/names no cluster|cluster/);
    await expect(loadConnection({ kubeconfig: join(folder, 'absent') })).rejects.toThrow(/absent/);
  });
});

test('an explicit server must be a URL', () => {
  expect(() => explicitConnection({ server: 'nowhere' })).toThrow(/"nowhere" is not the URL/);
});
