/**
 * Reading fields of untrusted JSON. Only own keys count, so that nothing is ever found on a prototype, and every
 * refusal names the field.
 */
import { invalid } from '../core/errors.ts';
import { isModelName, isVersion } from '../core/repository.ts';

export type Scalar = boolean | number | string;
export type Parameters = ReadonlyMap<string, Scalar>;

export interface JsonObject {
  readonly [key: string]: unknown;
}

const MOST_PARAMETERS = 64;
const MOST_NAME = 256;

export function readObject(value: unknown, field: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(field, `${field} is not an object`);
  if (Object.hasOwn(value, '__proto__')) throw invalid(field, `${field} must not hold the key __proto__`);
  return value as JsonObject;
}

/** The value of an own key; undefined where it is absent or null. */
export function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? (object[key] ?? undefined) : undefined;
}

export function readList(value: unknown, field: string, most: number): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(field, `${field} is not a list`);
  if (value.length > most) throw invalid(field, `${field} has ${value.length} entries, at most ${most}`);
  return value;
}

export function readName(value: unknown, field: string): string {
  if (typeof value !== 'string' || value === '' || value.length > MOST_NAME)
    throw invalid(field, `${field} is not a text of 1 to ${MOST_NAME} characters`);
  return value;
}

/** A name of the repository; nothing that could be read as a path gets further. */
export function readModelName(value: unknown, field: string): string {
  if (typeof value === 'string' && isModelName(value)) return value;
  throw invalid(field, `${field} is not a model's name: letters, digits, ".", "_" and "-", 128 at most`);
}

export function readVersion(value: unknown, field: string): string {
  if (typeof value === 'string' && isVersion(value)) return value;
  throw invalid(field, `${field} is not a version: a whole number from 1 on`);
}

export function readParameters(value: unknown, field: string): Parameters {
  const parameters = new Map<string, Scalar>();
  if (value === undefined) return parameters;
  const entries = Object.entries(readObject(value, field));
  if (entries.length > MOST_PARAMETERS)
    throw invalid(field, `${field} has ${entries.length} entries, at most ${MOST_PARAMETERS}`);
  for (const [key, item] of entries) {
    if (typeof item !== 'boolean' && typeof item !== 'number' && typeof item !== 'string')
      throw invalid(field, `${field}.${key.slice(0, 64)} is not a boolean, number or string`);
    parameters.set(key, item);
  }
  return parameters;
}

export function booleanParameter(parameters: Parameters, key: string, field: string): boolean | undefined {
  const value = parameters.get(key);
  if (value === undefined || typeof value === 'boolean') return value;
  throw invalid(field, `${field}.${key} is not a boolean`);
}

/** A whole number that is not negative. gRPC brings 64-bit ones as texts. */
export function wholeParameter(parameters: Parameters, key: string, field: string): number | undefined {
  const value = parameters.get(key);
  if (value === undefined) return undefined;
  const number = typeof value === 'string' && /^\d{1,19}$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isInteger(number) && number >= 0) return number;
  throw invalid(field, `${field}.${key} is not a whole number`);
}
