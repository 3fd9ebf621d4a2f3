/**
 * Bad input by class: missing, empty, zero, negative, a fraction, above int32, a megabyte long, a wrong enum, the
 * wrong type. Derived from the schema, so that a new field is tested without anybody remembering to.
 */
import { DURATION_PATTERN } from '../../duration.ts';
import type { StructuralSchema } from '../generate/structural.ts';
import { type Node, walk, withValue } from './paths.ts';
import { type BadInput, type Subject, specSchemaOf } from './subject.ts';

const MEGABYTE = 1 << 20;

/** Each leaf of the full object spoilt in each way that its type knows. */
export function badFields(subject: Subject): BadInput[] {
  const cases: BadInput[] = [];
  for (const [full, node] of nodesOf(subject)) {
    for (const [name, value] of badValues(node)) {
      const object = withValue(subject.object(full), node.path, value);
      cases.push({ name: `${node.path}: ${name}`, object, field: node.path });
    }
  }
  return cases;
}

/** Each field of the full objects once, with the object that has it. */
function* nodesOf(subject: Subject): Generator<[full: Record<string, unknown>, node: Node]> {
  const seen = new Set<string>();
  for (const full of subject.full)
    for (const node of walk('spec', full, specSchemaOf(subject))) {
      if (!seen.has(node.path)) yield [full, node];
      seen.add(node.path);
    }
}

function* badValues({ path, value, schema, required }: Node): Generator<[name: string, value: unknown]> {
  // leaving out an item of a list only shortens the list
  if (required && schema.default === undefined && !path.endsWith(']')) yield ['missing', undefined];
  // the server takes null for absent, and so does HPA
  if (required) yield ['null', null];
  if (schema['x-kubernetes-int-or-string']) yield* badQuantities(path);
  else if (schema.type === 'integer') yield* badIntegers(schema);
  else if (schema.type === 'string') yield* badStrings(schema);
  else if (schema.type === 'boolean') yield ['a word', 'yes'];
  else if (schema.type === 'array') {
    yield ['not a list', 'x'];
    const items = value as readonly unknown[];
    const tooMany = Array.from({ length: (schema.maxItems ?? 0) + 1 }, (_, i) => items[i % items.length]);
    yield ['too many items', tooMany];
    if (schema.minItems) yield ['empty', []];
  } else if (schema.type === 'object') {
    yield ['a text', 'x'];
    yield ['a list', []];
  }
}

/** A tolerance of nothing, and a limit of a guard: not one of what it counts. */
const MAY_BE_ZERO = ['.tolerance', '.prometheus.max', '.prometheus.min'];

function* badQuantities(path: string): Generator<[string, unknown]> {
  if (!MAY_BE_ZERO.some((end) => path.endsWith(end))) {
    yield ['zero', 0];
    yield ['zero as text', '0.0'];
  }
  yield ['negative', -1];
  yield ['negative as text', '-1m'];
  yield ['a fraction without quotes', 0.5];
  yield ['empty', ''];
  yield ['no number', 'many'];
  yield ['no quantity', '1 Gi'];
  yield ['beyond int64', '10E'];
  yield ['a megabyte long', '9'.repeat(MEGABYTE)];
  yield ['true', true];
}

function* badIntegers({ minimum, maximum }: StructuralSchema): Generator<[string, unknown]> {
  if (minimum === undefined || minimum > 0) yield ['zero', 0];
  yield ['negative', -1];
  yield ['a fraction', 1.5];
  yield ['above its maximum', (maximum ?? 0) + 1];
  yield ['above int32', 2 ** 31];
  yield ['a text', '3'];
}

function otherCase(text: string): string {
  const lower = text.toLowerCase();
  return lower === text ? text.toUpperCase() : lower;
}

function* badStrings({ enum: values, pattern, minLength }: StructuralSchema): Generator<[string, unknown]> {
  yield ['a number', 7];
  yield ['a megabyte long', 'x'.repeat(MEGABYTE)];
  if (values) yield ['a wrong enum', otherCase(values[0] ?? '')];
  if (values || pattern !== undefined || minLength !== undefined) yield ['empty', ''];
  if (pattern === DURATION_PATTERN) {
    yield ['no unit', '90'];
    yield ['zero', '0s'];
    yield ['negative', '-1m'];
    yield ['days', '1d'];
    yield ['longer than any limit', '999999h'];
    yield ['longer than an int64', '999999h999999h999999h'];
  } else if (pattern !== undefined) {
    yield ['a control character', 'a\u0000b'];
  }
}
