/**
 * What a gateway must be able to do beyond the core of the Gateway API to go by the shares of a rollout, and whether its
 * GatewayClass says that it can. One that knows no mirrors may accept a route with a mirror all the same, and then answer
 * every request of the rule with an error: so what it says is looked at before a mirror is written.
 */
import type { KubeObject, ObjectKey, ResourceRef } from '../runtime/index.ts';
import { GATEWAY_GROUP, type HttpRoute } from './http-route.ts';
import type { VersionShare } from './weights.ts';

export const GATEWAYS: ResourceRef = {
  group: GATEWAY_GROUP,
  version: 'v1',
  plural: 'gateways',
  namespaced: true,
};
export const GATEWAY_CLASSES: ResourceRef = { ...GATEWAYS, plural: 'gatewayclasses', namespaced: false };

export interface Gateway extends KubeObject {
  readonly spec?: { readonly gatewayClassName?: string };
}

export interface GatewayClass extends KubeObject {
  readonly status?: { readonly supportedFeatures?: readonly { readonly name?: string }[] };
}

/** Names of extended features, as the Gateway API's conformance tests call them. */
export function neededFeatures(shares: readonly VersionShare[]): readonly string[] {
  const percents = shares.map(({ mirrorPercent }) => mirrorPercent).filter((percent) => percent > 0);
  return [
    ...(percents.length > 0 ? ['HTTPRouteRequestMirror'] : []),
    ...(percents.some((percent) => percent < 100) ? ['HTTPRouteRequestPercentageMirror'] : []),
  ];
}

/** The first of `needed` that the class does not list; none of a class that lists nothing, about which nothing is known. */
export function missingFeature({ status }: GatewayClass, needed: readonly string[]): string | undefined {
  const listed = new Set((status?.supportedFeatures ?? []).map(({ name }) => name));
  return listed.size === 0 ? undefined : needed.find((feature) => !listed.has(feature));
}

/** The Gateways that a route is for; parents of another kind (a Service of a mesh, a ListenerSet) are none. */
export function gatewaysOf({ metadata, spec }: HttpRoute): readonly ObjectKey[] {
  return (spec?.parentRefs ?? [])
    .filter(({ group = GATEWAY_GROUP, kind = 'Gateway' }) => group === GATEWAY_GROUP && kind === 'Gateway')
    .map(({ namespace = metadata.namespace ?? '', name }) => ({ namespace, name }));
}
