/** Metrics of the router. Labels come from its routes, never from a request, so a caller cannot make series. */
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { ProxyObserver } from './forward.ts';
import type { Route } from './routes.ts';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const WHERE = ['namespace', 'model', 'version'] as const;

export function createRouterMetrics(): { registry: Registry; observer: ProxyObserver } {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: 'foresail_router_requests_total',
    help: 'Requests by the version that was chosen and how they ended; version "" when none was.',
    labelNames: [...WHERE, 'outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'foresail_router_request_duration_seconds',
    help: 'From the first byte of a request to the last of its answer.',
    labelNames: WHERE,
    buckets: SECONDS,
    registers,
  });
  const retries = new Counter({
    name: 'foresail_router_retries_total',
    help: 'Requests that were sent to another pod because one was gone.',
    labelNames: WHERE,
    registers,
  });
  const mirrors = new Counter({
    name: 'foresail_router_mirrored_total',
    help: 'Copies to a shadow by how they ended; leftOut: too many were under way.',
    labelNames: [...WHERE, 'outcome'],
    registers,
  });
  return {
    registry,
    observer: {
      request({ route, version, outcome, seconds: taken }) {
        const where = labelsOf(route, version);
        requests.inc({ ...where, outcome });
        if (outcome === 'answered') seconds.observe(where, taken);
      },
      retry: ({ route, version }) => retries.inc(labelsOf(route, version)),
      mirror: ({ route, version, outcome }) => mirrors.inc({ ...labelsOf(route, version), outcome }),
    },
  };
}

function labelsOf(
  route: Route | undefined,
  version: number | undefined,
): Record<(typeof WHERE)[number], string> {
  return {
    namespace: route?.namespace ?? '',
    model: route?.name ?? '',
    version: version === undefined ? '' : String(version),
  };
}
