/** The two that are compared: what a user applies, which process does the work, and how it writes a scale. */
import { request } from '../api.ts';
import type { Cluster } from '../cluster.ts';
import { eventually } from '../eventually.ts';
import { OPERATOR_NAMESPACE, startOperator } from '../operator.ts';
import { horizontalPodAutoscaler, NAMESPACE, predictiveScaler } from './fleet.ts';
import type { Watched } from './watch.ts';
import { hasCondition } from './watch.ts';

export interface Contender {
  readonly name: 'HPA' | 'Foresail';
  /** As the audit log names it. */
  readonly user: string;
  readonly collection: string;
  readonly object: (i: number) => object;
  readonly isWorking: (object: Watched) => boolean;
  /** As `countByKind` writes it. */
  readonly scaleWrite: string;
  readonly statusWrite: string;
  /** Starts what must run beside the control plane; resolves when it leads. */
  start(cluster: Cluster): Promise<Running>;
}

export interface Running {
  readonly pids: Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

/** Part of the controller-manager, which runs anyway. */
export const HPA: Contender = {
  name: 'HPA',
  user: 'system:kube-controller-manager',
  collection: `/apis/autoscaling/v2/namespaces/${NAMESPACE}/horizontalpodautoscalers`,
  object: horizontalPodAutoscaler,
  isWorking: (object) => hasCondition(object, 'ScalingActive'),
  scaleWrite: 'update deployments/scale',
  statusWrite: 'update horizontalpodautoscalers/status',
  start: () => Promise.resolve({ pids: {}, stop: () => Promise.resolve() }),
};

const OPERATOR_USER = 'test-1';
const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${OPERATOR_NAMESPACE}/leases/foresail-operator`;

export const FORESAIL: Contender = {
  name: 'Foresail',
  user: OPERATOR_USER,
  collection: `/apis/foresail.io/v1alpha1/namespaces/${NAMESPACE}/predictivescalers`,
  object: (i) => predictiveScaler(i),
  // As HPA: the metric is read. Ready says besides that the target was found and nobody else scales it.
  isWorking: (object) => hasCondition(object, 'ScalingActive') && hasCondition(object, 'Ready'),
  scaleWrite: 'patch deployments/scale',
  statusWrite: 'patch predictivescalers/status',
  start: startForesail,
};

/** With its default configuration. `PROFILE=DIR` leaves a CPU profile of the operator there. */
export async function startForesail(cluster: Cluster): Promise<Running> {
  const { PROFILE } = process.env;
  const operator = await startOperator(cluster, {
    kubeconfigPath: cluster.kubeconfigs[OPERATOR_USER] ?? '',
    ...(PROFILE === undefined ? {} : { env: { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${PROFILE}` } }),
  });
  await eventually('the operator leads', async () => {
    const lease = await request<{ spec: { holderIdentity?: string } }>(cluster, 'GET', LEASE);
    return (lease.spec.holderIdentity ?? '') !== '';
  });
  return {
    pids: { operator: operator.pid },
    async stop() {
      await operator.stop();
    },
  };
}
