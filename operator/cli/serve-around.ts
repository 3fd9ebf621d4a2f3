/** What the flags of `foresail serve` put around an inference: the response cache, the payload log, traces. */
import { readFile } from 'node:fs/promises';
import { systemClock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { apiServersOfPod } from '../net/api-servers.ts';
import type { PayloadLog } from '../server/around/payload-log.ts';
import type { ServerMetrics } from '../server/metrics.ts';
import type { ServerParts } from '../server/serve.ts';
import type { ServeFlags } from './serve-flags.ts';

export interface AroundParts {
  readonly parts: Pick<ServerParts, 'around' | 'tracing'>;
  readonly close: (signal: AbortSignal) => Promise<void>;
}

const MIB = 1024 * 1024;
/** Mounted where a pod has a token; without it a pod does not know where it is but by POD_NAMESPACE. */
const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';
/** Where an SDK that was preloaded has put itself. */
const OTEL = Symbol.for('opentelemetry.js.api.1');

export async function openAround(
  flags: ServeFlags,
  metrics: ServerMetrics,
  log: Logger,
): Promise<AroundParts> {
  const payloads = await openPayloads(flags, metrics, log);
  // Loaded when it is needed: a server without traces need not wait for it at its start.
  const tracing =
    OTEL in globalThis ? (await import('../server/around/tracing.ts')).openTracing() : undefined;
  if (tracing !== undefined) log.info('calls are traced');
  return {
    parts: {
      around: {
        cacheBytes: flags.responseCacheMib * MIB,
        ...(payloads === undefined ? {} : { payloads }),
      },
      ...(tracing === undefined ? {} : { tracing }),
    },
    close: async (signal) => payloads?.close(signal),
  };
}

async function openPayloads(
  flags: ServeFlags,
  metrics: ServerMetrics,
  log: Logger,
): Promise<PayloadLog | undefined> {
  const { logPayloadsUrl: url, logPayloadsSample: sample, logPayloads: kinds } = flags;
  if (url === undefined || sample === 0) return undefined;
  const { openPayloadLog } = await import('../server/around/payload-log.ts');
  const namespace =
    process.env['POD_NAMESPACE'] ?? (await readFile(NAMESPACE_FILE, 'utf8').catch(() => '')).trim();
  return openPayloadLog(
    { url, sample, kinds, namespace },
    {
      guard: { allowed: new Set(flags.logPayloadsAllowAddress), apiServers: apiServersOfPod },
      clock: systemClock,
      log,
      random: Math.random,
      count: (outcome) => metrics.payload(outcome),
    },
  );
}
