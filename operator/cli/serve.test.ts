import { describe, expect, test } from '@jest/globals';
import { CommanderError } from 'commander';
import { serveCommand } from './serve.ts';
import type { ServeFlags } from './serve-flags.ts';

/** What the flags are read as; the server itself is not started. */
function parsed(...flags: string[]): ServeFlags {
  const command = serveCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  command.parseOptions(['--model-repository', 'models', ...flags]);
  return command.opts<ServeFlags>();
}

test('by default nothing that has to be asked for is on', () => {
  expect(parsed()).toMatchObject({
    auth: 'none',
    responseCacheMib: 0,
    logPayloads: ['request', 'response'],
    logPayloadsAllowAddress: [],
    authTokenAudiences: [],
  });
  for (const flag of [
    'allowRepositoryControl',
    'rateLimit',
    'logPayloadsUrl',
    'tlsCertFile',
    'poll',
  ] as const)
    expect(parsed()[flag]).toBeUndefined();
});

test('lists, objects and URLs are read', () => {
  const flags = parsed(
    '--auth',
    'token',
    '--auth-token-audiences',
    'models,other',
    '--auth-resource',
    'modeldeployments.foresail.io/shop/web.eu',
    '--log-payloads-url',
    'http://listener.shop.svc/',
    '--log-payloads',
    'request',
    '--auth-allow',
    'a',
    '--auth-allow',
    'b',
  );
  expect(flags.authTokenAudiences).toEqual(['models', 'other']);
  expect(flags.authResource).toEqual({
    group: 'foresail.io',
    resource: 'modeldeployments',
    namespace: 'shop',
    name: 'web.eu',
  });
  expect(flags.logPayloadsUrl?.href).toBe('http://listener.shop.svc/');
  expect(flags.logPayloads).toEqual(['request']);
  expect(flags.authAllow).toEqual(['a', 'b']);
});

describe('a value that cannot be meant is refused with its flag', () => {
  test.each([
    ['--auth', 'basic'],
    ['--auth-resource', 'shop/web'],
    ['--auth-resource', 'modeldeployments.foresail.io/shop/web/more'],
    ['--rate-limit', '0'],
    ['--rate-limit', '1.5'],
    ['--response-cache-mib', '-1'],
    ['--log-payloads-url', 'ftp://listener/'],
    ['--log-payloads-url', 'http://user:password@listener/'],
    ['--log-payloads-sample', '2'],
    ['--log-payloads', 'answers'],
    ['--log-payloads-allow-address', 'everything'],
    ['--max-connections', '0'],
  ])('%s %s', (flag, value) => {
    const refused = () => parsed(flag, value);
    expect(refused).toThrow(CommanderError);
    expect(refused).toThrow(flag);
  });
});
