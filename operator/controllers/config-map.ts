/** ConfigMaps as controllers see them: learned state, the administrator's switch, registries. */
import type { KubeObject, ResourceRef } from '../runtime/index.ts';

export const CONFIG_MAPS: ResourceRef = { group: '', version: 'v1', plural: 'configmaps', namespaced: true };

export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}
