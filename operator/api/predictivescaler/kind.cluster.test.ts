/** The CRD on a real API server, held against the schema it was made from. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { request } from '../../../e2e/api.ts';
import { kubectl } from '../../../e2e/kubectl.ts';
import { makeNamespace, type Namespace, sharedCluster } from '../../../e2e/shared-cluster.ts';
import { COLUMNS, openApiSchema } from '../generate/crd.ts';
import type { StructuralSchema } from '../generate/structural.ts';
import { type BadInput, badFields, brokenRules } from '../testing/bad-input.ts';
import { EDGE_SPECS, FULL_SPEC, MINIMAL_SPEC, scaler } from '../testing/full-object.ts';
import { walk, withValue } from '../testing/paths.ts';
import { installCrd, judge, resourcePath, type Verdict } from '../testing/server.ts';
import { predictiveScalerSpec } from '../testing/spec-arbitrary.ts';
import { type PredictiveScaler, parsePredictiveScaler } from './kind.ts';

const cluster = sharedCluster();
let namespace: Namespace;

beforeAll(async () => {
  await installCrd(cluster);
  namespace = await makeNamespace('api');
}, 60_000);
afterAll(() => namespace.delete());

function ask(spec: Record<string, unknown>): Promise<Verdict> {
  return judge(cluster, resourcePath(namespace.name), scaler(spec, 'web', namespace.name));
}

async function expectRefusal({ name, object, field }: BadInput): Promise<void> {
  const verdict = await ask(object.spec);
  if (verdict.accepted) throw new Error(`${name}: accepted`);
  if (!verdict.message.includes(field))
    throw new Error(`${name}: ${field} is not named in ${verdict.message}`);
}

/** Our own judgement, in the server's form. */
function ours(spec: Record<string, unknown>): Verdict {
  try {
    return { accepted: true, spec: parsePredictiveScaler(scaler(spec)).spec };
  } catch (error) {
    return { accepted: false, message: String(error) };
  }
}

describe('the server’s defaults are ours', () => {
  test.each([
    ['minimal', MINIMAL_SPEC],
    ['full', FULL_SPEC],
    ['empty parents', { ...MINIMAL_SPEC, forecast: {}, behavior: {}, metrics: [], schedules: [] }],
    ['nested', { ...MINIMAL_SPEC, fallback: { replicas: 3 }, forecast: { coverage: '0.9' } }],
    ...Object.entries(EDGE_SPECS),
  ])('%s', async (_, spec) => {
    const verdict = await ask(spec);
    expect(verdict).toEqual(ours(spec));
    expect(verdict.accepted).toBe(true);
  });

  test('and so is its judgement, for any spec', async () => {
    const seen = { accepted: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(predictiveScalerSpec, async (spec) => {
        const [theirs, mine] = [await ask(spec), ours(spec)];
        seen[theirs.accepted ? 'accepted' : 'refused'] += 1;
        if (theirs.accepted && mine.accepted) expect(mine.spec).toEqual(theirs.spec);
        else expect([theirs.accepted, mine]).toEqual([mine.accepted, mine]);
      }),
      { numRuns: 500 },
    );
    // both answers must have been tried, or the agreement says nothing
    expect(seen.accepted).toBeGreaterThan(50);
    expect(seen.refused).toBeGreaterThan(50);
  }, 60_000);

  test.each([undefined, {}, { scaleUp: {} }])('behavior %j is stored as it was given', async (behavior) => {
    const verdict = await ask({ ...MINIMAL_SPEC, behavior });
    expect(verdict.accepted && verdict.spec['behavior']).toEqual(behavior);
  });
});

describe('each class of bad input is refused with the field’s name', () => {
  const byField = Map.groupBy(badFields(), ({ field }) => field);

  test.each([...byField])('%s', async (_, cases) => {
    await Promise.all(cases.map(expectRefusal));
  });
});

describe('each rule across fields is refused with the field’s name', () => {
  test.each(brokenRules())('$name', expectRefusal);

  test('and each rule of the CRD was the reason of some refusal', async () => {
    const seen = new Set<string>();
    const outOfRange = badFields().filter(({ name }) =>
      /: (zero|beyond int64|longer than any limit)$/.test(name),
    );
    const verdicts = await Promise.all(
      [...brokenRules(), ...outOfRange].map(({ object }) => ask(object.spec)),
    );
    for (const verdict of verdicts) {
      for (const { field, message } of (!verdict.accepted && verdict.causes) || []) {
        const text = message.replace(
          /^.*evaluating rule: |^Invalid value: ("[^"]*": )?|^(Required value|Forbidden): /,
          '',
        );
        seen.add(`${field.replaceAll(/\[\d+\]/g, '[]')}: ${text}`);
      }
    }
    expect(
      [...rulesOf('spec', openApiSchema().properties?.['spec'] ?? {})].filter((rule) => !seen.has(rule)),
    ).toEqual([]);
  }, 30_000);
});

/** Each rule as the path that it blames and its message. */
function* rulesOf(path: string, schema: StructuralSchema): Generator<string> {
  for (const { fieldPath = '', message } of schema['x-kubernetes-validations'] ?? []) {
    yield `${path}${fieldPath}: ${message}`;
  }
  if (schema.items) yield* rulesOf(`${path}[]`, schema.items);
  for (const [name, child] of Object.entries(schema.properties ?? {}))
    yield* rulesOf(`${path}.${name}`, child);
}

describe('an unknown field', () => {
  const spec = openApiSchema().properties?.['spec'] ?? {};
  const objects = [...walk('spec', FULL_SPEC, spec)].filter(({ schema }) => schema.properties);

  test.each(objects.map(({ path }) => path))('in %s is refused by name', async (path) => {
    const verdict = await ask(withValue(scaler(FULL_SPEC), `${path}.replcas`, 3).spec);
    expect(verdict).toMatchObject({ accepted: false, message: expect.stringContaining(`${path}.replcas`) });
  });

  test('is dropped where the client does not ask for strictness', async () => {
    const object = scaler({ ...MINIMAL_SPEC, replcas: 3 }, 'loose', namespace.name);
    const path = `${resourcePath(namespace.name)}?dryRun=All&fieldValidation=Ignore`;
    const stored = await request<PredictiveScaler>(cluster, 'POST', path, object);
    expect(stored.spec).not.toHaveProperty('replcas');
  });
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
    expect(head.split(/\s+/)).toEqual(['NAME', ...COLUMNS.map((column) => column.name.toUpperCase())]);
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
