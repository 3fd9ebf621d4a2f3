/** `foresail serve`: ONNX models of a repository over the Open Inference Protocol v2, HTTP and gRPC. */
import { Command, Option } from 'commander';
import type { LogLevel } from '../observability/logger.ts';
import type { Accelerator } from '../server/core/types.ts';
import { duration, whole } from './flag-values.ts';

export interface ServeFlags {
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
    .action(async (flags: ServeFlags) => {
      // Loaded when it is asked for: the other commands need neither servers nor models.
      const { serve } = await import('./serve-process.ts');
      await serve(flags);
    });
}
