import { describe, expect, test } from '@jest/globals';
import { ForesailError } from '../../errors.ts';
import { parsePrometheusServers } from './config.ts';

const entry = { name: 'default', url: 'https://prometheus.monitoring.svc:9090/prefix' };
const refusal = (input: unknown): string => {
  try {
    parsePrometheusServers(input);
  } catch (error) {
    if (error instanceof ForesailError && error.code === 'METRIC_SERVERS_INVALID') return error.message;
    throw error;
  }
  return 'accepted';
};

describe('the list of servers', () => {
  test('fills in what an entry leaves out', () => {
    expect(parsePrometheusServers([entry])[0]).toMatchObject({
      timeout: 10_000,
      maxSampleAge: 300_000,
      allowAddresses: [],
      backfill: { chunkPoints: 5000, maxConcurrent: 2 },
    });
  });

  const rows: readonly (readonly [string, unknown, string])[] = [
    ['no list', {}, 'prometheusServers'],
    ['no name', [{ url: entry.url }], '[0].name'],
    ['a name that is no label', [{ ...entry, name: 'Default' }], '[0].name'],
    ['a name twice', [entry, entry], '[1].name: default is used twice'],
    ['an unknown key', [{ ...entry, insecureSkipVerify: true }], 'insecureSkipVerify'],
    ['no URL', [{ ...entry, url: 'prometheus' }], '[0].url: is not a URL'],
    ['another scheme', [{ ...entry, url: 'file:///etc/passwd' }], '[0].url'],
    ['credentials in the URL', [{ ...entry, url: 'http://a:b@c' }], 'must not carry credentials'],
    ['a query in the URL', [{ ...entry, url: 'http://c/?x=1' }], 'must not have a query'],
    [
      'two ways to authenticate',
      [{ ...entry, bearerTokenFile: 'a', basicAuth: { username: 'a', passwordFile: 'b' } }],
      'basicAuth',
    ],
    ['a certificate without a key', [{ ...entry, certFile: 'a' }], 'certFile'],
    ['a header that is ours', [{ ...entry, headers: { Authorization: 'x' } }], 'headers'],
    ['a line break in a header', [{ ...entry, headers: { a: 'x\r\nb: c' } }], 'headers'],
    [
      'a tenant header that is set elsewhere',
      [{ ...entry, tenantHeader: 'X-A', headers: { 'x-a': '1' } }],
      'tenantHeader',
    ],
    ['a tenant header that is ours', [{ ...entry, tenantHeader: 'Authorization' }], 'tenantHeader'],
    ['a label that is none', [{ ...entry, enforcedNamespaceLabel: 'a-b' }], 'enforcedNamespaceLabel'],
    ['an unknown class of address', [{ ...entry, allowAddresses: ['all'] }], 'allowAddresses'],
    ['a time that is none', [{ ...entry, timeout: 'soon' }], '[0].timeout: must be a duration'],
    ['a time that is too long', [{ ...entry, timeout: '1h' }], '[0].timeout'],
    ['more points than Prometheus gives', [{ ...entry, backfill: { chunkPoints: 11_001 } }], 'chunkPoints'],
  ];
  test.each(rows)('refuses %s', (_, input, message) => {
    expect(refusal(input)).toContain(message);
  });

  test('does not repeat a secret in its refusal', () => {
    expect(refusal([{ ...entry, url: 'http://user:hunter2@c' }])).not.toContain('hunter2');
  });
});
