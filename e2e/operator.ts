/** Starts the real operator as a process against a cluster, as tests, the demo and the benchmarks need it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dump } from 'js-yaml';
import type { ClusterFacts } from './cluster.ts';
import { established } from './crd.ts';
import { eventually } from './eventually.ts';
import { kubectl } from './kubectl.ts';

const ROOT = join(import.meta.dirname, '..');
export const OPERATOR_NAMESPACE = 'foresail-system';

export interface OperatorProcess {
  readonly pid: number;
  /** Base address of its probes, metrics and explanations. */
  readonly url: string;
  readonly logs: () => readonly Record<string, unknown>[];
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  signal(name: NodeJS.Signals): void;
  readonly exited: Promise<number | null>;
}

export interface OperatorOptions {
  /** Keys of the operator's configuration (operator/config.ts). */
  readonly config?: Record<string, unknown>;
  readonly kubeconfigPath?: string;
  /** Do not wait until it is ready. */
  readonly early?: boolean;
  readonly namespace?: string;
  readonly env?: Record<string, string>;
  /** Where operator/main.ts is found; default: this repository. */
  readonly root?: string;
}

/** What every operator needs before it starts: its namespace and the CRDs. Safe to repeat. */
export async function prepareCluster(cluster: ClusterFacts, namespace = OPERATOR_NAMESPACE): Promise<void> {
  await kubectl(cluster, ['apply', '--server-side', '-f', join(ROOT, 'crds')]);
  await established(cluster, 'predictivescalers.foresail.io');
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
  await kubectl(cluster, ['apply', '--server-side', '-f', '-'], { input: JSON.stringify(object) });
}

/** Resolves when the operator says that it is ready (caches synced); it may not lead yet. */
export async function startOperator(
  cluster: ClusterFacts,
  options: OperatorOptions = {},
): Promise<OperatorProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'foresail-operator-'));
  const configFile = join(folder, 'config.yaml');
  const logFile = join(folder, 'log');
  writeFileSync(configFile, dump({ http: { address: '127.0.0.1:0' }, ...options.config }));
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      join(options.root ?? ROOT, 'operator/main.ts'),
      '--config',
      configFile,
    ],
    {
      stdio: ['ignore', 'inherit', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        KUBECONFIG: options.kubeconfigPath ?? cluster.kubeconfigPath,
        POD_NAMESPACE: options.namespace ?? OPERATOR_NAMESPACE,
        ...options.env,
      },
    },
  );
  child.stderr.pipe(createWriteStream(logFile));
  const exited = exitOf(child, folder);
  const logs = () => parseLines(logFile);
  const handle = {
    pid: child.pid ?? 0,
    logs,
    exited,
    signal: (name: NodeJS.Signals) => void child.kill(name),
    stop() {
      child.kill('SIGTERM');
      return exited;
    },
  };
  if (options.early === true) return { ...handle, url: '' };
  try {
    const url = await eventually('the operator serves', async () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${tail(logFile)}`);
      return logs().find((line) => line['message'] === 'serving')?.['url'] as string | undefined;
    });
    await eventually('the operator is ready', async () => (await fetch(`${url}/readyz`)).status === 200);
    return { ...handle, url };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

async function exitOf(child: ChildProcess, folder: string): Promise<number | null> {
  const [code] = (await once(child, 'exit')) as [number | null];
  // Logs stay readable for a moment after the end; a failing test wants to print them.
  setTimeout(() => rmSync(folder, { recursive: true, force: true }), 2_000).unref();
  return code;
}

function parseLines(file: string): Record<string, unknown>[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .flatMap((line) => {
        try {
          return [JSON.parse(line) as Record<string, unknown>];
        } catch {
          return []; // the last line may be half written
        }
      });
  } catch {
    return [];
  }
}

function tail(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(-2000);
  } catch {
    return '';
  }
}
