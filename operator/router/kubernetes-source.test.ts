import { describe, expect, test } from '@jest/globals';
import { type EndpointSlice, type RoutedModel, routesOf } from './kubernetes-source.ts';

function model(status: RoutedModel['status'], name = 'loadcast'): RoutedModel {
  return { metadata: { name, namespace: 'shop' }, ...(status === undefined ? {} : { status }) };
}

const STABLE = { version: 1, digest: 'sha256:aa', readyReplicas: 2, weight: 100 };

function slice(
  version: number,
  endpoints: NonNullable<EndpointSlice['endpoints']>,
  change: Partial<EndpointSlice> = {},
): EndpointSlice {
  return {
    metadata: {
      name: `loadcast-v${version}-x`,
      namespace: 'shop',
      labels: { 'foresail.io/model-deployment': 'loadcast', 'foresail.io/model-version': String(version) },
    },
    addressType: 'IPv4',
    endpoints,
    ports: [
      { name: 'grpc', port: 8081 },
      { name: 'http', port: 8080 },
    ],
    ...change,
  };
}

const ready = (address: string) => ({ addresses: [address], conditions: { ready: true } });

describe('routes of a cluster', () => {
  test('weights come from the status, ready pods from the slices of each version', () => {
    const routes = routesOf(
      [
        model({
          stable: STABLE,
          traffic: [
            { version: 1, weight: 90 },
            { version: 2, weight: 10, mirrorPercent: 50 },
          ],
        }),
      ],
      [
        slice(1, [
          ready('10.0.0.2'),
          ready('10.0.0.1'),
          { addresses: ['10.0.0.3'], conditions: { ready: false } },
        ]),
        slice(1, [ready('10.0.0.1')]),
        slice(2, [{ addresses: ['10.0.0.9'] }]),
        slice(2, [ready('10.9.9.9')], { metadata: { name: 'other', namespace: 'elsewhere', labels: {} } }),
      ],
    );
    expect(routes).toEqual([
      {
        namespace: 'shop',
        name: 'loadcast',
        stable: 1,
        versions: [
          {
            version: 1,
            weight: 90,
            mirrorPercent: 0,
            endpoints: ['http://10.0.0.1:8080', 'http://10.0.0.2:8080'],
            grpcEndpoints: ['http://10.0.0.1:8081', 'http://10.0.0.2:8081'],
          },
          {
            version: 2,
            weight: 10,
            mirrorPercent: 50,
            endpoints: ['http://10.0.0.9:8080'],
            grpcEndpoints: ['http://10.0.0.9:8081'],
          },
        ],
      },
    ]);
  });

  test('a slice whose pods are still to come has null for a list', () => {
    const empty = { ...slice(1, []), endpoints: null, ports: null };
    const [route] = routesOf([model({ stable: STABLE, traffic: [{ version: 1, weight: 100 }] })], [empty]);
    expect(route?.versions).toMatchObject([{ version: 1, endpoints: [] }]);
  });

  test('stable stands by also without a weight', () => {
    const [route] = routesOf(
      [model({ stable: STABLE, traffic: [{ version: 2, weight: 100 }] })],
      [slice(1, [ready('10.0.0.1')])],
    );
    expect(route?.versions).toMatchObject([
      { version: 2, weight: 100, mirrorPercent: 0, endpoints: [] },
      { version: 1, weight: 0, mirrorPercent: 0, endpoints: ['http://10.0.0.1:8080'] },
    ]);
  });

  describe('of an A/B test', () => {
    const abTest = {
      stickyHeader: 'x-user',
      variants: [
        { name: 'b', storageUri: 's3://b', sha256: 'b'.repeat(64), weight: 30 },
        { name: 'c', storageUri: 's3://c', sha256: 'c'.repeat(64), weight: 20 },
      ],
    };
    const running = (name: string, of: number) => ({ ...STABLE, name, version: of });
    const slices = [1, 2, 3].map((of) => slice(of, [ready(`10.0.0.${of}`)]));

    test('a variant that gets nothing yet keeps its share, without pods', () => {
      const [route] = routesOf(
        [
          {
            ...model({
              stable: STABLE,
              variants: [running('b', 2), running('c', 3)],
              traffic: [
                { version: 1, weight: 80 },
                { version: 3, weight: 20 },
              ],
            }),
            spec: { abTest },
          },
        ],
        slices,
      );
      expect(route).toMatchObject({
        stickyHeader: 'x-user',
        versions: [
          { version: 1, weight: 50, endpoints: ['http://10.0.0.1:8080'] },
          { version: 2, name: 'b', weight: 30, endpoints: [] },
          { version: 3, name: 'c', weight: 20, endpoints: ['http://10.0.0.3:8080'] },
        ],
      });
    });

    test('that has not begun is a route as any other', () => {
      const [route] = routesOf(
        [{ ...model({ stable: STABLE, traffic: [{ version: 1, weight: 100 }] }), spec: { abTest } }],
        slices,
      );
      expect(route?.versions).toMatchObject([{ version: 1, weight: 100 }]);
    });
  });

  test.each([
    ['no status', undefined],
    ['no traffic yet', { traffic: [] }],
  ])('%s: no route', (_, status) => {
    expect(routesOf([model(status)], [])).toEqual([]);
  });

  test('an IPv6 address stands in brackets', () => {
    const [route] = routesOf(
      [model({ traffic: [{ version: 1, weight: 100 }] })],
      [slice(1, [ready('fd00::1')], { addressType: 'IPv6' })],
    );
    expect(route?.versions[0]?.endpoints).toEqual(['http://[fd00::1]:8080']);
  });
});
