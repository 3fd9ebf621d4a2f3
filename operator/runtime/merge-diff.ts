/** RFC 7386 merge patches between two JSON values, and whether a patch says anything but the time. */

type Json = unknown;
type JsonObject = Readonly<Record<string, Json>>;

/**
 * The merge patch that turns `before` into `after`, or undefined when there is nothing to do. Lists are replaced
 * whole, as merge patches do. Undefined values count as absent.
 */
export function mergeDiff(before: JsonObject, after: JsonObject): Record<string, Json> | undefined {
  const patch: Record<string, Json> = {};
  for (const key of Object.keys(before))
    if (before[key] !== undefined && after[key] === undefined) patch[key] = null;
  for (const [key, value] of Object.entries(after)) {
    if (value === undefined) continue;
    const old = before[key];
    if (isObject(value)) {
      // Nulls inside a new object would be dropped by the server; a diff against {} has none.
      const inner = mergeDiff(isObject(old) ? old : {}, value);
      if (inner !== undefined) patch[key] = inner;
      else if (!isObject(old)) patch[key] = {};
    } else if (!sameJson(old, value)) {
      patch[key] = value;
    }
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

/** Equality that ignores the order of keys and undefined values, and treats names in `ignore` as equal. */
export function sameJson(a: Json, b: Json, ignore: (key: string) => boolean = () => false): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((value, i) => sameJson(value, b[i], ignore));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => ignore(key) || sameJson(a[key], b[key], ignore));
}

/** Fields that only say when: `lastScaleTime`, `lastTransitionTime`, … */
export function isTimestampKey(key: string): boolean {
  return /(?:^t|T)ime(?:stamp)?$/.test(key);
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
