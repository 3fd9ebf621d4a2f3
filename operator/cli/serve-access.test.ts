import { describe, expect, test } from '@jest/globals';
import { silentLogger } from '../logger.ts';
import { type AccessFlags, openAccess } from './serve-access.ts';

const plain: AccessFlags = { auth: 'none', authTokenAudiences: [] };
const files = { tlsCertFile: '/nowhere/tls.crt', tlsPrivateKeyFile: '/nowhere/tls.key' };
const resource = { group: 'foresail.io', resource: 'modeldeployments', namespace: 'shop', name: 'web' };

describe('flags that do not fit', () => {
  test.each<[string, Partial<AccessFlags>, string]>([
    ['a certificate without its key', { tlsCertFile: 'a' }, '--tls-cert-file'],
    ['authorities without mtls', { ...files, clientCaFile: 'a' }, '--client-ca-file'],
    ['mtls without authorities', { ...files, auth: 'mtls' }, '--auth mtls'],
    ['mtls without TLS', { auth: 'mtls', clientCaFile: 'a' }, '--auth mtls'],
    ['a list of callers whom nobody knows', { authAllow: ['a'] }, '--auth-allow'],
    ['an object without tokens', { authResource: resource }, '--auth-resource'],
    ['an audience without tokens', { authTokenAudiences: ['a'] }, '--auth-resource and'],
    ['a list and RBAC', { auth: 'token', authAllow: ['a'], authResource: resource }, '--auth-allow'],
    ['a burst without a rate', { rateBurst: 2 }, '--rate-burst'],
  ])('%s', async (_what, flags, named) => {
    await expect(openAccess({ ...plain, ...flags }, silentLogger)).rejects.toMatchObject({
      code: 'FLAGS_DO_NOT_FIT',
      message: expect.stringContaining(named),
    });
  });

  test('files that are not there are named by their flag', async () => {
    await expect(openAccess({ ...plain, ...files }, silentLogger)).rejects.toMatchObject({
      code: 'TLS_FILES_INVALID',
      subject: '--tls-cert-file',
      message: expect.stringContaining('/nowhere/tls.crt'),
    });
  });
});

test('without any of them nothing stands in front of a call', async () => {
  const { parts } = await openAccess(plain, silentLogger);
  expect(parts).toEqual({});
});
