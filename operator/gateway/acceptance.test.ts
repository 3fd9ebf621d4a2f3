import { describe, expect, test } from '@jest/globals';
import { acceptanceOf } from './acceptance.ts';
import type { HttpRoute, RouteCondition } from './http-route.ts';

const ACCEPTED = { type: 'Accepted', status: 'True', observedGeneration: 3 };

function route(
  parents: NonNullable<HttpRoute['spec']>['parentRefs'],
  ...told: readonly { readonly parent: string; readonly conditions: readonly RouteCondition[] }[]
): HttpRoute {
  return {
    metadata: { name: 'models', namespace: 'shop', generation: 3 },
    spec: parents === undefined ? {} : { parentRefs: parents },
    status: {
      parents: told.map(({ parent, conditions }) => ({
        // As the API server fills it in.
        parentRef: { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: parent },
        conditions,
      })),
    },
  };
}

describe('a route is in force', () => {
  test('when each of its gateways has accepted this generation', () => {
    const told = ['a', 'b'].map((parent) => ({ parent, conditions: [ACCEPTED] }));
    expect(acceptanceOf(route([{ name: 'a' }, { name: 'b', namespace: 'shop' }], ...told))).toEqual({
      accepted: true,
    });
  });

  test.each<[string, HttpRoute, string]>([
    ['one that has said nothing', route([{ name: 'a' }]), 'WaitingForGateway'],
    [
      'one of two that has said nothing',
      route([{ name: 'a' }, { name: 'b' }], { parent: 'a', conditions: [ACCEPTED] }),
      'WaitingForGateway',
    ],
    [
      'one that speaks of an older generation',
      route([{ name: 'a' }], { parent: 'a', conditions: [{ ...ACCEPTED, observedGeneration: 2 }] }),
      'WaitingForGateway',
    ],
    [
      'one that refuses it',
      route([{ name: 'a' }], {
        parent: 'a',
        conditions: [{ ...ACCEPTED, status: 'False', reason: 'NotAllowedByListeners' }],
      }),
      'NotAllowedByListeners',
    ],
    [
      'one that does not find a Service',
      route([{ name: 'a' }], {
        parent: 'a',
        conditions: [ACCEPTED, { type: 'ResolvedRefs', status: 'False', reason: 'BackendNotFound' }],
      }),
      'BackendNotFound',
    ],
    [
      'one that has dropped rules',
      route([{ name: 'a' }], {
        parent: 'a',
        conditions: [ACCEPTED, { type: 'PartiallyInvalid', status: 'True', reason: 'UnsupportedValue' }],
      }),
      'UnsupportedValue',
    ],
    [
      'another listener of the same gateway',
      route([{ name: 'a', sectionName: 'tls' }], { parent: 'a', conditions: [ACCEPTED] }),
      'WaitingForGateway',
    ],
    ['no gateway at all', route(undefined), 'NoParents'],
  ])('not with %s', (_, of, reason) => {
    expect(acceptanceOf(of)).toMatchObject({ accepted: false, reason });
  });
});
