/** Starts the real operator as a process against a cluster, as tests, the demo and the benchmarks need it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dump } from 'js-yaml';
import type { ClusterFacts } from './cluster.ts';
import { established } from './crd.ts';
import { eventually } from './eventually.ts';
import { kubectl } from './kubectl.ts';

const ROOT = join(import.meta.dirname, '..');
const READY_MS = 30_000;
export const OPERATOR_NAMESPACE = 'foresail-system';

export interface OperatorProcess {
  readonly pid: number;
  /** Base address of its probes, metrics and explanations. */
  readonly url: string;
  /** Stays readable after its end: a failing test wants to print it. */
  readonly logs: () => readonly Record<string, unknown>[];
  /** Its home; gone when `exited` resolves. */
  readonly folder: string;
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
  const said: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const text = () => Buffer.concat(said).toString();
  const exited = exitOf(child, folder);
  const logs = () => parseLines(text());
  const handle = {
    pid: child.pid ?? 0,
    logs,
    folder,
    exited,
    signal: (name: NodeJS.Signals) => void child.kill(name),
    stop() {
      child.kill('SIGTERM');
      return exited;
    },
  };
  if (options.early === true) return { ...handle, url: '' };
  const ended = new AbortController();
  void exited.then(
    (code) => ended.abort(new Error(`the operator ended with ${code}: ${text().slice(-2000)}`)),
    (error: unknown) => ended.abort(error),
  );
  try {
    const serving = () =>
      Promise.resolve(logs().find((line) => line['message'] === 'serving')?.['url'] as string | undefined);
    const url = await eventually('the operator serves', serving, READY_MS, ended.signal);
    const ready = async () => (await fetch(`${url}/readyz`)).status === 200;
    await eventually('the operator is ready', ready, READY_MS, ended.signal);
    return { ...handle, url };
  } catch (error) {
    const reason: unknown = ended.signal.aborted ? ended.signal.reason : error;
    child.kill('SIGKILL');
    await exited.catch(() => undefined);
    throw reason;
  }
}

async function exitOf(child: ChildProcess, folder: string): Promise<number | null> {
  try {
    const closed = once(child, 'close').catch(() => undefined);
    const [code] = (await once(child, 'exit')) as [number | null];
    // Its last words are still on their way; a child of its own that outlives it for a moment holds the pipe open.
    await Promise.race([closed, sleep(1_000)]);
    return code;
  } finally {
    // Before anybody goes on: a test that waits for the end may be the last, and no timer outlives it.
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function parseLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as Record<string, unknown>];
      } catch {
        return []; // the last line may be half written
      }
    });
}
