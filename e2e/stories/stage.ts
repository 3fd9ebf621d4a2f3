/**
 * The stage of all stories: a real control plane, a real Prometheus, Deployments on fake nodes, the real operator as
 * a process with an identity of its own, so that the audit log says what it did.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Condition, PredictiveScalerStatus } from '../../operator/api/index.ts';
import type { Decision } from '../../operator/decision/types.ts';
import { type AuditEntry, isWrite, tailAuditLog } from '../../operator/testing/server-side.ts';
import { request } from '../api.ts';
import { binary, ensureBinaries } from '../binaries.ts';
import { type Cluster, type ClusterOptions, startCluster } from '../cluster.ts';
import { eventually } from '../eventually.ts';
import { deployment, type WorkloadOptions } from '../objects.ts';
import { type OperatorProcess, prepareCluster, startOperator } from '../operator.ts';
import { type LoadBoard, queryOf, sampleOf, scrapeConfig, startLoadBoard, TYPE_LINE } from './load-board.ts';
import { type ReplicaRecord, recordReplicas } from './replica-record.ts';

export const SHOP = 'shop';
/** Load that one replica of every story should carry. */
export const PER_REPLICA = 50;
/** Who the operator is in the audit log. */
export const OPERATOR = 'test-1';

export interface StageOptions {
  readonly cluster?: ClusterOptions;
  /** Minutes of past that Prometheus has from the start, by app; the last value is a minute old. */
  readonly history?: Readonly<Record<string, readonly number[]>>;
}

export interface Explained {
  readonly live: { readonly at: string };
  readonly decisions: readonly Decision[];
}

export interface ObjectWithStatus {
  readonly metadata: { readonly name: string; readonly uid: string; readonly generation: number };
  readonly status?: PredictiveScalerStatus;
}

export class Stage {
  readonly cluster: Cluster;
  readonly load: LoadBoard;
  /** For files of a story; readable by other users. */
  readonly folder: string;
  readonly #stack: AsyncDisposableStack;

  constructor(cluster: Cluster, load: LoadBoard, folder: string, stack: AsyncDisposableStack) {
    this.cluster = cluster;
    this.load = load;
    this.folder = folder;
    this.#stack = stack;
  }

  /** The operator, quick enough that a story takes seconds. It is stopped with the stage, if it still runs. */
  async operator(config: Record<string, unknown> = {}, user = OPERATOR): Promise<OperatorProcess> {
    const { cluster } = this;
    const operator = await startOperator(cluster, {
      kubeconfigPath: cluster.kubeconfigs[user] as string,
      config: {
        syncPeriod: '1s',
        hpa: { downscaleStabilization: '2s', cpuInitializationPeriod: '0s', initialReadinessDelay: '0s' },
        forecast: { metricDelay: '1s', defaultLeadTime: '5s' },
        prometheusServers: [
          {
            name: 'default',
            url: cluster.prometheusUrl,
            allowAddresses: ['loopback'],
            allowedNamespaces: [SHOP],
          },
        ],
        ...config,
      },
    });
    this.#stack.defer(() => operator.signal('SIGKILL'));
    return operator;
  }

  deploy(name: string, options: WorkloadOptions = {}): Promise<unknown> {
    return this.post(`/apis/apps/v1/namespaces/${SHOP}/deployments`, deployment(SHOP, name, options));
  }

  scale(name: string, spec: object = {}): Promise<unknown> {
    return this.post(scalerPath(''), scalerOf(name, spec));
  }

  /** Shallow as a merge patch is. */
  change(name: string, spec: object): Promise<unknown> {
    return request(this.cluster, 'PATCH', scalerPath(name), { spec });
  }

  post<T = unknown>(path: string, object: object): Promise<T> {
    return request<T>(this.cluster, 'POST', path, object);
  }

  delete(path: string): Promise<unknown> {
    return request(this.cluster, 'DELETE', path);
  }

  async scaler(name: string): Promise<ObjectWithStatus> {
    return await request(this.cluster, 'GET', scalerPath(name));
  }

  async status(name: string): Promise<PredictiveScalerStatus> {
    return (await this.scaler(name)).status ?? {};
  }

  async replicas(name: string): Promise<number> {
    const path = `/apis/apps/v1/namespaces/${SHOP}/deployments/${name}`;
    return (await request<{ spec: { replicas: number } }>(this.cluster, 'GET', path)).spec.replicas;
  }

  record(name: string): ReplicaRecord {
    const record = recordReplicas(this.cluster, SHOP, name);
    this.#stack.defer(() => record.stop());
    return record;
  }

  async replicasBecome(name: string, wanted: number, limitMs = 30_000): Promise<void> {
    await eventually(
      `${name} has ${wanted} replicas`,
      async () => {
        const found = await this.replicas(name);
        if (found !== wanted) throw new Error(`it has ${found}; ${JSON.stringify(await this.status(name))}`);
        return true;
      },
      limitMs,
    );
  }

  async conditionBecomes(
    name: string,
    type: Condition['type'],
    wanted: Partial<Condition>,
    limitMs = 30_000,
  ): Promise<Condition> {
    return await eventually(
      `${name} has ${type} ${JSON.stringify(wanted)}`,
      async () => {
        const found = (await this.status(name)).conditions?.find((condition) => condition.type === type);
        const same = Object.entries(wanted).every(
          ([key, value]) => found?.[key as keyof Condition] === value,
        );
        if (found === undefined || !same) throw new Error(`it has ${JSON.stringify(found)}`);
        return found;
      },
      limitMs,
    );
  }

  async explain(operator: OperatorProcess, name: string): Promise<Explained> {
    const response = await this.get(operator, `/explain/v1/namespaces/${SHOP}/predictivescalers/${name}`);
    if (response.status !== 200) throw new Error(`explain: ${response.status} ${await response.text()}`);
    return (await response.json()) as Explained;
  }

  get(operator: OperatorProcess, path: string, token: string = this.cluster.adminToken): Promise<Response> {
    return fetch(`${operator.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  }

  /** Returns when the operator has looked at the scaler that many times more, from reading metrics to deciding. */
  async looks(operator: OperatorProcess, name: string, count = 3): Promise<void> {
    const seen = new Set<string>();
    // The first one may have begun before the caller's change.
    await eventually(
      `${count} further looks at ${name}`,
      async () => seen.add((await this.explain(operator, name)).live.at).size > count + 1,
      30_000 + count * 3_000,
    );
  }

  /** What the operator asked the API server from now on. */
  async audit(user = OPERATOR): Promise<{ read(): Promise<AuditEntry[]> }> {
    const tail = await tailAuditLog(this.cluster.auditLogPath);
    return { read: async () => (await tail.read()).filter((entry) => entry.user.username === user) };
  }

  async close(): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

export const scalerPath = (name: string) =>
  `/apis/foresail.io/v1alpha1/namespaces/${SHOP}/predictivescalers${name === '' ? '' : `/${name}`}`;

/** A scaler of the Deployment with the same name, by its load. Keys of `spec` replace the usual ones. */
export function scalerOf(name: string, spec: object = {}) {
  return {
    apiVersion: 'foresail.io/v1alpha1',
    kind: 'PredictiveScaler',
    metadata: { namespace: SHOP, name },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      maxReplicas: 10,
      mode: 'Shadow',
      metrics: [loadMetric(name)],
      ...spec,
    },
  };
}

export function loadMetric(app: string, serverName = 'default') {
  return {
    type: 'Prometheus',
    prometheus: {
      serverRef: { name: serverName },
      query: queryOf(app),
      target: { type: 'AverageValue', averageValue: String(PER_REPLICA) },
    },
  };
}

/** Writes of a workload or of its scale. */
export function targetWrites(entries: readonly AuditEntry[], name?: string): AuditEntry[] {
  return entries.filter(
    (entry) =>
      isWrite(entry) &&
      entry.objectRef?.resource === 'deployments' &&
      (name === undefined || entry.objectRef.name === name),
  );
}

export async function setStage({ cluster: options = {}, history = {} }: StageOptions = {}): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'foresail-story-'));
  await chmod(folder, 0o755); // the cluster's processes may run as another user
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const load = await startLoadBoard();
  stack.defer(() => load.close());
  const dataDir = join(folder, 'prometheus');
  await mkdir(dataDir);
  await writeHistory(folder, dataDir, history);
  const cluster = await startCluster({
    ...options,
    prometheus: { dataDir, config: scrapeConfig(load.target) },
  });
  stack.defer(() => cluster.stop());
  await prepareCluster(cluster);
  await request(cluster, 'POST', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: SHOP },
  });
  return new Stage(cluster, load, folder, stack.move());
}

async function writeHistory(
  folder: string,
  dataDir: string,
  history: Readonly<Record<string, readonly number[]>>,
): Promise<void> {
  const now = Date.now();
  const lines = Object.entries(history).flatMap(([app, values]) =>
    values.map((value, i) => sampleOf(app, value, now - (values.length - i) * 60_000)),
  );
  if (lines.length === 0) return;
  const file = join(folder, 'history.om');
  await writeFile(file, `${[TYPE_LINE, ...lines].join('\n')}\n# EOF\n`);
  const promtool = binary(await ensureBinaries(['prometheus']), 'promtool');
  const make = ['tsdb', 'create-blocks-from', 'openmetrics', '--quiet', file, dataDir];
  await promisify(execFile)(promtool, make);
}
