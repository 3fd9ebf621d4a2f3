/** Reads, changes and walks plain objects by paths written as Kubernetes writes them: `spec.metrics[0].type`. */
import type { StructuralSchema } from '../generate/structural.ts';

type Container = Record<string, unknown>;

function keysOf(path: string): string[] {
  return path.split(/[.[\]]+/).filter((key) => key !== '');
}

/** A copy of `object` with the value at `path` replaced, or removed when it is undefined. */
export function withValue<T extends object>(object: T, path: string, value: unknown): T {
  // through JSON, so that parts used twice are copied twice
  const copy = JSON.parse(JSON.stringify(object)) as T;
  const keys = keysOf(path);
  const last = keys.pop() ?? '';
  let holder = copy as Container;
  for (const key of keys) holder = holder[key] as Container;
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  return copy;
}

export interface Node {
  /** `spec.metrics[0].type` */
  readonly path: string;
  readonly value: unknown;
  readonly schema: StructuralSchema;
  readonly required: boolean;
}

/** Every value below `value` together with its schema. Throws on a value that the schema does not know. */
export function* walk(
  path: string,
  value: unknown,
  schema: StructuralSchema,
  required = true,
): Generator<Node> {
  yield { path, value, schema, required };
  if (Array.isArray(value)) {
    if (!schema.items) throw new Error(`${path}: no schema for items`);
    for (const [i, item] of value.entries()) yield* walk(`${path}[${i}]`, item, schema.items);
  } else if (typeof value === 'object' && value !== null && schema.properties) {
    for (const [key, child] of Object.entries(value)) {
      const property = schema.properties[key];
      if (!property) throw new Error(`${path}.${key}: not in the schema`);
      yield* walk(`${path}.${key}`, child, property, schema.required?.includes(key) === true);
    }
  }
}

/** Every path of a schema, lists as `[]`. */
export function* schemaPaths(path: string, schema: StructuralSchema): Generator<string> {
  yield path;
  if (schema.items) yield* schemaPaths(`${path}[]`, schema.items);
  for (const [name, child] of Object.entries(schema.properties ?? {}))
    yield* schemaPaths(`${path}.${name}`, child);
}
