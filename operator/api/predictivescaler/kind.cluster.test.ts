/** The CRD on a real API server: what holds of every kind, and what this one alone promises. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from '../../../e2e/api.ts';
import { kubectl } from '../../../e2e/kubectl.ts';
import { makeNamespace, type Namespace, sharedCluster } from '../../../e2e/shared-cluster.ts';
import { PREDICTIVE_SCALER_KIND } from '../generate/kinds.ts';
import { FULL_SPEC, MINIMAL_SPEC, scaler } from '../testing/full-object.ts';
import { describeKindOnServer } from '../testing/kind-cluster-suite.ts';
import { predictiveScalerSubject } from '../testing/predictivescaler.ts';
import { installCrd, judge, resourcePath } from '../testing/server.ts';
import { predictiveScalerSpec } from '../testing/spec-arbitrary.ts';
import { type PredictiveScaler, parsePredictiveScaler } from './kind.ts';

describeKindOnServer(predictiveScalerSubject, predictiveScalerSpec);

const cluster = sharedCluster();
let namespace: Namespace;

beforeAll(async () => {
  await installCrd(cluster);
  namespace = await makeNamespace('api');
}, 60_000);
afterAll(() => namespace.delete());

test.each([undefined, {}, { scaleUp: {} }])('behavior %j is stored as it was given', async (behavior) => {
  const object = scaler({ ...MINIMAL_SPEC, behavior }, 'web', namespace.name);
  const verdict = await judge(cluster, resourcePath(namespace.name), object);
  expect(verdict.accepted && verdict.spec['behavior']).toEqual(behavior);
});

describe('an object that lives', () => {
  const name = 'living';

  beforeAll(async () => {
    const object = scaler(FULL_SPEC, name, namespace.name);
    await request(cluster, 'POST', `${resourcePath(namespace.name)}?fieldValidation=Strict`, object);
  });

  test('cannot lose a required field or gain a broken rule by a later write', async () => {
    for (const spec of [
      { maxReplicas: null },
      { minReplicas: 41 },
      { scaleTargetRef: { kind: 'PredictiveScaler' } },
    ]) {
      const write = request(cluster, 'PATCH', resourcePath(namespace.name, name), { spec });
      await expect(write).rejects.toThrow(`spec.${Object.keys(spec)[0]}`);
    }
  });

  test('shows its columns, and its status is a subresource of its own', async () => {
    const before = await request<PredictiveScaler>(cluster, 'GET', resourcePath(namespace.name, name));
    const status = {
      observedGeneration: 1,
      target: 'Deployment/web',
      mode: 'Shadow',
      currentReplicas: 3,
      desiredReplicas: 4,
      lastScaleTime: '2026-11-21T10:00:00Z',
      currentMetrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', current: { averageUtilization: 61, averageValue: '305m' } },
        },
      ],
      forecast: { replicas: 7, model: 'loadcast', quantiles: [{ level: '0.99', value: '412' }] },
      leadTime: { value: '1m30s', source: 'Learned', p50: '1m10s', p90: '1m30s', samples: 12 },
      verdict: { recommendation: 'Active' },
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          lastTransitionTime: '2026-11-21T10:00:00Z',
          reason: 'AsExpected',
          message: '',
        },
      ],
    };
    const path = `${resourcePath(namespace.name, name)}/status?fieldValidation=Strict`;
    const after = await request<PredictiveScaler>(cluster, 'PATCH', path, {
      status,
      spec: { maxReplicas: 1 },
    });
    expect(after.status).toEqual(status);
    expect(after.spec).toEqual(before.spec);
    expect(parsePredictiveScaler(after).status).toEqual(status);

    const table = await kubectl(cluster, ['get', 'predictivescalers', name, '-n', namespace.name]);
    const [head = '', line = ''] = table.trim().split('\n');
    expect(head.split(/\s+/)).toEqual([
      'NAME',
      ...PREDICTIVE_SCALER_KIND.columns.map((column) => column.name.toUpperCase()),
    ]);
    expect(line).toMatch(/^living +Deployment\/web +Shadow +2 +40 +3 +4 +7 +1m30s +Active +True +\d+s$/);
  });

  test.each(['psc', 'predictivescaler', 'foresail', 'predictivescalers.v1alpha1.foresail.io'])(
    'answers to %s',
    async (word) => {
      expect(await kubectl(cluster, ['get', word, '-n', namespace.name, '-o', 'name'])).toContain(`/${name}`);
    },
  );

  test('is explained field by field', async () => {
    const text = await kubectl(cluster, ['explain', 'predictivescalers.spec.forecast.coverage']);
    expect(text).toContain('Share of the time');
  });
});
