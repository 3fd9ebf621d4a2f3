/**
 * The rules of an HTTPRoute with the weights of a rollout in them. A rule is the model's when one of its backends is the
 * Service of a version, or, where no version is known yet, a Service with the name of the ModelDeployment itself. Of such
 * a rule the backends and the mirrors to versions are written; everything else in it, and every other rule, stays.
 */
import { versionName } from '../api/modeldeployment/labels.ts';
import type { BackendRef, HttpRoute, RouteFilter, RouteRule } from './http-route.ts';

export interface VersionShare {
  readonly version: number;
  /** Whole per cent. */
  readonly weight: number;
  /** Per cent of the requests that are copied to it. */
  readonly mirrorPercent: number;
}

export interface Refusal {
  readonly reason: 'NoRuleForModel' | 'RuleShared';
  readonly message: string;
}

/**
 * @param shares without any, the rules stay as they are
 * @returns the rules, the same object when nothing has to change
 */
export function weightedRules(
  { metadata: { namespace, name }, spec: { rules = [] } = {} }: HttpRoute,
  model: string,
  shares: readonly VersionShare[],
): readonly RouteRule[] | Refusal {
  const isOurs = (ref: BackendRef) => isVersionOf(ref, model, namespace ?? '');
  const mine = rules.filter(({ backendRefs = [] }) => backendRefs.some(isOurs));
  if (mine.length === 0) {
    const message = `no rule of HTTPRoute ${name} sends to the Service ${model} or to one of a version`;
    return { reason: 'NoRuleForModel', message };
  }
  for (const [index, { backendRefs = [] }] of rules.entries()) {
    const other = backendRefs.find((ref) => !isOurs(ref));
    if (other === undefined || !backendRefs.some(isOurs)) continue;
    const message = `rule ${index} of HTTPRoute ${name} sends to ${other.name} too, so its weights are not the model's alone`;
    return { reason: 'RuleShared', message };
  }
  if (shares.length === 0) return rules;
  const written = rules.map((rule) => (mine.includes(rule) ? weighted(rule, model, shares, isOurs) : rule));
  return written.every((rule, i) => isEqual(rule, rules[i])) ? rules : written;
}

function weighted(
  rule: RouteRule,
  model: string,
  shares: readonly VersionShare[],
  isOurs: (ref: BackendRef) => boolean,
): RouteRule {
  const { filters, backendRefs = [], ...rest } = rule;
  const [template] = backendRefs;
  if (template === undefined) return rule;
  const target = ({ version }: VersionShare): BackendRef => ({
    ...template,
    name: versionName(model, version),
  });
  const refs = shares
    .filter(({ weight }) => weight > 0)
    .map((share) => ({ ...target(share), weight: share.weight }));
  const mirrors = shares
    .filter(({ mirrorPercent }) => mirrorPercent > 0)
    .map((share): RouteFilter => {
      const { filters: _filters, weight: _weight, ...backendRef } = target(share);
      return { type: 'RequestMirror', requestMirror: { backendRef, percent: share.mirrorPercent } };
    });
  const kept = (filters ?? []).filter(
    ({ requestMirror }) => requestMirror === undefined || !isOurs(requestMirror.backendRef),
  );
  const all = [...kept, ...mirrors];
  return { ...rest, ...(all.length === 0 ? {} : { filters: all }), backendRefs: refs };
}

function isVersionOf(ref: BackendRef, model: string, own: string): boolean {
  const { group = '', kind = 'Service', namespace = own, name } = ref;
  if (group !== '' || kind !== 'Service' || namespace !== own) return false;
  return name === model || (name.startsWith(`${model}-v`) && /^[1-9]\d*$/.test(name.slice(model.length + 2)));
}

/** Whether both say the same, in whatever order their keys stand. */
function isEqual(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const [left, right] = [Object.entries(a), new Map(Object.entries(b))];
  return left.length === right.size && left.every(([key, value]) => isEqual(value, right.get(key)));
}
