import { describe, expect, test } from '@jest/globals';
import { type GatewayClass, gatewaysOf, missingFeature, neededFeatures } from './features.ts';
import type { HttpRoute, ParentRef } from './http-route.ts';

const share = (version: number, mirrorPercent: number) => ({ version, weight: 0, mirrorPercent });

test.each([
  ['weights alone', [share(1, 0), share(2, 0)], []],
  ['a shadow of everything', [share(1, 0), share(2, 100)], ['HTTPRouteRequestMirror']],
  [
    'a shadow of a part',
    [share(1, 0), share(2, 30)],
    ['HTTPRouteRequestMirror', 'HTTPRouteRequestPercentageMirror'],
  ],
])('%s needs of a gateway', (_, shares, needed) => {
  expect(neededFeatures(shares)).toEqual(needed);
});

describe('a class', () => {
  const listing = (...names: readonly string[]): GatewayClass => ({
    metadata: { name: 'front' },
    status: { supportedFeatures: names.map((name) => ({ name })) },
  });
  const needed = ['HTTPRouteRequestMirror', 'HTTPRouteRequestPercentageMirror'];

  test('that lists other features lacks the mirror', () => {
    expect(missingFeature(listing('GRPCRoute', 'HTTPRoute'), needed)).toBe('HTTPRouteRequestMirror');
  });

  test('that copies everything alone lacks the percentage', () => {
    expect(missingFeature(listing('HTTPRouteRequestMirror'), needed)).toBe(
      'HTTPRouteRequestPercentageMirror',
    );
    expect(missingFeature(listing('HTTPRouteRequestMirror'), ['HTTPRouteRequestMirror'])).toBeUndefined();
  });

  test('that lists all lacks none, and of one that lists nothing nothing is known', () => {
    expect(missingFeature(listing(...needed), needed)).toBeUndefined();
    expect(missingFeature(listing(), needed)).toBeUndefined();
    expect(missingFeature({ metadata: { name: 'front' } }, needed)).toBeUndefined();
  });
});

test('the gateways of a route are those of its parents that are Gateways, in its own namespace unless another is named', () => {
  const parentRefs: readonly ParentRef[] = [
    { name: 'front' },
    { name: 'edge', namespace: 'infra', group: 'gateway.networking.k8s.io', kind: 'Gateway' },
    { name: 'loadcast', group: '', kind: 'Service' },
    { name: 'more', kind: 'ListenerSet' },
  ];
  const route: HttpRoute = { metadata: { name: 'models', namespace: 'shop' }, spec: { parentRefs } };
  expect(gatewaysOf(route)).toEqual([
    { namespace: 'shop', name: 'front' },
    { namespace: 'infra', name: 'edge' },
  ]);
});
