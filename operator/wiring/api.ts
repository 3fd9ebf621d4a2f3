/**
 * The ways to the API server. Each kind of work has connections or a budget of its own, so that none of them can starve
 * another: not the lease, not a write of the scale, not a decision.
 */
import { lookup } from 'node:dns/promises';
import type { Clock } from '../clock.ts';
import type { OperatorConfig } from '../config.ts';
import { type Connection, KubeClient, type RuntimeObserver, Transport } from '../runtime/index.ts';

/** Tokens are shown by anybody who reaches the port; checking them must not eat the budget of the scales. */
const REVIEWS = { qps: 20, burst: 40 };

export interface Api {
  /** Watches, scales, statuses. */
  readonly client: KubeClient;
  readonly lease: KubeClient;
  /** The metrics APIs, which may answer slowly or hugely. */
  readonly metrics: KubeClient;
  /** TokenReview and SubjectAccessReview for our own HTTP port. */
  readonly reviews: KubeClient;
  /** Where the API server listens: a metric server that a name leads there is refused. */
  readonly endpoints: readonly { readonly address: string; readonly port: number }[];
  close(): Promise<void>;
}

export async function openApi(
  connection: Connection,
  { api }: OperatorConfig,
  clock: Clock,
  observer: RuntimeObserver,
): Promise<Api> {
  const main = new Transport(connection, { clock });
  const lease = new Transport(connection, { clock, maxConnections: 1 });
  const metrics = new Transport(connection, { clock });
  const options = { clock, observer, deadlineMs: api.timeout, userAgent: 'foresail-operator' };
  const close = async () => {
    await Promise.allSettled([main, lease, metrics].map((each) => each.close()));
  };
  try {
    return {
      client: new KubeClient(main, { ...options, qps: api.qps, burst: api.burst }),
      lease: new KubeClient(lease, options),
      metrics: new KubeClient(metrics, options),
      reviews: new KubeClient(main, { ...options, ...REVIEWS }),
      endpoints: await endpointsOf(main.server),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function endpointsOf(server: string): Promise<Api['endpoints']> {
  const { hostname, port, protocol } = new URL(server);
  const found = await lookup(hostname.replace(/^\[|\]$/g, ''), { all: true });
  return found.map(({ address }) => ({ address, port: Number(port || (protocol === 'https:' ? 443 : 80)) }));
}
