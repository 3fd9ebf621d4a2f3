/** A small PredictiveScaler and the path it lives at. */
export interface ScalerTarget {
  readonly apiVersion?: string;
  readonly kind: string;
  readonly name: string;
}

export function scaler(namespace: string, name: string, scaleTargetRef: ScalerTarget, spec: object = {}) {
  return {
    apiVersion: 'foresail.io/v1alpha1',
    kind: 'PredictiveScaler',
    metadata: { namespace, name },
    spec: { scaleTargetRef, maxReplicas: 5, ...spec },
  };
}

export function scalersPath(namespace: string, name = ''): string {
  const path = `/apis/foresail.io/v1alpha1/namespaces/${namespace}/predictivescalers`;
  return name === '' ? path : `${path}/${name}`;
}

export const WEB: ScalerTarget = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
