/**
 * From a HorizontalPodAutoscaler to a PredictiveScaler by changing the head. The API server is the oracle twice: it
 * says which manifests are valid HPAs, and what autoscaling/v2 fills into them.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { loadAll } from 'js-yaml';
import { request } from '../../../e2e/api.ts';
import { makeNamespace, type Namespace, sharedCluster } from '../../../e2e/shared-cluster.ts';
import { formatQuantityMilli, isQuantity, parseQuantityMilli } from '../../quantity.ts';
import { installCrd, judge, resourcePath, type Verdict } from '../testing/server.ts';
import { hpaSpec } from '../testing/spec-arbitrary.ts';
import { applyHpaDefaults } from './hpa-defaults.ts';
import { API_VERSION, PREDICTIVE_SCALER, parsePredictiveScaler } from './kind.ts';

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
  spec: Record<string, unknown>;
}

const HPA_HEAD = { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' };
const manifests = loadAll(
  readFileSync(new URL('../testing/hpa-manifests.yaml', import.meta.url), 'utf8'),
) as Manifest[];

const cluster = sharedCluster();
let namespace: Namespace;

beforeAll(async () => {
  await installCrd(cluster);
  namespace = await makeNamespace('hpa');
}, 60_000);
afterAll(() => namespace.delete());

const hpaPath = () => `/apis/autoscaling/v2/namespaces/${namespace.name}/horizontalpodautoscalers`;
const here = (manifest: Manifest) => ({
  ...manifest,
  metadata: { ...manifest.metadata, namespace: namespace.name },
});

function withNewHead(manifest: Manifest): Manifest {
  return { ...manifest, apiVersion: API_VERSION, kind: PREDICTIVE_SCALER.kind };
}

async function askBoth(manifest: Manifest): Promise<[hpa: Verdict, scaler: Verdict]> {
  return [
    await judge(cluster, hpaPath(), here(manifest)),
    await judge(cluster, resourcePath(namespace.name), withNewHead(here(manifest))),
  ];
}

const SELECTOR_PARTS = ['matchLabels', 'matchExpressions'];
const isEmpty = (value: unknown) => typeof value === 'object' && Object.keys(value ?? {}).length === 0;

/** The server writes quantities in their canonical form, and leaves out the empty parts of a selector. */
function canonical(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => canonical(item));
  if (typeof value === 'object' && value !== null) {
    const kept = Object.entries(value).filter(([k, v]) => !(isEmpty(v) && SELECTOR_PARTS.includes(k)));
    return Object.fromEntries(kept.map(([k, v]) => [k, canonical(v, k)]));
  }
  const isValue = ['value', 'averageValue', 'tolerance'].includes(key);
  const quantity = isValue && (typeof value === 'string' || typeof value === 'number') && isQuantity(value);
  return quantity ? formatQuantityMilli(parseQuantityMilli(value)) : value;
}

/** What HPA says is what we say, but for the window that HPA takes from a flag and does not write down. */
function expectSameDefaults(manifest: Manifest, hpa: Record<string, unknown>): void {
  const converted = parsePredictiveScaler(withNewHead(here(manifest))).spec;
  const { minReplicas, maxReplicas, metrics, behavior } = applyHpaDefaults(converted);
  const theirs = hpa['behavior'] as { scaleDown: Record<string, unknown> } | undefined;
  const scaleDown = { stabilizationWindowSeconds: 300, ...theirs?.scaleDown };
  expect(canonical({ minReplicas, maxReplicas, metrics, behavior })).toEqual(
    canonical({
      minReplicas: hpa['minReplicas'],
      maxReplicas: hpa['maxReplicas'],
      metrics: hpa['metrics'],
      behavior: theirs && { ...theirs, scaleDown },
    }),
  );
}

describe('manifests as people write them', () => {
  test.each(manifests.map((manifest) => [manifest.metadata.name, manifest] as const))(
    '%s',
    async (_, manifest) => {
      expect(manifest).toMatchObject(HPA_HEAD);
      const [hpa, scaler] = await askBoth(manifest);
      if (!hpa.accepted) throw new Error(`no HPA: ${hpa.message}`);
      if (!scaler.accepted) throw new Error(scaler.message);
      expectSameDefaults(manifest, hpa.spec);
      expect('behavior' in scaler.spec).toBe('behavior' in manifest.spec);
    },
  );
});

test('what an HPA became on the server converts too, defaults, nulls, status and all', async () => {
  const manifest = manifests[0] as Manifest;
  await request(cluster, 'POST', hpaPath(), here(manifest));
  // as the HPA controller leaves an object whose metrics it cannot read
  const condition = { type: 'AbleToScale', status: 'True', lastTransitionTime: '2026-11-21T10:00:00Z' };
  const conditions = [
    { ...condition, reason: 'SucceededGetScale', message: 'the HPA was able to get the scale' },
  ];
  const lived = await request<Manifest & { metadata: { resourceVersion: string } }>(
    cluster,
    'PATCH',
    `${hpaPath()}/${manifest.metadata.name}/status`,
    { status: { currentReplicas: 3, desiredReplicas: 3, conditions } },
  );
  const { resourceVersion: _, ...metadata } = lived.metadata;
  expect(lived).toHaveProperty('status.currentMetrics', null);
  const scaler = await judge(cluster, resourcePath(namespace.name), withNewHead({ ...lived, metadata }));
  expect(scaler).toMatchObject({ accepted: true });
});

test('any spec that HPA takes, we take, with HPA’s defaults', async () => {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(hpaSpec, async (spec) => {
      const manifest: Manifest = { ...HPA_HEAD, metadata: { name: 'any' }, spec };
      const [hpa, scaler] = await askBoth(manifest);
      if (!hpa.accepted || knownDifference(spec)) return;
      if (!scaler.accepted) throw new Error(scaler.message);
      expectSameDefaults(manifest, hpa.spec);
      accepted += 1;
    }),
    { numRuns: 400 },
  );
  expect(accepted).toBeGreaterThan(100);
}, 60_000);

/** What the reference page says that we refuse and HPA does not. */
function knownDifference(spec: Record<string, unknown>): boolean {
  const kind = (spec['scaleTargetRef'] as { kind: string }).kind;
  const huge = /"(9\.1P|1E)"/.test(JSON.stringify(spec['metrics'] ?? []));
  return kind === 'PredictiveScaler' || huge;
}
