/** Everything that the controller watches: the objects themselves, and the children by the label that we gave them. */
import { LABELS, type Model } from '../../api/index.ts';
import {
  type Informer,
  type InformerOptions,
  type KubeObject,
  keyOf,
  type ResourceRef,
  type Store,
  type WatchScope,
  watchIn,
} from '../../runtime/index.ts';
import { CONFIG_MAPS, type ConfigMap } from '../config-map.ts';
import type { Child } from '../owned-objects.ts';
import { projectPod, type SeenPod } from './pod-health.ts';
import { REF } from './status.ts';

export const CHILDREN = {
  deployments: { group: 'apps', version: 'v1', plural: 'deployments', namespaced: true },
  services: { group: '', version: 'v1', plural: 'services', namespaced: true },
  poddisruptionbudgets: { group: 'policy', version: 'v1', plural: 'poddisruptionbudgets', namespaced: true },
} as const satisfies Record<string, ResourceRef>;

const PODS: ResourceRef = { group: '', version: 'v1', plural: 'pods', namespaced: true };

export type ChildKind = keyof typeof CHILDREN;
export const CHILD_KINDS = Object.keys(CHILDREN) as readonly ChildKind[];

/** As the server has it, with the part of a Deployment's status that counts. */
export interface SeenChild extends Child {
  readonly status?: {
    readonly replicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
  };
}

/** Children of one ModelDeployment: `namespace/name` of the owner. */
export const BY_OWNER = 'owner';

export interface Informers {
  readonly objects: Informer<KubeObject>;
  readonly children: Readonly<Record<ChildKind, Informer<SeenChild>>>;
  readonly pods: Informer<SeenPod>;
  /** Absent where the administrator has not switched registries on. */
  readonly registries: Informer<ConfigMap> | undefined;
}

export function createInformers(scope: WatchScope, registries: boolean): Informers {
  const make = <T extends KubeObject>(of: InformerOptions<T>) => watchIn(scope, of);
  const child = (kind: ChildKind) =>
    make<SeenChild>({
      ref: CHILDREN[kind],
      name: `model ${kind}`,
      labelSelector: LABELS.deployment,
      indexes: { [BY_OWNER]: ownerKeys },
    });
  return {
    objects: make<KubeObject>({ ref: REF }),
    children: {
      deployments: child('deployments'),
      services: child('services'),
      poddisruptionbudgets: child('poddisruptionbudgets'),
    },
    pods: make<SeenPod>({
      ref: PODS,
      name: 'model pods',
      labelSelector: LABELS.deployment,
      indexes: { [BY_OWNER]: ownerKeys },
      project: projectPod,
    }),
    registries: registries
      ? make<ConfigMap>({ ref: CONFIG_MAPS, name: 'model registries', labelSelector: LABELS.registry })
      : undefined,
  };
}

export function ownerKeys({ metadata }: KubeObject): string[] {
  const owner = metadata.labels?.[LABELS.deployment];
  return owner === undefined ? [] : [`${metadata.namespace}/${owner}`];
}

/** ModelDeployments that follow the registry of this index. */
export function followersOf(objects: Pick<Store<KubeObject>, 'list'>) {
  return ({ metadata: { namespace, labels } }: KubeObject): string[] =>
    objects
      .list()
      .filter((object) => {
        const { spec } = object as { readonly spec?: { readonly model?: Partial<Model> } };
        return (
          object.metadata.namespace === namespace && spec?.model?.from?.registry === labels?.[LABELS.registry]
        );
      })
      .map(keyOf);
}
