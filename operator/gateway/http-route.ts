/** The parts of an HTTPRoute (gateway.networking.k8s.io/v1) that a rollout reads and writes; the rest is carried along. */
import type { KubeObject, ResourceRef } from '../runtime/index.ts';

export const GATEWAY_GROUP = 'gateway.networking.k8s.io';

export const HTTP_ROUTES: ResourceRef = {
  group: GATEWAY_GROUP,
  version: 'v1',
  plural: 'httproutes',
  namespaced: true,
};

export interface BackendRef {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
  readonly port?: number;
  readonly weight?: number;
  readonly filters?: readonly unknown[];
}

export interface RouteFilter {
  readonly type: string;
  readonly requestMirror?: { readonly backendRef: BackendRef; readonly percent?: number };
  readonly [other: string]: unknown;
}

export interface RouteRule {
  readonly filters?: readonly RouteFilter[];
  readonly backendRefs?: readonly BackendRef[];
  readonly [other: string]: unknown;
}

export interface ParentRef {
  readonly group?: string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
  readonly sectionName?: string;
  readonly port?: number;
}

export interface RouteCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
}

export interface HttpRoute extends KubeObject {
  readonly metadata: KubeObject['metadata'] & {
    readonly managedFields?: readonly {
      readonly manager?: string;
      readonly time?: string;
      readonly subresource?: string;
    }[];
  };
  readonly spec?: { readonly parentRefs?: readonly ParentRef[]; readonly rules?: readonly RouteRule[] };
  readonly status?: {
    readonly parents?: readonly {
      readonly parentRef: ParentRef;
      readonly controllerName?: string;
      readonly conditions?: readonly RouteCondition[];
    }[];
  };
}
