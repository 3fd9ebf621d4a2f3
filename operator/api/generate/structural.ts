/**
 * Turns the JSON schema that zod writes into a structural one, the only form that the API server takes. zod's is
 * close; what differs: a discriminated union becomes one object whose members are tied to `type` by CEL, a quantity
 * becomes an int-or-string, and objects are open (the server prunes, or refuses under strict validation).
 */
import { z } from 'zod';
import type { CelRule } from '../schema/rules.ts';
import { MAX_INT32 } from '../schema/scalars.ts';

/** The subset of a structural schema that ours use. */
export interface StructuralSchema {
  description?: string;
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  format?: string;
  default?: unknown;
  enum?: readonly string[];
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
  anyOf?: readonly { type: string }[];
  items?: StructuralSchema;
  properties?: Record<string, StructuralSchema>;
  additionalProperties?: StructuralSchema;
  required?: readonly string[];
  'x-kubernetes-int-or-string'?: true;
  'x-kubernetes-preserve-unknown-fields'?: true;
  'x-kubernetes-list-type'?: 'atomic' | 'map' | 'set';
  'x-kubernetes-list-map-keys'?: readonly string[];
  'x-kubernetes-validations'?: readonly CelRule[];
}

/** What zod writes: the same words, plus unions and closed objects. */
interface ZodJsonSchema
  extends Omit<StructuralSchema, 'items' | 'properties' | 'additionalProperties' | 'anyOf'> {
  oneOf?: readonly ZodJsonSchema[];
  anyOf?: readonly ZodJsonSchema[];
  not?: object;
  items?: ZodJsonSchema;
  properties?: Record<string, ZodJsonSchema>;
  additionalProperties?: boolean | ZodJsonSchema;
}

/** Keywords that pass unchanged, in the order in which they are written. */
const KEPT = [
  'description',
  'type',
  'format',
  'enum',
  'default',
  'minLength',
  'maxLength',
  'pattern',
  'minItems',
  'maxItems',
  'maxProperties',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
] as const;

/** @throws Error when the schema uses something that has no structural form: that is a bug of the schema. */
export function toStructural(schema: z.ZodType): StructuralSchema {
  const json = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', unrepresentable: 'throw' });
  return convert(json as ZodJsonSchema, '');
}

function convert(node: ZodJsonSchema, path: string): StructuralSchema {
  if (node['x-kubernetes-int-or-string']) return intOrString(node);
  if (node.oneOf) return convert(mergeVariants(node, path), path);
  if (node.type === undefined) throw new Error(`${path}: no structural form for ${JSON.stringify(node)}`);

  const result: Record<string, unknown> = {};
  for (const key of KEPT) if (node[key] !== undefined) result[key] = node[key];
  if (node.type === 'integer') Object.assign(result, integerRange(node));
  if (node.items) result['items'] = convert(node.items, `${path}[]`);
  if (node.properties) {
    result['properties'] = Object.fromEntries(
      Object.entries(node.properties).map(([name, child]) => [name, convert(child, `${path}.${name}`)]),
    );
  }
  if (typeof node.additionalProperties === 'object') {
    if (Object.keys(node.additionalProperties).length > 0) {
      result['additionalProperties'] = convert(node.additionalProperties, `${path}.*`);
    } else {
      result['x-kubernetes-preserve-unknown-fields'] = true;
    }
  }
  if (node.required?.length) result['required'] = node.required;
  if (node['x-kubernetes-validations']?.length) {
    result['x-kubernetes-validations'] = node['x-kubernetes-validations'];
  }
  return result;
}

/** Without limits of its own, zod gives an integer those of a double, which are none of ours. */
function integerRange({ minimum, maximum }: ZodJsonSchema): StructuralSchema {
  const limited = maximum !== undefined && maximum <= MAX_INT32;
  return {
    format: limited ? 'int32' : 'int64',
    ...(minimum === undefined || minimum === Number.MIN_SAFE_INTEGER ? {} : { minimum }),
    ...(limited ? { maximum } : {}),
  };
}

function intOrString(node: ZodJsonSchema): StructuralSchema {
  const text = node.anyOf?.find((variant) => variant.type === 'string') ?? {};
  const { description, default: absent, 'x-kubernetes-validations': rules } = node;
  return {
    ...(description === undefined ? {} : { description }),
    ...(absent === undefined ? {} : { default: absent }),
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    'x-kubernetes-int-or-string': true,
    ...(text.maxLength === undefined ? {} : { maxLength: text.maxLength }),
    ...(text.pattern === undefined ? {} : { pattern: text.pattern }),
    ...(rules === undefined ? {} : { 'x-kubernetes-validations': rules }),
  };
}

/**
 * One object out of the variants of a discriminated union. A member that not all variants have is tied to the
 * variants that have it; a rule of a variant is evaluated only for that variant.
 */
function mergeVariants(union: ZodJsonSchema, path: string): ZodJsonSchema {
  const variants = union.oneOf ?? [];
  const tag = discriminator(variants, path);
  const tagOf = (variant: ZodJsonSchema) => String(variant.properties?.[tag]?.enum?.[0]);

  const members = new Map<string, { schema: ZodJsonSchema; tags: string[] }>();
  for (const variant of variants) {
    for (const [name, schema] of Object.entries(variant.properties ?? {})) {
      if (name === tag || schema.not) continue;
      const known = members.get(name);
      if (known && JSON.stringify(known.schema) !== JSON.stringify(schema)) {
        throw new Error(`${path}.${name}: the variants disagree about it`);
      }
      if (known) known.tags.push(tagOf(variant));
      else members.set(name, { schema, tags: [tagOf(variant)] });
    }
  }

  const rules: CelRule[] = [];
  for (const [name, { tags }] of members) {
    if (tags.length === variants.length) continue;
    const quoted = tags.map((t) => `'${t}'`);
    const is = quoted.length === 1 ? `self.${tag} == ${quoted[0]}` : `self.${tag} in [${quoted.join(', ')}]`;
    const when = `${tag} is ${tags.join(' or ')}`;
    rules.push({
      rule: `!(${is}) || has(self.${name})`,
      message: `${name} is required when ${when}`,
      reason: 'FieldValueRequired',
      fieldPath: `.${name}`,
    });
    rules.push({
      rule: `${is} || !has(self.${name})`,
      message: `${name} is forbidden unless ${when}`,
      reason: 'FieldValueForbidden',
      fieldPath: `.${name}`,
    });
  }
  for (const variant of variants) {
    const own = [...members].filter(
      ([, member]) => member.tags.length === 1 && member.tags[0] === tagOf(variant),
    );
    const guard = [`self.${tag} != '${tagOf(variant)}'`, ...own.map(([name]) => `!has(self.${name})`)].join(
      ' || ',
    );
    for (const rule of variant['x-kubernetes-validations'] ?? []) {
      rules.push({ ...rule, rule: `${guard} || ${rule.rule}` });
    }
  }

  return {
    ...(union.description === undefined ? {} : { description: union.description }),
    type: 'object',
    properties: {
      [tag]: {
        type: 'string',
        description: describeTag([...members.keys()]),
        enum: variants.map(tagOf),
      },
      ...Object.fromEntries([...members].map(([name, member]) => [name, member.schema])),
    },
    required: (variants[0]?.required ?? []).filter((name) =>
      variants.every((variant) => variant.required?.includes(name)),
    ),
    'x-kubernetes-validations': rules,
  };
}

function describeTag(members: readonly string[]): string {
  return members.length === 1
    ? `Must be the type of \`${members[0]}\`.`
    : 'Type, which says which of the other members is set.';
}

function discriminator(variants: readonly ZodJsonSchema[], path: string): string {
  const tag = Object.keys(variants[0]?.properties ?? {}).find((name) =>
    variants.every((variant) => variant.properties?.[name]?.enum?.length === 1),
  );
  if (tag === undefined) throw new Error(`${path}: a union without a discriminator has no structural form`);
  return tag;
}
