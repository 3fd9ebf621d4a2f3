/**
 * A PredictiveScaler with every field of the spec set, each metric type and each form of its target included. Tests
 * spoil it one field at a time; one of them fails when a new field is missing here.
 */
import { API_VERSION, PREDICTIVE_SCALER } from '../predictivescaler/kind.ts';

export interface RawScaler {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string };
  spec: Record<string, unknown>;
}

export function scaler(spec: Record<string, unknown>, name = 'web', namespace = 'default'): RawScaler {
  return {
    apiVersion: API_VERSION,
    kind: PREDICTIVE_SCALER.kind,
    metadata: { name, namespace },
    spec: structuredClone(spec),
  };
}

export const MINIMAL_SPEC = {
  scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
  maxReplicas: 40,
};

const selector = {
  matchLabels: { verb: 'GET' },
  matchExpressions: [
    { key: 'zone', operator: 'In', values: ['a', 'b'] },
    { key: 'canary', operator: 'DoesNotExist' },
  ],
};
const metric = { name: 'http_requests', selector };

export const FULL_SPEC = {
  ...MINIMAL_SPEC,
  minReplicas: 2,
  mode: 'Active',
  objective: 'Efficiency',
  paused: false,
  metrics: [
    {
      type: 'Resource',
      capacity: '0.9',
      resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
    },
    {
      type: 'Resource',
      capacity: '2Gi',
      resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1.5Gi' } },
    },
    {
      type: 'ContainerResource',
      containerResource: {
        name: 'cpu',
        container: 'app',
        target: { type: 'Utilization', averageUtilization: 60 },
      },
    },
    {
      type: 'ContainerResource',
      capacity: 1,
      containerResource: {
        name: 'cpu',
        container: 'app',
        target: { type: 'AverageValue', averageValue: '750m' },
      },
    },
    { type: 'Pods', capacity: '120', pods: { metric, target: { type: 'AverageValue', averageValue: 100 } } },
    {
      type: 'Object',
      object: {
        describedObject: { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'main' },
        metric,
        target: { type: 'Value', value: '10k' },
      },
    },
    {
      type: 'Object',
      capacity: '600',
      object: {
        describedObject: { kind: 'Service', name: 'main' },
        metric,
        target: { type: 'AverageValue', averageValue: '500' },
      },
    },
    { type: 'External', external: { metric, target: { type: 'Value', value: '30' } } },
    {
      type: 'External',
      capacity: '40',
      external: { metric, target: { type: 'AverageValue', averageValue: '30' } },
    },
    {
      type: 'Prometheus',
      prometheus: {
        serverRef: { name: 'default' },
        query: 'max(lag)',
        target: { type: 'Value', value: '1e3' },
      },
    },
    {
      type: 'Prometheus',
      capacity: '70',
      prometheus: {
        serverRef: { name: 'default' },
        query: 'sum(rate(http_requests_total{app="web"}[1m]))',
        target: { type: 'AverageValue', averageValue: '50' },
      },
    },
  ],
  behavior: {
    scaleUp: {
      stabilizationWindowSeconds: 30,
      selectPolicy: 'Min',
      policies: [
        { type: 'Pods', value: 4, periodSeconds: 60 },
        { type: 'Percent', value: 50, periodSeconds: 60 },
      ],
      tolerance: '0.05',
    },
    scaleDown: {
      stabilizationWindowSeconds: 600,
      selectPolicy: 'Disabled',
      policies: [{ type: 'Percent', value: 10, periodSeconds: 120 }],
      tolerance: 0,
    },
  },
  forecast: { model: { name: 'loadcast' }, coverage: '0.995', leadTime: '90s', step: '1m', history: '336h' },
  schedules: [
    { name: 'sale', schedule: '0 8 * * 5', duration: '4h', timeZone: 'Europe/Berlin', minReplicas: 10 },
    {
      name: 'night',
      schedule: '30 22 * * MON-FRI',
      duration: '7h30m',
      timeZone: 'UTC',
      minReplicas: 2,
      maxReplicas: 5,
    },
  ],
  fallback: { replicas: 6, after: '10m' },
};
