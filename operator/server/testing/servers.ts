/** Servers on free ports of the loopback for tests, closed after each. */
import { afterEach } from '@jest/globals';
import { systemClock } from '../../clock.ts';
import { silentLogger } from '../../logger.ts';
import type { Engine } from '../core/types.ts';
import { createServerMetrics, type ServerMetrics } from '../metrics.ts';
import { type RunningServer, type ServerOptions, type ServerParts, startServer } from '../serve.ts';

export interface TestServer extends RunningServer {
  readonly metrics: ServerMetrics;
}

export function servers(): (
  engine: Engine,
  options?: Partial<ServerOptions>,
  parts?: Partial<ServerParts>,
) => Promise<TestServer> {
  const running: RunningServer[] = [];
  afterEach(async () => {
    await Promise.all(running.splice(0).map((server) => server.stop(0, AbortSignal.timeout(1_000))));
  });
  return async (engine, options = {}, parts = {}) => {
    const metrics = createServerMetrics();
    const server = await startServer(
      {
        host: '127.0.0.1',
        httpPort: 0,
        maxConcurrent: 64,
        maxConnections: 1_024,
        maxBytesInFlight: 64 * 1024 * 1024,
        maxRequestBytes: 1024 * 1024,
        repositoryControl: false,
        ...options,
      },
      { engine, metrics, clock: systemClock, log: silentLogger, ...parts },
    );
    running.push(server);
    return { ...server, metrics };
  };
}

/** Waits without burning the processor; a test that waits for ever ends at its own limit. */
export async function until(done: () => boolean): Promise<void> {
  while (!done()) await systemClock.sleep(5);
}
