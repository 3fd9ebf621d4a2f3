/** Builders for tests: the source under test and what it is asked. */
import { type PrometheusServer, parsePrometheusServers } from '../prometheus/config.ts';
import { createMetricSources, type MetricSourcesOptions } from '../registry.ts';
import type { MetricRequest, MetricSources } from '../types.ts';

export function prometheusRequest(
  query = 'sum(rate(http_requests_total[1m]))',
  server = 'default',
  namespace = 'shop',
): MetricRequest {
  const target = { type: 'AverageValue' as const, averageValue: '50' };
  return {
    namespace,
    podSelector: 'app=web',
    metric: { type: 'Prometheus', prometheus: { serverRef: { name: server }, query, target } },
  };
}

export function serverEntry(url: string, more: object = {}): PrometheusServer {
  const entry = { name: 'default', url, allowedNamespaces: ['*'], allowAddresses: ['loopback'], ...more };
  const [server] = parsePrometheusServers([entry]);
  if (server === undefined) throw new Error('no server');
  return server;
}

export const noApi: Pick<MetricSourcesOptions, 'api' | 'kinds'> = {
  api: { getJson: () => Promise.reject(new Error('the API server is not part of this test')) },
  kinds: { resolve: () => Promise.reject(new Error('the API server is not part of this test')) },
};

/** Sources that are closed at the end of the scope. */
export function sourcesFor(
  servers: readonly PrometheusServer[],
  options: Partial<MetricSourcesOptions> = {},
): MetricSources & AsyncDisposable {
  const sources = createMetricSources({
    ...noApi,
    prometheusServers: servers,
    apiServers: () => [],
    random: () => 0.5,
    ...options,
  });
  return Object.assign(sources, { [Symbol.asyncDispose]: () => sources.close() });
}

export const never = (): AbortSignal => new AbortController().signal;
