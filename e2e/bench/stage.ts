/** One control plane with N workloads of one ready pod each, and the metric that every scaler reads. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from '../api.ts';
import { type Cluster, startCluster } from '../cluster.ts';
import { registerMetricsServer } from '../metrics-api/register.ts';
import { startMetricsServer } from '../metrics-api/server.ts';
import { prepareCluster } from '../operator.ts';
import { DEPLOYMENTS, forAll, metricOf, NAMESPACE, nameOf, settled, workload, workloads } from './fleet.ts';
import { say } from './report.ts';

export interface Stage {
  readonly cluster: Cluster;
  readonly count: number;
  /** From the start of the supervisor until a pod can be scheduled. */
  readonly bootSeconds: number;
  readonly version: string;
  /** All metrics in the same instant. */
  setLoad(value: number): void;
  /** Starts to watch whether the metric server, which lives in this process, keeps up. */
  watchServer(): () => ServerStrain;
  /** Every workload back at one ready pod. */
  reset(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ServerStrain {
  /** Share of the time in which the process of metric server and driver was busy. */
  readonly busy: number;
  /** How late its event loop was, 99th percentile, milliseconds. */
  readonly lateMs: number;
}

const PODS_PER_NODE = 2000;
const POLL_MS = 2_000;

export async function setStage(count: number, load: number, signal: AbortSignal): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  say('starting the control plane');
  const nodes = Math.max(2, Math.ceil((count * 10) / PODS_PER_NODE));
  const cluster = await startCluster({ nodes, podsPerNode: PODS_PER_NODE }, signal);
  stack.defer(() => cluster.stop());
  const metrics = await startMetricsServer(cluster);
  stack.defer(() => metrics.close());
  await registerMetricsServer(cluster, metrics.port, signal);
  await prepareCluster(cluster);
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } };
  await request(cluster, 'POST', '/api/v1/namespaces', namespace);
  const { gitVersion } = await request<{ gitVersion: string }>(cluster, 'GET', '/version');

  const setLoad = (value: number) => {
    for (let i = 0; i < count; i++) metrics.state.setExternal(NAMESPACE, metricOf(i), {}, value);
  };
  setLoad(load);
  const allReady = async () => {
    // oxlint-disable-next-line no-await-in-loop -- a poll
    while (!settled(await workloads(cluster), 1)) await sleep(POLL_MS, undefined, { signal });
  };
  say(`creating ${count} Deployments`);
  await forAll(count, (i) => request(cluster, 'POST', DEPLOYMENTS, workload(i)));
  await allReady();
  say(`${count} Deployments have their pod`);

  const stay = stack.move();
  return {
    cluster,
    count,
    bootSeconds: cluster.bootSeconds,
    version: gitVersion,
    setLoad,
    watchServer() {
      const delay = monitorEventLoopDelay({ resolution: 10 });
      delay.enable();
      const before = performance.eventLoopUtilization();
      return () => {
        delay.disable();
        const busy = performance.eventLoopUtilization(before).utilization;
        return { busy, lateMs: Math.max(0, delay.percentile(99) / 1e6 - 10) };
      };
    },
    async reset() {
      const scale = { spec: { replicas: 1 } };
      await forAll(count, (i) => request(cluster, 'PATCH', `${DEPLOYMENTS}/${nameOf(i)}/scale`, scale));
      await allReady();
    },
    [Symbol.asyncDispose]: () => stay.disposeAsync(),
  };
}
