/**
 * The process of `foresail serve`. It ends as a pod has to: at SIGTERM it is not ready any more but goes on answering for
 * the time that a Service needs to notice, then it answers what is under way, then it goes. A second signal ends it at
 * once.
 */
import { once } from 'node:events';
import { systemClock } from '../clock.ts';
import { ForesailError, isForesailError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { createLogger } from '../observability/logger.ts';
import { openEngine } from '../server/core/engine.ts';
import type { Engine, EngineOptions } from '../server/core/types.ts';
import { createServerMetrics } from '../server/metrics.ts';
import { type ServerOptions, startServer } from '../server/serve.ts';
import { openAccess } from './serve-access.ts';
import { openAround } from './serve-around.ts';
import type { ServeFlags } from './serve-flags.ts';

const MIB = 1024 * 1024;

export async function serve(flags: ServeFlags): Promise<void> {
  const log = createLogger(flags.logLevel);
  const stop = new AbortController();
  const cut = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.on(name, () => {
      log.info('stopping', { signal: name, atOnce: stop.signal.aborted });
      if (stop.signal.aborted) cut.abort(new Error(name));
      stop.abort(new Error(name));
    });

  const access = await openAccess(flags, log);
  const metrics = createServerMetrics();
  const around = await openAround(flags, metrics, log);
  const shared = { clock: systemClock, log };
  const engine = await openEngine(
    { ...engineOptions(flags), clock: systemClock, logger: log, observer: metrics.observer },
    stop.signal,
  ).catch((error: unknown) => {
    throw isForesailError(error, 'REPOSITORY_UNREADABLE')
      ? new ForesailError(
          error.code,
          error.retry,
          `--model-repository ${flags.modelRepository}: ${error.message}`,
        )
      : error;
  });
  const start = flags.allowRepositoryControl === true ? loadAll(engine, log, stop.signal) : undefined;
  const server = await startServer(serverOptions(flags), {
    ...shared,
    ...access.parts,
    ...around.parts,
    engine,
    metrics,
    ...(start === undefined ? {} : { start }),
  }).catch(async (error: unknown) => {
    // Else the models' processes would keep this one from ending.
    await engine.close(AbortSignal.abort());
    throw error;
  });
  log.info('serving', { http: server.httpUrl, grpc: server.grpcAddress, models: engine.index(false) });
  if (!stop.signal.aborted) await once(stop.signal, 'abort');

  // Whoever stops it with Ctrl-C has no Service in front of it that would have to notice.
  const drainMs = (stop.signal.reason as Error).message === 'SIGINT' ? 0 : flags.drain;
  systemClock.after(drainMs + flags.shutdownTimeout, () => cut.abort(new Error('the time to stop is over')));
  await server.stop(drainMs, cut.signal);
  await engine.close(cut.signal);
  await around.close(cut.signal);
  await access.close();
}

/** Callers have the control afterwards, but a server starts with what lies in its repository. */
async function loadAll(engine: Engine, log: Logger, signal: AbortSignal): Promise<void> {
  const names = new Set(engine.index(false).map(({ name }) => name));
  const load = (name: string) =>
    engine
      .load(name, signal)
      .catch((error: unknown) => log.warn('a model was not loaded', { model: name, error }));
  await Promise.all([...names].map(load));
}

function engineOptions(flags: ServeFlags): Omit<EngineOptions, 'clock'> {
  return {
    repository: flags.modelRepository,
    accelerator: flags.accelerator,
    instances: flags.instances,
    maxBatch: flags.maxBatch,
    maxQueueDelayMs: flags.maxQueueDelay,
    maxQueue: flags.maxQueue,
    ...(flags.latencyTarget === undefined ? {} : { latencyTargetMs: flags.latencyTarget }),
    ...control(flags),
  };
}

function control({ allowRepositoryControl, poll }: ServeFlags): Partial<EngineOptions> {
  if (allowRepositoryControl === true) return { modelControl: 'explicit' };
  return poll === undefined ? {} : { modelControl: 'poll', pollIntervalMs: poll };
}

function serverOptions(flags: ServeFlags): ServerOptions {
  return {
    host: flags.host,
    httpPort: flags.httpPort,
    ...(flags.grpc ? { grpcPort: flags.grpcPort } : {}),
    maxRequestBytes: flags.maxRequestMib * MIB,
    maxBytesInFlight: flags.maxMemoryMib * MIB,
    maxConcurrent: flags.maxConcurrent,
    maxConnections: flags.maxConnections,
    repositoryControl: flags.allowRepositoryControl === true,
  };
}
