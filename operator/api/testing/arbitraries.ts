/** Parts of specs for property tests: mostly valid, with the edges of each limit and now and then one step beyond. */
import * as fc from 'fast-check';

export const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

/** Leaves out the keys whose value is undefined, as JSON does. */
export function object(fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Record<string, unknown>> {
  return fc
    .record(fields)
    .map((o) => Object.fromEntries(Object.entries(o).filter(([, value]) => value !== undefined)));
}

/** Mostly `usual`; `rare` once in sixty times, so that most specs with some thirty fields stay valid. */
export function mostly<T>(usual: fc.Arbitrary<T>, rare: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ arbitrary: usual, weight: 59 }, { arbitrary: rare, weight: 1 });
}

export const duration = (usual: string[], rare: string[]) =>
  mostly(fc.constantFrom(...usual), fc.constantFrom(...rare));
export const int = (min: number, max: number, ...rare: number[]) =>
  mostly(fc.integer({ min, max }), fc.constantFrom(min - 1, ...rare));
