import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { schemaPaths } from '../testing/paths.ts';
import { COLUMNS, openApiSchema } from './crd.ts';
import { generatedFiles } from './files.ts';
import { predictiveScalerReference } from './reference.ts';
import { type StructuralSchema, toStructural } from './structural.ts';

const ROOT = new URL('../../../', import.meta.url);
const { spec = {}, status = {} } = openApiSchema().properties ?? {};

function* nodes(path: string, schema: StructuralSchema): Generator<[string, StructuralSchema]> {
  yield [path, schema];
  if (schema.items) yield* nodes(`${path}[]`, schema.items);
  if (schema.additionalProperties) yield* nodes(`${path}.*`, schema.additionalProperties);
  for (const [name, child] of Object.entries(schema.properties ?? {})) yield* nodes(`${path}.${name}`, child);
}

const everything = [...nodes('spec', spec), ...nodes('status', status)];

describe('generated files', () => {
  test.each([...generatedFiles()])('%s is what `make generate` writes', (path, content) => {
    expect(readFileSync(new URL(path, ROOT), 'utf8')).toBe(content);
  });
});

describe('the schema', () => {
  test('describes every field', () => {
    const bare = everything
      .filter(([path, s]) => !/(\[\]|\*)$/.test(path) && !s.description)
      .map(([path]) => path);
    expect(bare).toEqual([]);
  });

  test('bounds every list, map and text, or the API server could not bound the cost of a rule', () => {
    const unbounded = everything.filter(
      ([, s]) =>
        (s.type === 'array' && s.maxItems === undefined) ||
        (s.additionalProperties && s.maxProperties === undefined) ||
        (s.type === 'string' && s.maxLength === undefined && s.enum === undefined) ||
        (s['x-kubernetes-int-or-string'] && s.maxLength === undefined),
    );
    expect(unbounded.map(([path]) => path)).toEqual([]);
  });

  test('has no namespace in any reference', () => {
    expect(everything.filter(([path]) => path.endsWith('.namespace'))).toEqual([]);
  });

  test('every column but Ready reads a scalar that exists', () => {
    const paths = new Set(everything.map(([path]) => `.${path}`));
    for (const { name, jsonPath } of COLUMNS) {
      if (name !== 'Ready' && name !== 'Age') expect(paths).toContain(jsonPath);
    }
    expect(COLUMNS.map(({ name }) => name).join(' ')).toBe(
      'Target Mode Min Max Replicas Desired Forecast Lead Verdict Ready Age',
    );
  });
});

describe('the reference page', () => {
  test('has a line for every field', () => {
    const page = predictiveScalerReference();
    const fields = [...schemaPaths('spec', spec), ...schemaPaths('status', status)];
    const missing = fields.filter(
      (path) => !path.endsWith('[]') && path.includes('.') && !page.includes(`\`${path}\``),
    );
    expect(missing).toEqual([]);
  });
});

describe('a structural schema', () => {
  test('of a union ties each member to its type and guards the rules of a variant', () => {
    const union = z.discriminatedUnion('type', [
      z
        .object({ type: z.literal('A'), a: z.int().min(1).max(9), b: z.never().optional() })
        .meta({ 'x-kubernetes-validations': [{ rule: 'self.a > 1', message: 'm' }] }),
      z.object({ type: z.literal('B'), b: z.string().max(3) }),
    ]);
    const { properties, required, 'x-kubernetes-validations': rules } = toStructural(union);
    expect(Object.keys(properties ?? {})).toEqual(['type', 'a', 'b']);
    expect(properties?.['type']?.enum).toEqual(['A', 'B']);
    expect(required).toEqual(['type']);
    expect(rules?.map(({ rule }) => rule)).toEqual([
      "!(self.type == 'A') || has(self.a)",
      "self.type == 'A' || !has(self.a)",
      "!(self.type == 'B') || has(self.b)",
      "self.type == 'B' || !has(self.b)",
      "self.type != 'A' || !has(self.a) || self.a > 1",
    ]);
  });

  test('refuses a union without a discriminator', () => {
    expect(() => toStructural(z.object({ x: z.union([z.string(), z.boolean()]) }))).toThrow('.x');
  });

  test('refuses variants that disagree about a member', () => {
    const union = z.discriminatedUnion('type', [
      z.object({ type: z.literal('A'), size: z.int() }),
      z.object({ type: z.literal('B'), size: z.string() }),
    ]);
    expect(() => toStructural(union)).toThrow('.size');
  });
});
