/**
 * The administrator's one switch: a ConfigMap in the operator's namespace. It is watched, so a pause takes effect
 * within a second on whichever replica leads, survives restarts and is seen with `kubectl get configmap`:
 *
 *   kubectl -n foresail-system create configmap foresail-control --from-literal=paused=true
 */
import type { Store } from '../../runtime/index.ts';
import type { ConfigMap } from '../config-map.ts';
import type { Fleet } from './ports.ts';

export const CONTROL_CONFIG_MAP = 'foresail-control';

/** Anything but a clear "false" pauses: who writes `paused: yes` means it. */
export function readPause(store: Store<ConfigMap>, namespace: string): Fleet['pause'] {
  const data = store.get(`${namespace}/${CONTROL_CONFIG_MAP}`)?.data;
  const text = data?.['paused']?.trim().toLowerCase();
  if (text === undefined || text === '' || text === 'false') return { paused: false, reason: '' };
  return {
    paused: true,
    reason: data?.['reason'] ?? `ConfigMap ${namespace}/${CONTROL_CONFIG_MAP} says paused`,
  };
}
