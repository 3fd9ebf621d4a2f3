/**
 * Whether an object on the server says what we want, and the patch that makes it so. The server fills in defaults and
 * writes quantities in its own way, neither of which is a difference; a patch each time would never come to rest.
 */
import { isQuantity, parseQuantityMilli } from '../quantity.ts';
import { mergeDiff } from '../runtime/merge-diff.ts';
import type { Child } from './owned-objects.ts';

type Json = unknown;
type JsonObject = Readonly<Record<string, Json>>;

/** True when everything in `wanted` stands in `actual`; what else stands there is somebody else's, or a default. */
export function covers(actual: Json, wanted: Json, key = ''): boolean {
  if (wanted === undefined || actual === wanted) return true;
  if (Array.isArray(wanted))
    return (
      Array.isArray(actual) &&
      actual.length === wanted.length &&
      wanted.every((item, i) => covers(actual[i], item))
    );
  if (isObject(wanted)) {
    if (!isObject(actual)) return false;
    // A leftover limit, selector or label is a difference, not a default.
    if (EXACT.has(key) && Object.keys(actual).some((name) => !(name in wanted))) return false;
    const inner = AMOUNTS.has(key) ? sameAmount : covers;
    return Object.entries(wanted).every(([name, value]) => inner(actual[name], value, name));
  }
  return false;
}

const AMOUNTS = new Set(['requests', 'limits']);
const EXACT = new Set(['limits', 'nodeSelector', 'selector', 'matchLabels']);

function sameAmount(actual: Json, wanted: Json): boolean {
  const [a, b] = [actual, wanted].map((value) => {
    const known = typeof value === 'string' || typeof value === 'number';
    return known && isQuantity(value) ? parseQuantityMilli(value) : undefined;
  });
  return a !== undefined && a === b;
}

/**
 * The merge patch that brings `actual` to `wanted`, or undefined. Of a pod template nothing is left that is not wanted:
 * the server fills its defaults in again.
 */
export function patchOf(actual: Child, wanted: Child): Record<string, unknown> | undefined {
  const labels = wanted.metadata.labels;
  const sameSpec = covers(actual.spec, wanted.spec) && !hasLeftovers(actual, wanted);
  if (sameSpec && covers(actual.metadata.labels, labels)) return undefined;
  const spec = Object.fromEntries(
    Object.entries(wanted.spec).map(([key, value]) => {
      const before = actual.spec[key];
      return [key, isObject(value) && isObject(before) ? (mergeDiff(before, value) ?? value) : value];
    }),
  );
  return { metadata: { labels }, spec };
}

/** Optional parts of a pod that we once wanted and do not want any more; none of them has a default. */
function hasLeftovers(actual: Child, wanted: Child): boolean {
  const [before, after] = [actual, wanted].map(({ spec }) => podSpec(spec));
  return ['nodeSelector', 'tolerations', 'serviceAccountName'].some(
    (key) => before?.[key] !== undefined && after?.[key] === undefined,
  );
}

function podSpec(spec: JsonObject): JsonObject | undefined {
  const template = spec['template'];
  const pod = isObject(template) ? template['spec'] : undefined;
  return isObject(pod) ? pod : undefined;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
