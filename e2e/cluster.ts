/**
 * Starts a real Kubernetes on this machine: etcd, API server, controller-manager (with the HPA controller),
 * scheduler, fake nodes, and when asked for Prometheus and a real node. It lives as long as this process.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ForesailError } from '../operator/errors.ts';
import { type Binaries, binary, ensureBinaries, NODE_TOOLS, type Tool } from './binaries.ts';
import { type ClusterEvent, type Control, control, type ProcessName, type Signal } from './control.ts';
import { SANDBOX_IMAGE, writeSandboxImage } from './node/images.ts';
import { requireRealNode } from './node/requirements.ts';
import { clusterUser, giveTo, makeRunFolder, type RunFolder, type User } from './run-folder.ts';

export type { ClusterEvent, ProcessName, Signal } from './control.ts';

/** Durations are strings as Kubernetes' flags take them: "15s", "500ms". */
export interface ClusterOptions {
  /** Fake nodes, default 2; none by default where there is a real one. */
  readonly nodes?: number;
  /**
   * A node with containerd and a real kubelet, in namespaces of its own that the control plane shares. Needs root.
   * `images` are archives that it has from the start.
   */
  readonly realNode?: boolean | { readonly images?: readonly string[] };
  /** Default 2000. */
  readonly podsPerNode?: number;
  /** Flags of the HPA controller; what is absent keeps Kubernetes' default (sync 15 s, window 5 min, tolerance 0.1). */
  readonly hpa?: {
    readonly syncPeriod?: string;
    readonly downscaleStabilization?: string;
    readonly cpuInitializationPeriod?: string;
    readonly initialReadinessDelay?: string;
    readonly tolerance?: number;
  };
  /** Request limits of controller-manager and scheduler, default 300 and 500. */
  readonly qps?: number;
  readonly burst?: number;
  /** Further flags, appended; the last of two equal flags wins. */
  readonly extraArgs?: Partial<Record<ProcessName, readonly string[]>>;
  /** Users beside the fixed ones (admin, test-1 … test-4, nobody), name → groups. */
  readonly identities?: Readonly<Record<string, readonly string[]>>;
  /** Further DNS names of the serving certificate, e.g. "metrics.demo.svc". */
  readonly servingNames?: readonly string[];
  readonly prometheus?: boolean | PrometheusOptions;
  /** Leave the run folder for a look at logs and audit log. */
  readonly keep?: boolean;
  /** Where the run folder is made; default: the folder for temporary files. */
  readonly runDirRoot?: string;
  /** Programs to use; default: built when missing. */
  readonly binaries?: Binaries;
  readonly onEvent?: (event: ClusterEvent) => void;
}

export interface PrometheusOptions {
  /** A whole prometheus.yml; default: scrape `targets` and the files of `prometheusTargetsDir`. */
  readonly config?: string;
  /** "host:port" */
  readonly targets?: readonly string[];
  /** Default "1s". */
  readonly scrapeInterval?: string;
  /** Used in place, e.g. filled by `promtool tsdb create-blocks-from openmetrics`. Started by root, it is given to nobody. */
  readonly dataDir?: string;
  /** Default "10y": back-filled history stays. */
  readonly retention?: string;
}

/** What can be handed to another process: paths and addresses, plus the admin's token. */
export interface ClusterFacts {
  readonly runDir: string;
  readonly url: string;
  readonly kubeconfigPath: string;
  readonly caFile: string;
  /** PEM */
  readonly caData: string;
  readonly adminToken: string;
  /** Identity → token, kubeconfig path. */
  readonly tokens: Readonly<Record<string, string>>;
  readonly kubeconfigs: Readonly<Record<string, string>>;
  readonly auditLogPath: string;
  readonly logs: Readonly<Record<string, string>>;
  /** Certificate and key (paths) for HTTPS servers of tests on localhost, signed by `caFile`. */
  readonly serving: { readonly cert: string; readonly key: string };
  readonly prometheusUrl: string | undefined;
  /** Scrape targets can be added here at any time: JSON files `[{"targets": ["127.0.0.1:1234"]}]`. */
  readonly prometheusTargetsDir: string | undefined;
  /** Unix-socket URL of etcd, for compaction. */
  readonly etcdUrl: string;
  /** Program → path, kubectl and promtool among them. */
  readonly binaries: Readonly<Record<string, string>>;
  readonly supervisorPid: number;
  readonly bootSeconds: number;
  readonly node?: NodeFacts | undefined;
}

/** A real node: its processes and those of the control plane, and their pids, are in its own namespaces. */
export interface NodeFacts {
  readonly name: string;
  /** Process 1 of the namespaces, as this machine counts: what nsenter takes. */
  readonly pid: number;
  /** Where the API server, NodePorts and Prometheus listen, for pods. */
  readonly address: string;
  /** Socket of containerd, within the namespaces. */
  readonly containerd: string;
}

export function nodeOf({ node }: ClusterFacts): NodeFacts {
  if (node) return node;
  throw new ForesailError('E2E_NO_REAL_NODE', 'terminal', 'this cluster was started without a real node');
}

export interface ProcessHandle {
  /** SIGTERM, after ten seconds SIGKILL; resolves when it has ended. */
  stop(): Promise<void>;
  /** SIGKILL; resolves when it has ended. */
  kill(): Promise<void>;
  /** Resolves when it serves. */
  start(): Promise<void>;
  restart(): Promise<void>;
  /** SIGSTOP freezes, SIGCONT thaws. */
  signal(signal: Signal): Promise<void>;
  /** 0 when it does not run. */
  pid(): Promise<number>;
}

export interface Cluster extends ClusterFacts {
  process(name: ProcessName): ProcessHandle;
  /** Pids by process, 0 for those that do not run. */
  pids(): Promise<Record<ProcessName, number>>;
  /** Ends every process and removes the run folder. */
  stop(): Promise<void>;
  /** Resolves when the supervisor has ended, whoever asked for it. */
  readonly ended: Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The ready event as the supervisor writes it, also found in RUNDIR/cluster.json. */
export interface ReadyEvent {
  readonly pid: number;
  readonly runDir: string;
  readonly url: string;
  readonly kubeconfig: string;
  readonly kubeconfigs: Record<string, string>;
  readonly caFile: string;
  readonly tokensFile: string;
  readonly auditLog: string;
  readonly logs: Record<string, string>;
  readonly serving: { cert: string; key: string };
  readonly prometheusURL?: string;
  readonly prometheusTargets?: string;
  readonly etcdURL: string;
  readonly binaries: Record<string, string>;
  readonly bootSeconds: number;
  readonly node?: NodeFacts;
}

export const DEFAULT_TOOLS: readonly Tool[] = ['kubernetes', 'etcd', 'kwok', 'cluster'];

/** `signal` ends the boot; a cluster that stands is ended by `stop()` or by the end of this process. */
export async function startCluster(options: ClusterOptions = {}, signal?: AbortSignal): Promise<Cluster> {
  const { conversation, dir } = await launch(options, { detached: false }, signal);
  const abort = () => conversation.close();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    signal?.throwIfAborted();
    const facts = await factsOf(await conversation.ready);
    return { ...facts, ...handles(conversation, facts, options.keep ?? false) };
  } catch (error) {
    conversation.close();
    await conversation.ended;
    if (!options.keep) await rm(dir, { recursive: true, force: true });
    throw signal?.aborted ? signal.reason : error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** A cluster that outlives this process: it ends by SIGTERM to `supervisorPid`. */
export async function startDetached(options: ClusterOptions, signal?: AbortSignal): Promise<ClusterFacts> {
  const { conversation, child, dir } = await launch(options, { detached: true }, signal);
  try {
    const facts = await factsOf(await abortable(conversation.ready, signal));
    child.stdout?.destroy();
    child.unref();
    return facts;
  } catch (error) {
    child.kill('SIGTERM');
    await conversation.ended;
    if (!options.keep) await rm(dir, { recursive: true, force: true });
    throw error;
  }
}

async function launch(options: ClusterOptions, mode: { detached: boolean }, signal?: AbortSignal) {
  const prometheus = options.prometheus === true ? {} : options.prometheus || undefined;
  const realNode = options.realNode === true ? {} : options.realNode || undefined;
  if (realNode) requireRealNode();
  const tools = [
    ...DEFAULT_TOOLS,
    ...(prometheus ? (['prometheus'] as const) : []),
    ...(realNode ? NODE_TOOLS : []),
  ];
  const folder = await makeRunFolder(
    options.binaries ?? (await ensureBinaries(tools, signal)),
    realNode ? undefined : clusterUser(), // nobody but root can start containers
    options.runDirRoot,
  );
  if (folder.user && prometheus?.dataDir) await giveTo(folder.user, prometheus.dataDir);
  // A daemon must not hold the terminal or the pipe of the command that started it.
  const stderr = mode.detached
    ? openSync(join(folder.dir, 'supervisor.log'), 'a', 0o600)
    : ('inherit' as const);
  const child = spawn(binary(folder.binaries, 'foresail-cluster'), ['--dir', folder.dir], {
    stdio: ['pipe', 'pipe', stderr],
    cwd: '/',
    env: { PATH: process.env['PATH'] },
    detached: mode.detached,
    ...userOf(folder.user),
  });
  if (typeof stderr === 'number') closeSync(stderr);
  const conversation = control<ReadyEvent>(child, options.onEvent ?? (() => undefined));
  const node = realNode && (await nodeConfig(realNode.images ?? [], folder, signal));
  const config = supervisorConfig(options, prometheus, node, folder.binaries, mode.detached);
  child.stdin?.write(`${JSON.stringify(config)}\n`);
  if (mode.detached) child.stdin?.end();
  return { conversation, child, dir: folder.dir };
}

/** The sandbox's image comes first: no pod starts without. */
async function nodeConfig(images: readonly string[], { dir, binaries }: RunFolder, signal?: AbortSignal) {
  const sandbox = join(dir, 'pause.tar');
  await writeSandboxImage(sandbox, binary(binaries, 'foresail-cluster'), signal);
  return { images: [sandbox, ...images], sandboxImage: SANDBOX_IMAGE };
}

function supervisorConfig(
  options: ClusterOptions,
  prometheus: PrometheusOptions | undefined,
  realNode: Awaited<ReturnType<typeof nodeConfig>> | undefined,
  binaries: Binaries,
  detached: boolean,
) {
  return {
    binaries: Object.fromEntries(binaries),
    detached,
    keep: options.keep,
    realNode,
    nodes: options.nodes ?? (realNode ? -1 : undefined),
    podsPerNode: options.podsPerNode,
    hpaSyncPeriod: options.hpa?.syncPeriod,
    hpaDownscaleStabilization: options.hpa?.downscaleStabilization,
    hpaCpuInitializationPeriod: options.hpa?.cpuInitializationPeriod,
    hpaInitialReadinessDelay: options.hpa?.initialReadinessDelay,
    hpaTolerance: options.hpa?.tolerance,
    qps: options.qps,
    burst: options.burst,
    extraArgs: options.extraArgs,
    identities: options.identities,
    servingNames: options.servingNames,
    prometheus,
  };
}

function userOf(user: User | undefined) {
  return user ? { uid: user.uid, gid: user.gid } : {};
}

export async function factsOf(ready: ReadyEvent): Promise<ClusterFacts> {
  const tokens = JSON.parse(await readFile(ready.tokensFile, 'utf8')) as Record<string, string>;
  return {
    runDir: ready.runDir,
    url: ready.url,
    kubeconfigPath: ready.kubeconfig,
    caFile: ready.caFile,
    caData: await readFile(ready.caFile, 'utf8'),
    adminToken: tokens['admin'] ?? '',
    tokens,
    kubeconfigs: ready.kubeconfigs,
    auditLogPath: ready.auditLog,
    logs: ready.logs,
    serving: ready.serving,
    prometheusUrl: ready.prometheusURL,
    prometheusTargetsDir: ready.prometheusTargets,
    etcdUrl: ready.etcdURL,
    binaries: ready.binaries,
    supervisorPid: ready.pid,
    bootSeconds: ready.bootSeconds,
    node: ready.node,
  };
}

function handles(conversation: Control<ReadyEvent>, facts: ClusterFacts, keep: boolean) {
  const pids = async (): Promise<Record<ProcessName, number>> => {
    const { pids: found } = await conversation.send({ op: 'status' });
    if (!found) throw new ForesailError('E2E_CLUSTER_FAILED', 'terminal', 'a status reply without pids');
    return found;
  };
  const stop = async (): Promise<void> => {
    conversation.close();
    await conversation.ended;
    // The supervisor does this itself unless it was killed.
    if (!keep) await rm(facts.runDir, { recursive: true, force: true });
  };
  const handle = (name: ProcessName): ProcessHandle => {
    const run = (op: 'stop' | 'kill' | 'start' | 'restart') => async () => {
      await conversation.send({ op, process: name });
    };
    return {
      stop: run('stop'),
      kill: run('kill'),
      start: run('start'),
      restart: run('restart'),
      signal: async (signal) => {
        await conversation.send({ op: 'signal', process: name, signal });
      },
      pid: async () => (await pids())[name],
    };
  };
  return { process: handle, pids, stop, ended: conversation.ended, [Symbol.asyncDispose]: stop };
}

function abortable<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
