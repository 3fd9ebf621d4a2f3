/** Shapes and datatypes come from outside: every dimension and their product are bounded before anything is allocated. */
import { invalid } from '../core/errors.ts';
import { DATATYPES, elementsOf } from '../core/tensors.ts';
import type { Datatype } from '../core/types.ts';

export const MAX_RANK = 32;
/** What onnxruntime's own indices and a typed array can hold. */
export const MAX_ELEMENTS = 2 ** 31 - 1;

/** @throws INPUT_INVALID unless it is a list of whole numbers, none negative, whose product stays in bounds */
export function readShape(value: unknown, field: string): number[] {
  if (!Array.isArray(value)) throw invalid(field, `${field} is not a list of dimensions`);
  if (value.length > MAX_RANK)
    throw invalid(field, `${field} has ${value.length} dimensions, at most ${MAX_RANK}`);
  const shape: number[] = [];
  for (const dim of value as unknown[]) {
    if (typeof dim !== 'number' || !Number.isInteger(dim) || dim < 0 || dim > MAX_ELEMENTS)
      throw invalid(field, `${field} must hold whole numbers from 0 to ${MAX_ELEMENTS}`);
    shape.push(dim);
  }
  if (elementsOf(shape) > MAX_ELEMENTS)
    throw invalid(field, `${field} asks for more than ${MAX_ELEMENTS} elements`);
  return shape;
}

export function readDatatype(value: unknown, field: string): Datatype {
  if (typeof value === 'string' && Object.hasOwn(DATATYPES, value)) return value as Datatype;
  throw invalid(field, `${field} is none of ${Object.keys(DATATYPES).join(', ')}`);
}
