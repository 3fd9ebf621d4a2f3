import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { type ForesailError, isForesailError } from '../../errors.ts';
import { openApiSchema } from '../generate/crd.ts';
import { badFields, brokenRules } from '../testing/bad-input.ts';
import { FULL_SPEC, MINIMAL_SPEC, scaler } from '../testing/full-object.ts';
import { schemaPaths, walk, withValue } from '../testing/paths.ts';
import { parsePredictiveScaler } from './kind.ts';

const spec = openApiSchema().properties?.['spec'] ?? {};
const paths = [...walk('spec', FULL_SPEC, spec)].map(({ path }) => path);

function refusal(object: unknown): ForesailError {
  try {
    parsePredictiveScaler(object);
  } catch (error) {
    if (isForesailError(error, 'SPEC_INVALID')) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('a valid object', () => {
  test('gets the defaults that the documentation promises', () => {
    expect(parsePredictiveScaler(scaler(MINIMAL_SPEC)).spec).toEqual({
      ...MINIMAL_SPEC,
      minReplicas: 1,
      mode: 'Auto',
      objective: 'Availability',
      paused: false,
      forecast: { coverage: '0.99', history: '336h' },
    });
  });

  test('with every field set comes back as it was', () => {
    expect(parsePredictiveScaler(scaler(FULL_SPEC)).spec).toEqual(FULL_SPEC);
  });

  test('nested defaults are filled where the parent is given', () => {
    const object = withValue(scaler(FULL_SPEC), 'spec.schedules[0].timeZone', undefined);
    const { spec } = parsePredictiveScaler(withValue(object, 'spec.fallback.after', undefined));
    expect(spec.schedules?.[0]?.timeZone).toBe('UTC');
    expect(spec.fallback?.after).toBe('10m');
  });

  test.each([
    ['absent', undefined],
    ['empty', {}],
    ['one direction', { scaleDown: { policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] } }],
  ])('a behavior that is %s stays so', (_, behavior) => {
    const { spec } = parsePredictiveScaler(withValue(scaler(FULL_SPEC), 'spec.behavior', behavior));
    expect(spec.behavior).toEqual(behavior);
    expect('behavior' in spec).toBe(behavior !== undefined);
  });

  test('keeps the metadata that we know nothing of', () => {
    const object = withValue(scaler(MINIMAL_SPEC), 'metadata.ownerReferences', [{ kind: 'App' }]);
    expect(parsePredictiveScaler(object).metadata['ownerReferences']).toEqual([{ kind: 'App' }]);
  });

  test('loses a status that cannot be read, and nothing else', () => {
    const object = { ...scaler(MINIMAL_SPEC), status: { currentReplicas: 'three' } };
    const { status, spec } = parsePredictiveScaler(object);
    expect(status).toBeUndefined();
    expect(spec.maxReplicas).toBe(40);
  });

  test('keeps a status that can', () => {
    const status = { currentReplicas: 3, forecast: { replicas: 5 } };
    expect(parsePredictiveScaler({ ...scaler(MINIMAL_SPEC), status }).status).toEqual(status);
  });
});

describe('a bad field is refused with its path', () => {
  test.each(badFields())('$name', ({ object, field }) => {
    const error = refusal(object);
    expect(error.subject).toContain(field);
    expect(error.message).toContain(field);
    expect(error.retry).toBe('terminal');
    expect(error.message.length).toBeLessThan(1000); // what the field held is not repeated
  });
});

describe('a broken rule is refused with the field that breaks it', () => {
  test.each(brokenRules())('$name', ({ object, field }) => {
    expect(refusal(object).message).toContain(field);
  });

  test.each([
    ['a range that runs backwards', '0 20-8 * * *'],
    ['a day that never comes', '0 0 31 2 *'],
  ])('%s in a cron expression', (_, schedule) => {
    const object = withValue(scaler(FULL_SPEC), 'spec.schedules[0].schedule', schedule);
    expect(refusal(object).subject).toBe('spec.schedules[0].schedule');
  });
});

describe('what is no object at all', () => {
  test.each([undefined, null, 7, 'text', [], {}, { apiVersion: 'v1', kind: 'Pod' }])('%j', (object) => {
    expect(() => parsePredictiveScaler(object)).toThrow();
    expect(isForesailError(refusal(object), 'SPEC_INVALID')).toBe(true);
  });

  test('anything that JSON can say is read or refused, never a crash', () => {
    const json = fc.jsonValue({ maxDepth: 4 });
    const spoilt = fc.tuple(fc.constantFrom(...paths), json).map(([path, value]) => {
      return withValue(scaler(FULL_SPEC), path, value);
    });
    fc.assert(
      fc.property(fc.oneof(json, spoilt), (object) => {
        try {
          parsePredictiveScaler(object);
        } catch (error) {
          if (!isForesailError(error, 'SPEC_INVALID')) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });

  test('keys of prototypes are data', () => {
    const object = JSON.parse(
      JSON.stringify(scaler(MINIMAL_SPEC)).replace('"spec":{', '"spec":{"__proto__":{"paused":true},'),
    ) as unknown;
    expect(parsePredictiveScaler(object).spec.paused).toBe(false);
  });
});

describe('the tests themselves', () => {
  test('the full object sets every field of the spec', () => {
    const set = new Set(paths.map((path) => path.replaceAll(/\[\d+\]/g, '[]')));
    expect([...schemaPaths('spec', spec)].filter((path) => !set.has(path))).toEqual([]);
  });
});
