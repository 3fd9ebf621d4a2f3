/**
 * `foresail cluster up | down | env`: a real Kubernetes on this machine, for trying things out. It needs the
 * sources of this repository (e2e/) and Go for the first build.
 */
import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { type ClusterFacts, type ClusterOptions, startCluster, startDetached } from '../../e2e/cluster.ts';
import { clustersFolder, NamedClusters } from '../../e2e/named-clusters.ts';
import { importImage } from '../../e2e/node/inside.ts';
import { parseDurationMs } from '../duration.ts';

interface UpFlags {
  readonly name: string;
  readonly detach?: true;
  readonly nodes: number | 'real';
  readonly prometheus?: true;
  readonly prometheusConfig?: string;
  readonly hpaSyncPeriod?: string;
  readonly hpaDownscaleStabilization?: string;
  readonly keep?: true;
}

export function clusterCommand(clusters = new NamedClusters(clustersFolder(process.env))): Command {
  const command = new Command('cluster').description(
    'a real Kubernetes on this machine, without a container engine',
  );
  command
    .command('up')
    .description('start a cluster; it ends with Ctrl-C')
    .option('--name <name>', 'several clusters can stand side by side', clusterName, 'default')
    .option('--detach', 'leave it running until "foresail cluster down"')
    .option(
      '--nodes <n|real>',
      'fake nodes, on which pods play their start-up; or one real node, whose pods run (needs root)',
      nodes,
      2,
    )
    .option('--prometheus', 'start a Prometheus beside it')
    .option('--prometheus-config <file>', 'its prometheus.yml (implies --prometheus)')
    .option('--hpa-sync-period <duration>', "the HPA controller's period (Kubernetes: 15s)", duration)
    .option(
      '--hpa-downscale-stabilization <duration>',
      "the HPA controller's window (Kubernetes: 5m)",
      duration,
    )
    .option('--keep', 'leave logs and audit log in the run folder at the end')
    .action((flags: UpFlags) => up(clusters, flags));
  command
    .command('down')
    .description('end a cluster and remove all of it')
    .option('--name <name>', 'which', clusterName, 'default')
    .action(async ({ name }: { name: string }) => {
      const ended = await clusters.end(name);
      process.stderr.write(ended ? `cluster "${name}" is down\n` : `no cluster "${name}", nothing to do\n`);
    });
  command
    .command('load')
    .description('give an image to the real node: an archive as "docker save" writes it')
    .argument('<archive>', 'path')
    .option('--name <name>', 'which', clusterName, 'default')
    .action(async (archive: string, { name }: { name: string }) => {
      await importImage(await clusters.find(name), archive);
    });
  command
    .command('env')
    .description('print export lines: eval "$(foresail cluster env)"')
    .option('--name <name>', 'which', clusterName, 'default')
    .action(async ({ name }: { name: string }) => {
      process.stdout.write(exports(await clusters.find(name)));
    });
  return command;
}

async function up(clusters: NamedClusters, flags: UpFlags): Promise<void> {
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt);
  await clusters.claim(flags.name);
  try {
    const options = await optionsOf(flags);
    if (flags.detach) {
      const facts = await startDetached(options, interrupted.signal);
      await clusters.record(flags.name, facts);
      greet(flags.name, facts, `foresail cluster down --name ${flags.name} ends it`);
      return;
    }
    await using cluster = await startCluster(options, interrupted.signal);
    await clusters.record(flags.name, cluster);
    greet(flags.name, cluster, 'Ctrl-C ends it');
    const asked = new Promise<void>((resolve) => {
      interrupted.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([asked, cluster.ended]);
    await cluster.stop();
    await clusters.release(flags.name);
  } catch (error) {
    await clusters.release(flags.name);
    if (!interrupted.signal.aborted) throw error;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, interrupt);
  }
}

async function optionsOf(flags: UpFlags): Promise<ClusterOptions> {
  const config =
    flags.prometheusConfig === undefined ? undefined : await readFile(flags.prometheusConfig, 'utf8');
  return {
    ...(flags.nodes === 'real' ? { realNode: true } : { nodes: flags.nodes }),
    prometheus: config === undefined ? (flags.prometheus ?? false) : { config },
    keep: flags.keep ?? false,
    hpa: {
      ...(flags.hpaSyncPeriod && { syncPeriod: flags.hpaSyncPeriod }),
      ...(flags.hpaDownscaleStabilization && { downscaleStabilization: flags.hpaDownscaleStabilization }),
    },
  };
}

function greet(name: string, cluster: ClusterFacts, ending: string): void {
  const argument = name === 'default' ? '' : ` --name ${name}`;
  process.stderr.write(
    `cluster "${name}" is up after ${cluster.bootSeconds.toFixed(1)} s: ${cluster.url}\n` +
      (cluster.prometheusUrl ? `Prometheus: ${cluster.prometheusUrl}\n` : '') +
      `  eval "$(foresail cluster env${argument})" && kubectl get nodes\n${ending}\n`,
  );
}

/** Lines for `eval`. */
function exports(cluster: ClusterFacts): string {
  const variables: [string, string | undefined][] = [
    ['KUBECONFIG', cluster.kubeconfigPath],
    ['PROMETHEUS_URL', cluster.prometheusUrl],
  ];
  const lines = variables.flatMap(([name, value]) => (value ? [`export ${name}=${quoted(value)}`] : []));
  const kubectl = cluster.binaries['kubectl'];
  if (kubectl) lines.push(`# kubectl of the same version: ${kubectl}`);
  return `${lines.join('\n')}\n`;
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}

function clusterName(text: string): string {
  if (/^[a-z0-9][a-z0-9-]{0,30}$/.test(text)) return text;
  throw new InvalidArgumentError('lower-case letters, digits and hyphens, 31 at most.');
}

function nodes(text: string): number | 'real' {
  const n = Number(text);
  if (text === 'real') return text;
  if (Number.isInteger(n) && n >= 1 && n <= 5000) return n;
  throw new InvalidArgumentError('a whole number from 1 to 5000, or "real".');
}

function duration(text: string): string {
  try {
    parseDurationMs(text);
    return text;
  } catch {
    throw new InvalidArgumentError('a duration such as 15s or 5m.');
  }
}
