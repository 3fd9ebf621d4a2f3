/**
 * Asks a pod for what its server counts. The address is what the pod's status says, so it is treated as any that a
 * tenant may have a hand in: no credential is sent, no redirect is followed, the body and the time are bounded, nothing
 * of the answer is shown, and the connection is refused where the operator's own network must not be asked.
 */
import { isIPv6 } from 'node:net';
import { Agent, request } from 'undici';
import { PORTS } from '../../../api/index.ts';
import type { Clock } from '../../../clock.ts';
import { discard, readBounded } from '../../../metricsources/prometheus/bounded-body.ts';
import type { AddressClass, Endpoint } from '../../../net/address.ts';
import { guardedConnector } from '../../../net/guarded-connector.ts';
import { type PodCounters, readCounters } from './exposition.ts';

export interface CounterRequest {
  readonly address: string;
  readonly model: string;
  readonly version: number;
}

export interface CounterReader {
  /** Undefined when the pod does not say. Never throws, except the signal's reason when it aborts. */
  read(request: CounterRequest, signal: AbortSignal): Promise<PodCounters | undefined>;
  close(): Promise<void>;
}

export interface CounterReaderOptions {
  readonly apiServers: () => readonly Endpoint[];
  readonly clock: Pick<Clock, 'after'>;
  /** Pods listen here; another one only where a test's server does. */
  readonly port?: number;
  readonly allowed?: readonly AddressClass[];
}

const TIMEOUT_MS = 3_000;
const MOST_BYTES = 1024 * 1024;

export function createCounterReader(options: CounterReaderOptions): CounterReader {
  const { apiServers, clock, port = PORTS.http, allowed = [] } = options;
  const guard = { allowed: new Set(allowed), apiServers };
  const agent = new Agent({
    connect: guardedConnector(guard, port, {}, TIMEOUT_MS),
    connections: 1,
    // Looks are further apart than a connection that nobody uses is worth keeping.
    keepAliveTimeout: 1_000,
    maxHeaderSize: 16_384,
  });
  return {
    async read({ address, model, version }, signal) {
      signal.throwIfAborted();
      const deadline = new AbortController();
      const stop = clock.after(TIMEOUT_MS, () => deadline.abort());
      const inner = AbortSignal.any([signal, deadline.signal]);
      try {
        const host = isIPv6(address) ? `[${address}]` : address;
        const response = await request(`http://${host}:${port}/metrics`, {
          dispatcher: agent,
          signal: inner,
        });
        if (response.statusCode !== 200) {
          discard(response.body);
          return undefined;
        }
        return readCounters(await readBounded(response.body, undefined, MOST_BYTES, inner), model, version);
      } catch {
        signal.throwIfAborted();
        return undefined;
      } finally {
        stop();
      }
    },
    close: () => agent.destroy(),
  };
}
