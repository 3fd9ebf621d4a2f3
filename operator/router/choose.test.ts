import { describe, expect, test } from '@jest/globals';
import { array, assert, boolean, double, integer, property, record, string } from 'fast-check';
import { chooseMirrors, chooseVersion } from './choose.ts';
import { type Route, RouteTable, type VersionRoute } from './routes.ts';

function version(change: Partial<VersionRoute>): VersionRoute {
  return { version: 1, weight: 100, mirrorPercent: 0, endpoints: ['http://10.0.0.1:8080'], ...change };
}

function route(...versions: readonly VersionRoute[]): Route {
  return { namespace: 'shop', name: 'loadcast', stable: 1, versions };
}

/** Versions that 1,000 evenly spread places choose, by count. */
function split(of: Route): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < 1000; i++) {
    const chosen = chooseVersion(of, {}, () => (i + 0.5) / 1000)?.version ?? 'none';
    counts[chosen] = (counts[chosen] ?? 0) + 1;
  }
  return counts;
}

const none = { endpoints: [] };

describe('a version by weight', () => {
  test.each([
    ['by weight', route(version({ weight: 90 }), version({ version: 2, weight: 10 })), { 1: 900, 2: 100 }],
    ['all to one', route(version({}), version({ version: 2, weight: 0 })), { 1: 1000 }],
    [
      'an unready share goes to stable',
      route(
        version({ weight: 50 }),
        version({ version: 2, weight: 30, ...none }),
        version({ version: 3, weight: 20 }),
      ),
      { 1: 800, 3: 200 },
    ],
    [
      'stable answers for an unready version even at weight 0',
      route(version({ weight: 0 }), version({ version: 2, weight: 100, ...none })),
      { 1: 1000 },
    ],
    [
      'without stable the others share',
      route(
        version({ weight: 50, ...none }),
        version({ version: 2, weight: 40 }),
        version({ version: 3, weight: 10 }),
      ),
      { 2: 800, 3: 200 },
    ],
    ['nobody is ready', route(version(none), version({ version: 2, weight: 0, ...none })), { none: 1000 }],
    [
      'no weight at all is not sent to what is not stable',
      route(version(none), version({ version: 2, weight: 0 })),
      { none: 1000 },
    ],
    ['no versions', route(), { none: 1000 }],
  ])('%s', (_, of, expected) => {
    expect(split(of)).toEqual(expected);
  });

  const versions = array(record({ weight: integer({ min: 0, max: 100 }), ready: boolean() }), {
    minLength: 1,
    maxLength: 5,
  });

  test('is never one without a ready pod, and there is one while stable is ready', () => {
    assert(
      property(versions, double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (list, at) => {
        const of = route(
          ...list.map(({ weight, ready }, i) => version({ version: i + 1, weight, ...(ready ? {} : none) })),
        );
        const chosen = chooseVersion(of, {}, () => at);
        expect(chosen?.endpoints.length ?? 1).toBeGreaterThan(0);
        if (list[0]?.ready === true) expect(chosen).toBeDefined();
      }),
    );
  });
});

describe('a version by key', () => {
  const never = (): number => {
    throw new Error('chance has no part in it');
  };
  const variant = (name: string, version_: number, weight: number, change = {}) =>
    version({ version: version_, name, weight, ...change });
  const of = (key: string, ...versions: readonly VersionRoute[]) =>
    chooseVersion(route(...versions), { key }, never)?.version;

  test('a caller changes sides once while a weight grows', () => {
    assert(
      property(string(), (key) => {
        const sides = [0, 10, 25, 50, 75, 100].map((weight) =>
          of(key, version({ weight: 100 - weight }), version({ version: 2, weight })),
        );
        expect(sides.filter((side, i) => i > 0 && side !== sides[i - 1])).toHaveLength(1);
      }),
    );
  });

  test('more than two get what their weights say, within the bounds of chance', () => {
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 20_000; i++) {
      const side = of(`caller ${i}`, version({ weight: 50 }), variant('b', 2, 30), variant('c', 3, 20));
      counts[side ?? 0] = (counts[side ?? 0] ?? 0) + 1;
    }
    // Four standard deviations of a binomial count are below 290.
    for (const [side, share] of [0, 0.5, 0.3, 0.2].entries())
      expect(Math.abs((counts[side] ?? 0) - 20_000 * share)).toBeLessThan(290);
  });

  test('another weight moves callers to and from that variant alone', () => {
    assert(
      property(string(), integer({ min: 1, max: 60 }), (key, weight) => {
        const before = of(key, version({ weight: 60 }), variant('b', 2, 20), variant('c', 3, 20));
        const after = of(key, version({ weight: 60 }), variant('b', 2, weight), variant('c', 3, 20));
        if (before !== after) expect([before, after]).toContain(2);
      }),
    );
  });

  test('a variant that is down lends its callers to stable, and nobody else moves', () => {
    assert(
      property(string(), (key) => {
        const [b, c] = [variant('b', 2, 30), variant('c', 3, 20)];
        const before = of(key, version({ weight: 50 }), b, c);
        const during = of(key, version({ weight: 50 }), { ...b, ...none }, c);
        expect(during).toBe(before === 2 ? 1 : before);
      }),
    );
  });

  test('a variant keeps its callers when its file changes, and tests of two models do not go together', () => {
    const keys = Array.from({ length: 200 }, (_, i) => `caller ${i}`);
    const versions = [version({ weight: 50 }), variant('b', 2, 50)];
    const sides = keys.map((key) => of(key, ...versions));
    expect(keys.map((key) => of(key, version({ weight: 50 }), variant('b', 7, 50)) ?? 0)).toEqual(
      sides.map((side) => (side === 2 ? 7 : side)),
    );
    const other = { ...route(...versions), name: 'other' };
    expect(keys.map((key) => chooseVersion(other, { key }, never)?.version)).not.toEqual(sides);
  });
});

describe('a version by name', () => {
  const versions = [
    version({ weight: 80 }),
    version({ version: 2, name: 'b', weight: 10 }),
    version({ version: 3, name: 'c', weight: 10, ...none }),
  ];
  const named = (name: string) => chooseVersion(route(...versions), { name }, () => 0.85)?.version;

  test.each([
    ['b', 2],
    ['stable', 1],
    ['c', 1],
  ])('%s', (name, expected) => {
    expect(named(name)).toBe(expected);
  });

  test('a name that nobody has: the weights decide', () => {
    expect(named('nobody')).toBe(2);
    expect(named('1')).toBe(2);
  });
});

describe('copies', () => {
  const of = route(
    version({}),
    version({ version: 2, weight: 0, mirrorPercent: 30 }),
    version({ version: 3, weight: 0, mirrorPercent: 100, ...none }),
  );

  test('go to a version by its share, and to none without a ready pod', () => {
    expect(chooseMirrors(of, 1, () => 0.29).map((each) => each.version)).toEqual([2]);
    expect(chooseMirrors(of, 1, () => 0.31)).toEqual([]);
  });

  test('do not go to the version that answers', () => {
    expect(chooseMirrors(of, 2, () => 0)).toEqual([]);
  });
});

describe('the table', () => {
  const table = new RouteTable();
  table.replace([route(version({})), { ...route(version({})), name: 'other' }]);
  const BY_PATH = '/namespaces/shop/modeldeployments/loadcast';

  test.each([
    'loadcast.shop',
    'loadcast.shop:8080',
    'loadcast.shop.svc',
    'loadcast.shop.svc.cluster.local:80',
    'LoadCast.Shop',
  ])('finds the host %s, and leaves the path as it is', (host) => {
    expect(table.find(host, '/v2')).toMatchObject({ route: { name: 'loadcast' }, path: '/v2' });
  });

  test.each(['', 'loadcast', 'shop.loadcast', 'loadcast.other', '10.0.0.1', '__proto__.x'])(
    'does not find the host %s',
    (host) => {
      expect(table.find(host, '/v2')).toBeUndefined();
    },
  );

  test.each([
    [`${BY_PATH}/v2/models/a/infer?x=/y`, '/v2/models/a/infer?x=/y'],
    [`${BY_PATH}//v2`, '//v2'],
    [`${BY_PATH}/`, '/'],
    [BY_PATH, '/'],
    [`${BY_PATH}?a=b`, '/?a=b'],
  ])('finds %s, which is %s to the model', (path, rest) => {
    expect(table.find('router.system:8080', path)).toMatchObject({ route: { name: 'loadcast' }, path: rest });
  });

  test.each([
    '/namespaces/shop/modeldeployments/loadcast2/v2',
    '/namespaces/shop/modeldeployments/',
    '/namespaces/shop/loadcast/v2',
    '/namespaces/shop%2Fmodeldeployments/loadcast/v2',
    `/x${BY_PATH}/v2`,
  ])('does not find the path %s', (path) => {
    expect(table.find('router.system', path)).toBeUndefined();
  });

  test('a host that is a route is never left by a path', () => {
    const path = `${BY_PATH}/v2`;
    expect(table.find('other.shop', path)).toMatchObject({ route: { name: 'other' }, path });
  });
});
