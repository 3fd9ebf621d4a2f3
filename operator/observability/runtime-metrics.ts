/** Metrics of the runtime under the domain: API requests, informers, work queues, leader election, events. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { RuntimeObserver } from '../runtime/types.ts';

export const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function runtimeMetrics(registers: Registry[]): RuntimeObserver {
  const counter = (name: string, help: string, ...labelNames: string[]) =>
    new Counter({ name, help, labelNames, registers });
  const histogram = (name: string, help: string, ...labelNames: string[]) =>
    new Histogram({ name, help, labelNames, buckets: SECONDS, registers });

  const requests = counter(
    'foresail_api_requests_total',
    'Requests to the API server.',
    'verb',
    'resource',
    'code',
  );
  const requestSeconds = histogram('foresail_api_request_duration_seconds', 'Time of one request.', 'verb');
  const throttled = counter(
    'foresail_api_throttled_seconds_total',
    'Time that requests waited for a limit.',
    'by',
  );
  const restarts = counter(
    'foresail_informer_restarts_total',
    'Watches started again.',
    'informer',
    'relist',
  );
  const garbage = counter(
    'foresail_informer_garbage_total',
    'Watch streams that broke the protocol.',
    'informer',
  );
  const depth = new Gauge({
    name: 'foresail_workqueue_depth',
    help: 'Keys that wait for a worker.',
    labelNames: ['queue'],
    registers,
  });
  const adds = counter('foresail_workqueue_adds_total', 'Keys added.', 'queue');
  const retries = counter('foresail_workqueue_retries_total', 'Keys added again after an error.', 'queue');
  const waits = histogram('foresail_workqueue_queue_duration_seconds', 'Time from due to taken.', 'queue');
  const reconciles = histogram(
    'foresail_reconcile_duration_seconds',
    'Time of one reconcile, metric reads included.',
    'controller',
    'outcome',
  );
  const leader = new Gauge({
    name: 'foresail_leader',
    help: '1 while this replica holds the lease.',
    labelNames: ['lease'],
    registers,
  });
  const events = counter('foresail_events_dropped_total', 'Events that were not sent.', 'why');
  for (const by of ['client', 'server']) throttled.inc({ by }, 0);

  return {
    request({ verb, resource, code, durationMs }) {
      requests.inc({ verb, resource, code });
      requestSeconds.observe({ verb }, durationMs / 1000);
    },
    throttled: ({ by, waitedMs }) => throttled.inc({ by }, waitedMs / 1000),
    informerRestarted: ({ informer, relist }) => restarts.inc({ informer, relist: String(relist) }),
    informerGarbage: ({ informer }) => garbage.inc({ informer }),
    queueAdded({ queue, depth: n }) {
      adds.inc({ queue });
      retries.inc({ queue }, 0);
      depth.set({ queue }, n);
    },
    queueTaken({ queue, depth: n, waitedMs }) {
      depth.set({ queue }, n);
      waits.observe({ queue }, waitedMs / 1000);
    },
    queueRetried: ({ queue }) => retries.inc({ queue }),
    reconciled: ({ controller, outcome, durationMs }) =>
      reconciles.observe({ controller, outcome }, durationMs / 1000),
    leading: ({ lease, leading }) => leader.set({ lease }, leading ? 1 : 0),
    eventDropped: ({ why }) => events.inc({ why }),
  };
}
