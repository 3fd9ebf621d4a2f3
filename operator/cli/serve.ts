/**
 * `foresail serve`: ONNX models of a repository over the Open Inference Protocol v2, HTTP and gRPC. It ends as a pod has
 * to: at SIGTERM it is not ready any more but goes on answering for the time that a Service needs to notice, then it
 * answers what is under way, then it goes. A second signal ends it at once.
 */
import { once } from 'node:events';
import { Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { createLogger, type LogLevel } from '../observability/logger.ts';
import { openEngine } from '../server/core/engine.ts';
import type { Accelerator, Engine, EngineOptions } from '../server/core/types.ts';
import { createServerMetrics } from '../server/metrics.ts';
import { type ServerOptions, startServer } from '../server/serve.ts';
import { duration, whole } from './flag-values.ts';

interface Flags {
  readonly modelRepository: string;
  readonly host: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly grpc: boolean;
  readonly allowRepositoryControl?: boolean;
  readonly poll?: number;
  readonly accelerator: Accelerator;
  readonly instances: number;
  readonly maxBatch: number;
  readonly maxQueueDelay: number;
  readonly maxQueue: number;
  readonly latencyTarget?: number;
  readonly maxRequestMib: number;
  readonly maxMemoryMib: number;
  readonly maxConcurrent: number;
  readonly drain: number;
  readonly shutdownTimeout: number;
  readonly logLevel: LogLevel;
}

const MIB = 1024 * 1024;

export function serveCommand(): Command {
  const option = (flags: string, text: string) => new Option(flags, text);
  return new Command('serve')
    .description('serve ONNX models over the Open Inference Protocol v2, HTTP and gRPC')
    .requiredOption('--model-repository <folder>', 'holds <model>/<version>/model.onnx')
    .option('--host <address>', 'where to listen', '0.0.0.0')
    .addOption(option('--http-port <port>', '0 takes a free one').argParser(whole(0, 65_535)).default(8080))
    .addOption(option('--grpc-port <port>', '0 takes a free one').argParser(whole(0, 65_535)).default(8081))
    .option('--no-grpc', 'HTTP alone')
    .option('--allow-repository-control', 'let callers load and unload models')
    .addOption(
      option('--poll <duration>', 'look for changed models this often')
        .argParser(duration)
        .conflicts('allowRepositoryControl'),
    )
    .addOption(
      option('--accelerator <kind>', 'where models run')
        .choices(['auto', 'cpu', 'cuda', 'tensorrt'])
        .default('auto'),
    )
    .addOption(option('--instances <count>', 'processes per version').argParser(whole(1, 64)).default(1))
    .addOption(
      option('--max-batch <rows>', 'of one run; 1: no batching').argParser(whole(1, 65_536)).default(64),
    )
    .addOption(
      option('--max-queue-delay <duration>', 'how long a request waits for company')
        .argParser(duration)
        .default(0, '0s'),
    )
    .addOption(
      option('--max-queue <requests>', 'that wait for one version')
        .argParser(whole(1, 1_000_000))
        .default(1_000),
    )
    .addOption(
      option(
        '--latency-target <duration>',
        'picks the batch size; what would take longer is refused',
      ).argParser(duration),
    )
    .addOption(
      option('--max-request-mib <MiB>', 'one request, unpacked').argParser(whole(1, 2_047)).default(64),
    )
    .addOption(
      option('--max-memory-mib <MiB>', 'all requests under way').argParser(whole(1, 1_048_576)).default(256),
    )
    .addOption(
      option('--max-concurrent <calls>', 'under way at once, waiting ones included')
        .argParser(whole(1, 1_000_000))
        .default(2_048),
    )
    .addOption(
      option('--drain <duration>', 'after SIGTERM: not ready, but answering')
        .argParser(duration)
        .default(5_000, '5s'),
    )
    .addOption(
      option('--shutdown-timeout <duration>', 'then, for the calls under way')
        .argParser(duration)
        .default(20_000, '20s'),
    )
    .addOption(
      option('--log-level <level>', 'least important line')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .action((flags: Flags) => serve(flags));
}

async function serve(flags: Flags): Promise<void> {
  const log = createLogger(flags.logLevel);
  const stop = new AbortController();
  const cut = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.on(name, () => {
      log.info('stopping', { signal: name, atOnce: stop.signal.aborted });
      if (stop.signal.aborted) cut.abort(new Error(name));
      stop.abort(new Error(name));
    });

  const metrics = createServerMetrics();
  const shared = { clock: systemClock, log };
  const engine = await openEngine(
    { ...engineOptions(flags), clock: systemClock, logger: log, observer: metrics.observer },
    stop.signal,
  );
  const start = flags.allowRepositoryControl === true ? loadAll(engine, log, stop.signal) : undefined;
  const server = await startServer(serverOptions(flags), {
    ...shared,
    engine,
    metrics,
    ...(start === undefined ? {} : { start }),
  });
  log.info('serving', { http: server.httpUrl, grpc: server.grpcAddress, models: engine.index(false) });
  if (!stop.signal.aborted) await once(stop.signal, 'abort');

  // Whoever stops it with Ctrl-C has no Service in front of it that would have to notice.
  const drainMs = (stop.signal.reason as Error).message === 'SIGINT' ? 0 : flags.drain;
  systemClock.after(drainMs + flags.shutdownTimeout, () => cut.abort(new Error('the time to stop is over')));
  await server.stop(drainMs, cut.signal);
  await engine.close(cut.signal);
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

function engineOptions(flags: Flags): Omit<EngineOptions, 'clock'> {
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

function control({ allowRepositoryControl, poll }: Flags): Partial<EngineOptions> {
  if (allowRepositoryControl === true) return { modelControl: 'explicit' };
  return poll === undefined ? {} : { modelControl: 'poll', pollIntervalMs: poll };
}

function serverOptions(flags: Flags): ServerOptions {
  return {
    host: flags.host,
    httpPort: flags.httpPort,
    ...(flags.grpc ? { grpcPort: flags.grpcPort } : {}),
    maxRequestBytes: flags.maxRequestMib * MIB,
    maxBytesInFlight: flags.maxMemoryMib * MIB,
    maxConcurrent: flags.maxConcurrent,
    repositoryControl: flags.allowRepositoryControl === true,
  };
}
