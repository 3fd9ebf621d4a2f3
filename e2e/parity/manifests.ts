/** A sequence as API objects: the HPA, the Deployment, and the very same HPA read as a PredictiveScaler. */
import {
  type PredictiveScalerSpec,
  predictiveScalerSpecSchema,
} from '../../operator/api/predictivescaler/spec.ts';
import { DELAY_MS, type ScriptedMetric, type Sequence } from './sequence.ts';

export const NAME = 'web';
export const CPU_REQUEST_MILLI = 100;
/** Of memory, whatever a target of 1 means. */
export const MEMORY_UNIT = 2 ** 20;
export const SIDECAR = 'sidecar';
export const SERVICE = { resource: 'services', kind: 'Service', apiVersion: 'v1', name: 'door' } as const;

const target = {
  average: (value: string) => ({ type: 'AverageValue', averageValue: value }),
  value: (value: string) => ({ type: 'Value', value }),
  utilization: (percent: number) => ({ type: 'Utilization', averageUtilization: percent }),
};

function metric({ kind, target: wanted }: ScriptedMetric): object {
  const described = { apiVersion: SERVICE.apiVersion, kind: SERVICE.kind, name: SERVICE.name };
  const hits = { name: 'hits' };
  switch (kind) {
    case 'ExternalAverage':
      return {
        type: 'External',
        external: { metric: { name: 'queue' }, target: target.average(String(wanted)) },
      };
    case 'ExternalValue':
      return {
        type: 'External',
        external: { metric: { name: 'queue' }, target: target.value(String(wanted)) },
      };
    case 'ResourceUtilization':
      return { type: 'Resource', resource: { name: 'cpu', target: target.utilization(wanted) } };
    case 'ResourceAverage':
      return { type: 'Resource', resource: { name: 'memory', target: target.average(`${wanted}Mi`) } };
    case 'ContainerUtilization':
      return {
        type: 'ContainerResource',
        containerResource: { name: 'cpu', container: 'app', target: target.utilization(wanted) },
      };
    case 'PodsAverage':
      return { type: 'Pods', pods: { metric: { name: 'inflight' }, target: target.average(String(wanted)) } };
    case 'ObjectValue':
      return {
        type: 'Object',
        object: { describedObject: described, metric: hits, target: target.value(String(wanted)) },
      };
    case 'ObjectAverage':
      return {
        type: 'Object',
        object: { describedObject: described, metric: hits, target: target.average(String(wanted)) },
      };
  }
}

export function hpaSpec({ minReplicas, maxReplicas, metrics, behavior }: Sequence) {
  return {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: NAME },
    minReplicas,
    maxReplicas,
    metrics: metrics.map(metric),
    ...(behavior === undefined ? {} : { behavior }),
  };
}

export function hpa(namespace: string, sequence: Sequence) {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { namespace, name: NAME },
    spec: hpaSpec(sequence),
  };
}

export function scalerSpec(sequence: Sequence): PredictiveScalerSpec {
  return predictiveScalerSpecSchema.parse({ ...hpaSpec(sequence), mode: 'Reactive' });
}

export function podAnnotations({ startUp, lingering }: Sequence): Record<string, string> {
  const delay = `${DELAY_MS / 1000}s`;
  return {
    ...(startUp === 'unready' ? { 'foresail.io/ready-after': delay } : {}),
    ...(startUp === 'pending' ? { 'foresail.io/pending-for': delay } : {}),
    ...(lingering ? { 'foresail.io/stop-after': delay } : {}),
  };
}
