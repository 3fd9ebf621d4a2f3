/**
 * `foresail router`: splits the requests to a model over its versions. In a cluster it follows the status of
 * ModelDeployments; with `--config` a file, which is read again when it changes.
 */
import { once } from 'node:events';
import { Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { type Authorizer, createAuthorizer } from '../observability/authorizer.ts';
import { createLogger, type LogLevel } from '../observability/logger.ts';
import { followFile, readRoutes } from '../router/file-source.ts';
import { GrpcProxy } from '../router/grpc-proxy.ts';
import { followCluster } from '../router/kubernetes-source.ts';
import { createRouterMetrics } from '../router/metrics.ts';
import { budgetsOf, PROXY_LIMITS, Proxy } from '../router/proxy.ts';
import { RouteTable } from '../router/routes.ts';
import { startRouter } from '../router/server.ts';
import { KubeClient, loadConnection, Transport } from '../runtime/index.ts';
import { duration, gathered, whole } from './flag-values.ts';

interface Flags {
  readonly config?: string;
  readonly kubeconfig?: string;
  readonly namespace?: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly grpcPort: number;
  readonly adminPort: number;
  readonly drain: number;
  readonly shutdownTimeout: number;
  readonly maxHeldBytes: number;
  readonly logLevel: LogLevel;
}

const POLL_MS = 500;

export function routerCommand(): Command {
  return new Command('router')
    .description('split the requests to models over their versions')
    .option('--config <file>', 'routes (YAML) instead of those of a cluster')
    .option('--kubeconfig <file>', 'default: KUBECONFIG, or the service account of the pod')
    .option('--namespace <name>', 'follow this namespace; may be repeated; default: all', gathered)
    .option('--host <address>', 'where to listen', '0.0.0.0')
    .addOption(new Option('--port <port>', '0 takes a free one').argParser(whole(0, 65_535)).default(8080))
    .addOption(new Option('--grpc-port <port>', 'for gRPC').argParser(whole(0, 65_535)).default(8081))
    .addOption(
      new Option('--admin-port <port>', 'probes and metrics (these want a token, except with --config)')
        .argParser(whole(0, 65_535))
        .default(9090),
    )
    .addOption(
      new Option('--drain <duration>', 'after SIGTERM: not ready, but answering')
        .argParser(duration)
        .default(5_000, '5s'),
    )
    .addOption(
      new Option('--shutdown-timeout <duration>', 'then, for the requests under way')
        .argParser(duration)
        .default(20_000, '20s'),
    )
    .addOption(
      new Option(
        '--max-held-bytes <n>',
        'of requests under way; more are refused; a quarter of it for copies',
      )
        .argParser(whole(1_048_576, 999_999_999))
        .default(256 * 1024 * 1024),
    )
    .addOption(
      new Option('--log-level <level>', 'least important line')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .action((flags: Flags) => route(flags));
}

async function route(flags: Flags): Promise<void> {
  const log = createLogger(flags.logLevel);
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.once(name, () => {
      log.info('stopping', { signal: name });
      stop.abort(new Error(name));
    });
  const table = new RouteTable();
  const { registry, observer } = createRouterMetrics();
  let known = false;
  const { maxHeldBytes } = flags;
  const limits = {
    ...PROXY_LIMITS,
    maxHeldBytes,
    maxBodyBytes: Math.min(PROXY_LIMITS.maxBodyBytes, maxHeldBytes),
    maxMirrorBytes: Math.floor(maxHeldBytes / 4),
  };
  const budgets = budgetsOf(limits);
  const proxy = new Proxy(table, observer, limits, Math.random, budgets);
  const grpcProxy = new GrpcProxy(table, observer, limits, Math.random, budgets);
  const source = flags.config === undefined ? await ofCluster(flags, log) : ofFile(flags.config, log);
  const { authorizer } = source;
  const server = await startRouter({
    ...flags,
    proxy,
    grpc: { port: flags.grpcPort, proxy: grpcProxy },
    registry,
    ...(authorizer === undefined ? {} : { authorizer }),
    notReady: () => (known ? undefined : 'the routes are not known yet'),
    log,
    clock: systemClock,
  });
  try {
    await source.follow(table, stop.signal);
    known = true;
    log.info('routing', {
      url: server.url,
      grpc: server.grpcUrl,
      admin: server.adminUrl,
      routes: table.size,
    });
    if (!stop.signal.aborted) await once(stop.signal, 'abort');
    server.drain();
    // Whoever stops it with Ctrl-C has no Service in front of it that would have to notice.
    if ((stop.signal.reason as Error).message !== 'SIGINT')
      await new Promise<void>((resolve) => {
        systemClock.after(flags.drain, resolve);
      });
  } finally {
    await server.close(flags.shutdownTimeout);
    await source.close?.();
  }
}

/** Where routes come from. */
interface Source {
  /** Resolves when the table is true for the first time, and keeps it so until the signal. */
  follow(table: RouteTable, signal: AbortSignal): Promise<void>;
  /** Absent: there is nobody to ask whose a token is. */
  readonly authorizer?: Authorizer;
  close?(): Promise<void>;
}

function ofFile(file: string, log: Logger): Source {
  return {
    async follow(table, signal) {
      table.replace(await readRoutes(file));
      const again = async (): Promise<void> => {
        try {
          table.replace(await readRoutes(file));
          log.info('routes read again', { routes: table.size });
        } catch (error) {
          // Half a file, or a mistake: what was right goes on.
          log.error('the routes were not taken', { error: messageOf(error) });
        }
      };
      void followFile(file, POLL_MS, again, signal);
    },
  };
}

async function ofCluster({ kubeconfig, namespace: namespaces = [] }: Flags, log: Logger): Promise<Source> {
  const clock = systemClock;
  const connection = await loadConnection(kubeconfig === undefined ? {} : { kubeconfig });
  const transport = new Transport(connection, { clock });
  const client = new KubeClient(transport, { clock, userAgent: 'foresail-router' });
  return {
    follow: (table, signal) => followCluster(table, { client, namespaces, clock, log }, signal).synced,
    authorizer: createAuthorizer(client, clock),
    close: () => transport.close(),
  };
}
