/**
 * A trace from a Prometheus: the answer to a query over a time range, fetched as the operator back-fills its history.
 * The address is the caller's own, so nothing is refused that a tenant's address would be.
 */
import type { Clock } from '../clock.ts';
import { ForesailError } from '../errors.ts';
import { PrometheusBackfill } from '../metricsources/prometheus/backfill.ts';
import { parsePrometheusServers } from '../metricsources/prometheus/config.ts';
import { ServerClient } from '../metricsources/prometheus/server.ts';
import { addressClasses } from '../net/address.ts';
import type { Trace } from '../simulate/trace.ts';

export interface PrometheusRange {
  readonly url: string;
  readonly query: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
  /** File with a bearer token. */
  readonly tokenFile?: string | undefined;
}

/**
 * The value at a point of the range is the load of the step that ends there, as in `rate(…[1m])` at steps of 1m.
 *
 * @throws METRIC_* (unreachable, refused, no data, …), METRIC_SERVERS_INVALID for an address that is none
 */
export async function readPrometheusTrace(
  { url, query, fromMs, toMs, stepMs, tokenFile }: PrometheusRange,
  clock: Clock,
  signal: AbortSignal,
): Promise<Trace> {
  const [entry] = parsePrometheusServers([
    {
      name: 'backtest',
      url,
      allowedNamespaces: ['*'],
      allowAddresses: [...addressClasses],
      backfill: { jitter: '0s' },
      ...(tokenFile === undefined ? {} : { bearerTokenFile: tokenFile }),
    },
  ]);
  if (entry === undefined) throw new ForesailError('METRIC_SERVERS_INVALID', 'terminal', 'no server');
  const server = new ServerClient(entry, {
    clock,
    random: Math.random,
    apiServers: () => [],
    userAgent: 'foresail-cli',
  });
  try {
    const backfill = new PrometheusBackfill(server, clock, Math.random);
    const { value } = await backfill.run('cli', query, { fromMs, toMs, stepMs }, signal);
    return {
      name: nameOf(query),
      startMs: value.startMs - stepMs,
      stepMs,
      values: withoutEdges(value.values),
    };
  } finally {
    await server.close();
  }
}

/** Short enough for a table. */
function nameOf(query: string): string {
  const line = query.replaceAll(/\s+/g, ' ').trim();
  return line.length > 48 ? `${line.slice(0, 47)}…` : line;
}

/** The end of the range may lie beyond what was ever measured. */
function withoutEdges(values: Float64Array): Float64Array {
  return values.slice(0, values.findLastIndex((value) => !Number.isNaN(value)) + 1);
}
