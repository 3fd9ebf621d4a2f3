import { describe, expect, test } from '@jest/globals';
import { never, prometheusRequest, serverEntry, sourcesFor } from '../metricsources/testing/requests.ts';
import { freshThen, json, scriptedServer, vector } from '../metricsources/testing/scripted-server.ts';
import { type AddressClass, plainAddress, refusedBecause } from './address.ts';

const apiServers = [
  { address: '10.96.0.1', port: 443 },
  { address: '127.0.0.1', port: 6443 },
];
const check = (address: string, allowed: readonly AddressClass[] = [], port = 9090) =>
  refusedBecause({ address, port }, new Set(allowed), apiServers);

describe('an address', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['127.0.0.1', 'loopback'],
    ['127.255.1.2', 'loopback'],
    ['0.0.0.0', 'loopback'],
    ['::1', 'loopback'],
    ['::', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:7f00:1', 'loopback'],
    ['0:0:0:0:0:ffff:7f00:0001', 'loopback'],
    ['::127.0.0.1', 'loopback'],
    ['64:ff9b::7f00:1', 'loopback'],
    ['2002:7f00:1::1', 'loopback'],
    ['169.254.1.1', 'link-local'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
    ['169.254.169.254', 'metadata'],
    ['::ffff:169.254.169.254', 'metadata'],
    ['64:ff9b::a9fe:a9fe', 'metadata'],
    ['169.254.170.2', 'metadata'],
    ['fd00:ec2::254', 'metadata'],
    ['100.100.100.200', 'metadata'],
    ['168.63.129.16', 'metadata'],
    ['224.0.0.1', 'unicast'],
    ['255.255.255.255', 'unicast'],
    ['ff02::1', 'unicast'],
    ['', 'not an IP'],
    ['metrics.example', 'not an IP'],
  ];
  test.each(rows)('%s is refused', (address, word) => {
    expect(check(address)).toContain(word);
  });

  test.each(['10.0.0.1', '192.168.1.1', '8.8.8.8', 'fd12::1', '2001:db8::1', '::ffff:10.0.0.1'])(
    '%s is open',
    (address) => {
      expect(check(address)).toBeUndefined();
    },
  );

  test('of the API server is refused on its port alone', () => {
    expect(check('10.96.0.1', [], 443)).toContain('API server');
    expect(check('::ffff:10.96.0.1', [], 443)).toContain('API server');
    expect(check('10.96.0.1', [], 9090)).toBeUndefined();
    expect(check('10.96.0.1', ['apiServer'], 443)).toBeUndefined();
    expect(check('127.0.0.1', ['loopback'], 6443)).toContain('API server');
  });

  test('is open when its class is, and metadata is not opened by link-local', () => {
    expect(check('127.0.0.1', ['loopback'])).toBeUndefined();
    expect(check('fe80::1', ['linkLocal'])).toBeUndefined();
    expect(check('169.254.169.254', ['linkLocal'])).toContain('metadata');
    expect(check('169.254.169.254', ['metadata'])).toBeUndefined();
  });

  test('is expanded before it is judged', () => {
    expect(plainAddress('1::2')).toBe('1:0:0:0:0:0:0:2');
    expect(plainAddress('::ffff:1.2.3.4')).toBe('1.2.3.4');
    expect(plainAddress('1.2.3.4')).toBe('1.2.3.4');
  });
});

describe('a server', () => {
  const refused = { kind: 'unknown', reason: 'NotAllowed' };

  test('at a refused address is not connected', async () => {
    await using server = await scriptedServer(json(vector(['5'])));
    await using sources = sourcesFor([serverEntry(server.url, { allowAddresses: [] })]);
    expect(await sources.read(prometheusRequest(), never())).toMatchObject(refused);
    expect(server.connections()).toBe(0);
    expect(server.asked).toHaveLength(0);
  });

  test.each([
    'http://2130706433:PORT',
    'http://0x7f.1:PORT',
    'http://[::ffff:127.0.0.1]:PORT',
    'http://localhost:PORT',
  ])('written as %s is the loopback all the same', async (url) => {
    await using server = await scriptedServer(json(vector(['5'])));
    const entry = serverEntry(url.replace('PORT', String(server.port)), { allowAddresses: [] });
    await using sources = sourcesFor([entry]);
    expect(await sources.read(prometheusRequest(), never())).toMatchObject(refused);
    expect(server.asked).toHaveLength(0);
  });

  test('whose name turns to another address later is caught then', async () => {
    await using server = await scriptedServer((response, asked) => {
      response.setHeader('connection', 'close');
      freshThen(vector(['5']))(response, asked);
    });
    let address = '127.0.0.1';
    await using sources = sourcesFor(
      [serverEntry(`http://metrics.example:${server.port}`, { freshnessProbe: false })],
      { resolveHost: (_, callback) => callback(null, [{ address, family: 4 }]) },
    );
    expect(await sources.read(prometheusRequest(), never())).toMatchObject({ kind: 'value' });
    address = '169.254.169.254';
    expect(await sources.read(prometheusRequest(), never())).toMatchObject(refused);
  });

  test('with an open and a refused address is reached at the open one', async () => {
    await using server = await scriptedServer(freshThen(vector(['5'])));
    const addresses = [
      { address: '169.254.169.254', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ];
    await using sources = sourcesFor([serverEntry(`http://metrics.example:${server.port}`)], {
      resolveHost: (_, callback) => callback(null, addresses),
    });
    expect(await sources.read(prometheusRequest(), never())).toMatchObject({ kind: 'value' });
  });

  test('that is the API server is refused', async () => {
    await using server = await scriptedServer(json(vector(['5'])));
    await using sources = sourcesFor([serverEntry(server.url)], {
      apiServers: () => [{ address: '127.0.0.1', port: server.port }],
    });
    expect(await sources.read(prometheusRequest(), never())).toMatchObject(refused);
    expect(server.asked).toHaveLength(0);
  });
});
