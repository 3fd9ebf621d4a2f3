import { describe, expect, test } from '@jest/globals';
import type { Store } from '../../runtime/types.ts';
import { findConflict, type Rivals, type ScalerObject, targetIndex } from './conflicts.ts';

function scaler(
  name: string,
  over: { target?: object; created?: string; owner?: string } = {},
): ScalerObject {
  return {
    metadata: {
      name,
      namespace: 'shop',
      uid: name,
      creationTimestamp: over.created ?? '2026-01-01T00:00:00Z',
      ...(over.owner === undefined
        ? {}
        : {
            ownerReferences: [
              { apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', name: over.owner, uid: 'u' },
            ],
          }),
    },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', ...over.target } },
  };
}

function store(...objects: ScalerObject[]): Store<ScalerObject> {
  return {
    size: objects.length,
    get: (key) => objects.find((object) => `shop/${object.metadata.name}` === key),
    list: () => objects,
    inNamespace: () => objects,
    byIndex: (_index, value) => objects.filter((object) => targetIndex(object).includes(value)),
  };
}

function rivals(over: Partial<Rivals> = {}): Rivals {
  return { hpas: store(), scaledObjects: undefined, predictiveScalers: store(), ...over };
}

const self = scaler('mine');

describe('a rival is', () => {
  test('an HPA on the same target', () => {
    expect(findConflict(self, rivals({ hpas: store(scaler('hpa')) }))?.reason).toBe(
      'HorizontalPodAutoscaler',
    );
  });
  test('an HPA that writes another version of the group', () => {
    const hpa = scaler('hpa', { target: { apiVersion: 'apps/v1beta2' } });
    expect(findConflict(self, rivals({ hpas: store(hpa) }))?.reason).toBe('HorizontalPodAutoscaler');
  });
  test("KEDA, through its ScaledObject or through the ScaledObject's HPA", () => {
    expect(findConflict(self, rivals({ scaledObjects: store(scaler('so')) }))?.reason).toBe('ScaledObject');
    expect(findConflict(self, rivals({ hpas: store(scaler('keda-hpa', { owner: 'so' })) }))).toMatchObject({
      reason: 'ScaledObject',
      message: expect.stringContaining('so'),
    });
  });
  test('an older PredictiveScaler, or of the same second the first by name', () => {
    const elder = scaler('z', { created: '2025-01-01T00:00:00Z' });
    expect(findConflict(self, rivals({ predictiveScalers: store(self, elder) }))?.reason).toBe(
      'PredictiveScaler',
    );
    const twin = scaler('a');
    expect(findConflict(self, rivals({ predictiveScalers: store(self, twin) }))?.message).toContain(' a;');
    expect(findConflict(twin, rivals({ predictiveScalers: store(self, twin) }))).toBeUndefined();
  });
});

test.each([
  ['another name', { name: 'api' }],
  ['another kind', { kind: 'StatefulSet' }],
  ['another group', { apiVersion: 'argoproj.io/v1alpha1' }],
])('%s is no rival', (_what, target) => {
  expect(findConflict(self, rivals({ hpas: store(scaler('hpa', { target })) }))).toBeUndefined();
});
