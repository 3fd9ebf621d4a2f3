/** Who the processes of a run are: trainers and gate share a folder, so they are the same user. */
import type { ClusterTrainingRuntime } from '../../../api/index.ts';
import { RESTRICTED_POD } from '../../restricted.ts';

/** `securityContext` of a pod of that runtime. */
export function runUser({ runAsUser, runAsGroup, fsGroup }: ClusterTrainingRuntime['spec']['security']) {
  return {
    ...RESTRICTED_POD.securityContext,
    ...(runAsUser === undefined ? {} : { runAsUser }),
    ...(runAsGroup === undefined ? {} : { runAsGroup }),
    ...(fsGroup === undefined ? {} : { fsGroup }),
    // A claim with a million checkpoint files must not be walked at each start.
    fsGroupChangePolicy: 'OnRootMismatch',
  };
}
