/** What each path of the three metrics APIs answers; a function of state and URL. */
import type { MetricsState } from './state.ts';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface Measurement {
  /** RFC 3339 */
  readonly timestamp: string;
  readonly windowSeconds: number;
}

const EXTERNAL = /^\/apis\/external\.metrics\.k8s\.io\/v1beta1\/namespaces\/([^/]+)\/([^/]+)$/;
const CUSTOM = /^\/apis\/custom\.metrics\.k8s\.io\/(v1beta[12])\/namespaces\/([^/]+)\/(.+)$/;
const RESOURCE = /^\/apis\/metrics\.k8s\.io\/v1beta1\/namespaces\/([^/]+)\/pods$/;

/** Undefined: no such path. */
export function answer(state: MetricsState, url: URL, at: Measurement): Answer | undefined {
  const path = decodeURIComponent(url.pathname);
  const selector = url.searchParams.get('labelSelector') ?? '';
  const found = DISCOVERY.get(path);
  if (found) return ok(found);

  const external = EXTERNAL.exec(path);
  if (external) {
    const [, namespace = '', metric = ''] = external;
    const items = state.external(namespace, metric, selector).map(({ value, labels }) => ({
      metricName: metric,
      metricLabels: labels,
      timestamp: at.timestamp,
      window: at.windowSeconds,
      value,
    }));
    return list('ExternalMetricValueList', 'external.metrics.k8s.io/v1beta1', items);
  }

  const resource = RESOURCE.exec(path);
  if (resource) {
    const [, namespace = ''] = resource;
    const items = state.podUsage(namespace, selector).map(({ name, labels, containers }) => ({
      metadata: { name, namespace, labels, creationTimestamp: at.timestamp },
      timestamp: at.timestamp,
      window: `${at.windowSeconds}s`,
      containers: [...containers].map(([container, usage]) => ({ name: container, usage })),
    }));
    return list('PodMetricsList', 'metrics.k8s.io/v1beta1', items);
  }

  const custom = CUSTOM.exec(path);
  if (custom) {
    const [, version = '', namespace = '', rest = ''] = custom;
    return customMetric(state, version, namespace, rest.split('/'), url.searchParams, at);
  }
  return undefined;
}

function customMetric(
  state: MetricsState,
  version: string,
  namespace: string,
  parts: readonly string[],
  query: URLSearchParams,
  at: Measurement,
): Answer | undefined {
  const metricSelector = query.get('metricLabelSelector') ?? '';
  const item = (describedObject: object, metric: string, value: string) => ({
    describedObject,
    ...(version === 'v1beta1' ? { metricName: metric } : { metric: { name: metric } }),
    timestamp: at.timestamp,
    windowSeconds: at.windowSeconds,
    value,
  });
  const values = (items: readonly object[]) =>
    list('MetricValueList', `custom.metrics.k8s.io/${version}`, items);

  const [resource = '', name = '', metric = ''] = parts;
  if (parts.length === 3 && resource === 'pods' && name === '*') {
    const measured = state.podMetrics(namespace, metric, query.get('labelSelector') ?? '', metricSelector);
    return values(
      measured.map((pod) =>
        item({ kind: 'Pod', apiVersion: 'v1', namespace, name: pod.name }, metric, pod.value),
      ),
    );
  }
  // The namespace's own metrics have a path of their own: …/namespaces/NS/metrics/METRIC.
  const ofNamespace = parts.length === 2 && resource === 'metrics';
  if (parts.length !== 3 && !ofNamespace) return undefined;
  const found = ofNamespace
    ? state.objectMetric(namespace, 'namespaces', namespace, name, metricSelector)
    : state.objectMetric(namespace, resource, name, metric, metricSelector);
  if (!found) return { status: 404, body: notFound(`${resource}/${name} has no such metric`) };
  const { kind, apiVersion, name: object } = found.reference;
  return values([
    item({ kind, apiVersion, namespace, name: object }, ofNamespace ? name : metric, found.value),
  ]);
}

function list(kind: string, apiVersion: string, items: readonly object[]): Answer {
  return ok({ kind, apiVersion, metadata: {}, items });
}

function ok(body: unknown): Answer {
  return { status: 200, body };
}

function notFound(message: string) {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason: 'NotFound',
    code: 404,
  };
}

/** Group and version → the resources it lists. Names of metrics are not listed: no client here looks them up. */
export const SERVED: readonly { group: string; version: string; resources: readonly object[] }[] = [
  { group: 'external.metrics.k8s.io', version: 'v1beta1', resources: [] },
  { group: 'custom.metrics.k8s.io', version: 'v1beta2', resources: [] },
  { group: 'custom.metrics.k8s.io', version: 'v1beta1', resources: [] },
  {
    group: 'metrics.k8s.io',
    version: 'v1beta1',
    resources: [
      { name: 'pods', singularName: 'pod', namespaced: true, kind: 'PodMetrics', verbs: ['get', 'list'] },
    ],
  },
];

const DISCOVERY: ReadonlyMap<string, object> = new Map(
  SERVED.map(({ group, version, resources }) => [
    `/apis/${group}/${version}`,
    { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: `${group}/${version}`, resources },
  ]),
);
