/** An exporter whose numbers a test sets: the load of each app, or a fault in the place of a number. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const METRIC = 'shop_load';

export interface LoadBoard {
  /** "host:port" to scrape. */
  readonly target: string;
  set(app: string, value: number): void;
  /** The series ends: Prometheus marks it stale, and a query finds an empty vector. */
  drop(app: string): void;
  /** Its samples carry timestamps of their own, as those of a gateway do: Prometheus does not mark their end. */
  stamp(app: string): void;
  /** The newest stamped sample stays what it is and grows old. */
  freeze(app: string): void;
  close(): void;
}

export function queryOf(app: string): string {
  return `sum(${METRIC}{app="${app}"})`;
}

/** One line of OpenMetrics, for history made by promtool. */
export function sampleOf(app: string, value: number, atMs: number): string {
  return `${METRIC}{app="${app}"} ${value} ${(atMs / 1000).toFixed(3)}`;
}

export const TYPE_LINE = `# TYPE ${METRIC} gauge`;

/** A scraped sample carries no further labels, so that it goes on the series of a written history. */
export function scrapeConfig(target: string): string {
  return `global: {scrape_interval: 500ms, scrape_timeout: 500ms}
scrape_configs:
- job_name: shop
  static_configs: [{targets: ["${target}"]}]
  metric_relabel_configs:
  - {action: labeldrop, regex: "job|instance"}
`;
}

export async function startLoadBoard(): Promise<LoadBoard> {
  const loads = new Map<string, { value: number; frozenAtMs?: number }>();
  const stamped = new Set<string>();
  const line = (app: string, { value, frozenAtMs }: { value: number; frozenAtMs?: number }) => {
    const sample = `${METRIC}{app="${app}"} ${promText(value)}`;
    return stamped.has(app) ? `${sample} ${frozenAtMs ?? Date.now()}` : sample;
  };
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    const lines = [...loads].map(([app, load]) => line(app, load));
    response.end(`${[TYPE_LINE, ...lines].join('\n')}\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    target: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    set: (app, value) => void loads.set(app, { value }),
    drop: (app) => void loads.delete(app),
    stamp: (app) => void stamped.add(app),
    freeze(app) {
      const now = loads.get(app);
      if (now !== undefined) loads.set(app, { ...now, frozenAtMs: Date.now() });
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function promText(value: number): string {
  return Number.isNaN(value) ? 'NaN' : String(value);
}
