/** Everything that a controller and main need; the files behind it are private to the runtime. */

export type { ClientOptions } from '../kube/client.ts';
export { KubeClient } from '../kube/client.ts';
export {
  type Connection,
  explicitConnection,
  inClusterConnection,
  loadConnection,
} from '../kube/connection.ts';
export { CachedDiscovery } from '../kube/discovery.ts';
export { isAlreadyExists, isConflict, isGone, isNotFound } from '../kube/errors.ts';
export { type InformerOptions, ResourceInformer } from '../kube/informer.ts';
export { formatKey, keyOf, objectKey, parseKey } from '../kube/keys.ts';
export { apiVersionOf, groupVersion } from '../kube/paths.ts';
export { IndexedStore } from '../kube/store.ts';
export { Transport } from '../kube/transport.ts';
export { findCondition, type NewCondition, removeCondition, setCondition } from './conditions.ts';
export { type ControllerOptions, createController } from './controller.ts';
export { createEventRecorder, type EventRecorderOptions } from './event-recorder.ts';
export { alwaysLeading, fencedClient } from './fence.ts';
export { createLeaderElector, type LeaderElectionOptions } from './leader-election.ts';
export { createManager, type ManagerOptions } from './manager.ts';
export { formatMicroTime, formatTime } from './micro-time.ts';
export { type WatchScope, watchIn } from './namespaced-informer.ts';
export { generationChanged, informerSource } from './sources.ts';
export { createStatusWriter, statusPatch } from './status-writer.ts';
export type * from './types.ts';
