/**
 * A PredictiveScaler with every field of the spec set, each metric type and each form of its target included. Tests
 * spoil it one field at a time; one of them fails when a new field is missing here.
 */
import { API_VERSION, PREDICTIVE_SCALER } from '../predictivescaler/kind.ts';
import type { RawObject } from './subject.ts';

export function scaler(spec: Record<string, unknown>, name = 'web', namespace = 'default'): RawObject {
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

const always = { name: 'a', schedule: '* * * * *', timeZone: 'UTC' };

/** Valid, and on the very edge of each rule: a `<` for a `<=` refuses one of them. */
export const EDGE_SPECS: Readonly<Record<string, Record<string, unknown>>> = {
  'one number of replicas everywhere': {
    ...MINIMAL_SPEC,
    minReplicas: 7,
    maxReplicas: 7,
    fallback: { replicas: 7 },
    schedules: [{ ...always, duration: '1h', minReplicas: 7, maxReplicas: 7 }],
  },
  'schedules and fallback at the bounds': {
    ...MINIMAL_SPEC,
    minReplicas: 2,
    maxReplicas: 9,
    fallback: { replicas: 9 },
    schedules: [
      { ...always, duration: '1h', minReplicas: 2, maxReplicas: 9 },
      { ...always, name: 'b', duration: '1h', minReplicas: 9 },
      { ...always, name: 'c', duration: '1h', maxReplicas: 2 },
    ],
  },
  'the fallback at the lower bound': { ...MINIMAL_SPEC, minReplicas: 3, fallback: { replicas: 3 } },
  'the widest bounds': { ...MINIMAL_SPEC, minReplicas: 1, maxReplicas: 2 ** 31 - 1 },
  'the shortest durations and the lowest coverage': {
    ...MINIMAL_SPEC,
    forecast: { coverage: '0.5001', leadTime: '1s', step: '10s', history: '1h' },
    fallback: { replicas: 1, after: '1m' },
    schedules: [{ ...always, duration: '1m', minReplicas: 1 }],
  },
  'the longest durations and the highest coverage': {
    ...MINIMAL_SPEC,
    forecast: { coverage: '0.9999', leadTime: '1h', step: '1h', history: '2160h' },
    fallback: { replicas: 1, after: '24h' },
    schedules: [{ ...always, duration: '744h', maxReplicas: 40 }],
  },
  'capacities at the target, the smallest and the largest quantity': {
    ...MINIMAL_SPEC,
    metrics: [
      {
        type: 'Resource',
        capacity: '1000m',
        resource: { name: 'cpu', target: { type: 'AverageValue', averageValue: 1 } },
      },
      {
        type: 'External',
        capacity: '9P',
        external: { metric: { name: 'a' }, target: { type: 'AverageValue', averageValue: '1n' } },
      },
    ],
  },
  'behavior at its limits': {
    ...MINIMAL_SPEC,
    behavior: {
      scaleUp: {
        stabilizationWindowSeconds: 0,
        tolerance: 0,
        policies: [{ type: 'Pods', value: 1, periodSeconds: 1 }],
      },
      scaleDown: {
        stabilizationWindowSeconds: 3600,
        policies: [{ type: 'Percent', value: 1, periodSeconds: 1800 }],
      },
    },
  },
};
