import { describe, expect, test } from '@jest/globals';
import type { BackendRef, HttpRoute, RouteFilter, RouteRule } from './http-route.ts';
import { type VersionShare, weightedRules } from './weights.ts';

const share = (version: number, weight: number, mirrorPercent = 0): VersionShare => ({
  version,
  weight,
  mirrorPercent,
});
const ref = (name: string, change: Partial<BackendRef> = {}): BackendRef => ({ name, port: 8080, ...change });

function written(rules: readonly RouteRule[], ...shares: readonly VersionShare[]) {
  const route: HttpRoute = { metadata: { name: 'models', namespace: 'shop' }, spec: { rules } };
  return weightedRules(route, 'loadcast', shares);
}

describe('the rules of a route', () => {
  test('get a backend per version with traffic, in the shape of the one that the user wrote', () => {
    const filters = [{ type: 'RequestHeaderModifier' }];
    const rules = [
      {
        matches: [{ path: { value: '/v2' } }],
        timeouts: { request: '5s' },
        backendRefs: [ref('loadcast', { filters })],
      },
    ];
    expect(written(rules, share(6, 90), share(7, 10))).toEqual([
      {
        matches: [{ path: { value: '/v2' } }],
        timeouts: { request: '5s' },
        backendRefs: [
          ref('loadcast-v6', { filters, weight: 90 }),
          ref('loadcast-v7', { filters, weight: 10 }),
        ],
      },
    ]);
  });

  test('that are not the model’s stay, and a model in several rules gets its weights in each', () => {
    const other = {
      backendRefs: [ref('shopfront'), ref('loadcast-vx'), ref('loadcast-v01'), ref('loadcast-v2-v1')],
    };
    const rules = [
      other,
      { backendRefs: [ref('loadcast-v1')] },
      { backendRefs: [ref('loadcast-v1', { port: 8081 })] },
    ];
    const after = written(rules, share(2, 100)) as readonly RouteRule[];
    expect(after[0]).toBe(other);
    expect(after.slice(1)).toEqual([
      { backendRefs: [ref('loadcast-v2', { weight: 100 })] },
      { backendRefs: [ref('loadcast-v2', { port: 8081, weight: 100 })] },
    ]);
  });

  test('mirror to a shadow, and no more when it is none; the user’s own filters stay', () => {
    const mine: RouteFilter = { type: 'RequestMirror', requestMirror: { backendRef: ref('recorder') } };
    const shadowed = written(
      [{ filters: [mine], backendRefs: [ref('loadcast-v1')] }],
      share(1, 100),
      share(2, 0, 50),
    );
    expect(shadowed).toEqual([
      {
        filters: [
          mine,
          { type: 'RequestMirror', requestMirror: { backendRef: ref('loadcast-v2'), percent: 50 } },
        ],
        backendRefs: [ref('loadcast-v1', { weight: 100 })],
      },
    ]);
    expect(written(shadowed as readonly RouteRule[], share(2, 100))).toEqual([
      { filters: [mine], backendRefs: [ref('loadcast-v2', { weight: 100 })] },
    ]);
  });

  test('are the same object when nothing changes, whatever the order of keys', () => {
    const rules = [{ backendRefs: [{ weight: 100, port: 8080, name: 'loadcast-v1' }] }];
    expect(written(rules, share(1, 100))).toBe(rules);
    expect(written(rules)).toBe(rules);
  });

  test.each<[string, readonly RouteRule[], string]>([
    ['without rules', [], 'NoRuleForModel'],
    ['of another model', [{ backendRefs: [ref('other-v1')] }], 'NoRuleForModel'],
    [
      'of another namespace',
      [{ backendRefs: [ref('loadcast-v1', { namespace: 'mail' })] }],
      'NoRuleForModel',
    ],
    [
      'to another kind',
      [{ backendRefs: [ref('loadcast-v1', { group: 'example.org', kind: 'Pool' })] }],
      'NoRuleForModel',
    ],
    ['that also sends elsewhere', [{ backendRefs: [ref('loadcast-v1'), ref('shopfront')] }], 'RuleShared'],
  ])('%s are refused', (_, rules, reason) => {
    expect(written(rules, share(1, 100))).toMatchObject({ reason });
  });
});
