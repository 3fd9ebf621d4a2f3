import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { schemaPaths } from '../testing/paths.ts';
import { openApiSchema } from './crd.ts';
import { generatedFiles } from './files.ts';
import { KINDS } from './kinds.ts';
import { referenceOf } from './reference.ts';
import { type StructuralSchema, toStructural } from './structural.ts';

const ROOT = new URL('../../../', import.meta.url);

function* nodes(path: string, schema: StructuralSchema): Generator<[string, StructuralSchema]> {
  yield [path, schema];
  if (schema.items) yield* nodes(`${path}[]`, schema.items);
  if (schema.additionalProperties) yield* nodes(`${path}.*`, schema.additionalProperties);
  for (const [name, child] of Object.entries(schema.properties ?? {})) yield* nodes(`${path}.${name}`, child);
}

describe('generated files', () => {
  test.each([...generatedFiles()])('%s is what `make generate` writes', (path, content) => {
    expect(readFileSync(new URL(path, ROOT), 'utf8')).toBe(content);
  });
});

describe.each(KINDS.map((kind) => [kind.names.kind, kind] as const))('the schema of %s', (_, kind) => {
  const { spec = {}, status } = openApiSchema(kind).properties ?? {};
  const everything = [...nodes('spec', spec), ...(status === undefined ? [] : nodes('status', status))];

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

  test('every column but Ready and Age, and the scale, read a scalar that exists', () => {
    const paths = new Set(everything.map(([path]) => `.${path}`));
    const columns = kind.columns.filter(({ name }) => name !== 'Ready' && name !== 'Age');
    for (const { jsonPath } of columns) expect(paths).toContain(jsonPath);
    for (const path of Object.values(kind.scale ?? {})) expect(paths).toContain(path);
  });

  test('its reference page has a line for every field', () => {
    const page = referenceOf(kind);
    const fields = [...schemaPaths('spec', spec), ...schemaPaths('status', status ?? {})];
    const missing = fields.filter(
      (path) => !path.endsWith('[]') && path.includes('.') && !page.includes(`\`${path}\``),
    );
    expect(missing).toEqual([]);
  });
});

test('the columns are those that people know', () => {
  expect(KINDS.map(({ columns }) => columns.map(({ name }) => name).join(' '))).toEqual([
    'Target Mode Min Max Replicas Desired Forecast Lead Verdict Ready Age',
    'Stable Canary Weight Phase Verdict Ready Age',
    'Phase Step Total ETA Version Age',
    'Image Nodes Age',
  ]);
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
