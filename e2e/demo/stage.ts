/**
 * Sets the stage: a real control plane, Prometheus with two weeks of history, two equal Deployments, the real HPA on
 * one and a PredictiveScaler on the other, and one source of load that both of them read.
 */
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Calendar, replayCalendar } from '../../operator/clock.ts';
import { binary, ensureBinaries } from '../binaries.ts';
import { type Cluster, startCluster } from '../cluster.ts';
import { kubectl } from '../kubectl.ts';
import { registerMetricsServer } from '../metrics-api/register.ts';
import { startMetricsServer } from '../metrics-api/server.ts';
import { deployment } from '../objects.ts';
import { type OperatorProcess, prepareCluster, startOperator } from '../operator.ts';
import { clusterUser, giveTo } from '../run-folder.ts';
import { prometheusConfig, writeHistory } from './history.ts';
import {
  BEHAVIOR,
  COVERAGE,
  FACTOR,
  MAX_REPLICAS,
  METRIC,
  NAMESPACE,
  QUERY,
  START_UP_MS,
  SYNC_PERIOD,
  TARGET_SHARE,
  WARM_UP_MINUTES,
} from './settings.ts';
import { loadAt, MINUTE_MS, type Trace, type Window } from './trace.ts';

export const OURS = 'web-foresail';
export const HPA = 'web-hpa';

export interface Stage {
  readonly cluster: Cluster;
  readonly operator: OperatorProcess;
  readonly calendar: Calendar;
  close(): Promise<void>;
}

export interface StageOptions {
  readonly trace: Trace;
  readonly window: Window;
  readonly capacity: number;
  /** Another model file than the one in the box. */
  readonly modelFile?: string;
  readonly say: (line: string) => void;
}

/** From the end of set-up to the start of the replay. */
const COUNTDOWN_MS = 6_000;

export async function setStage(options: StageOptions, signal: AbortSignal): Promise<Stage> {
  const { trace, window, capacity, say } = options;
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'foresail-demo-'));
  // The cluster's processes may run as another user and must get through.
  await chmod(folder, 0o755);
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const binaries = await ensureBinaries(['kubernetes', 'etcd', 'kwok', 'cluster', 'prometheus'], signal);

  let calendar: Calendar | undefined;
  const load = () => (calendar === undefined ? undefined : loadAt(trace, calendar.fromReal(Date.now())));
  const exporter = createServer((_request, response) => {
    const value = load();
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(value === undefined ? '' : `# TYPE ${METRIC} gauge\n${METRIC} ${value}\n`);
  });
  exporter.listen(0, '127.0.0.1');
  await once(exporter, 'listening');
  stack.defer(() => {
    exporter.closeAllConnections();
    exporter.close();
  });

  say('starting etcd, API server, controller-manager, scheduler, fake nodes, Prometheus…');
  const dataDir = join(folder, 'prometheus');
  await mkdir(dataDir);
  const { port } = exporter.address() as AddressInfo;
  const cluster = await startCluster(
    {
      hpa: { syncPeriod: SYNC_PERIOD },
      prometheus: { dataDir, config: prometheusConfig(`127.0.0.1:${port}`) },
    },
    signal,
  );
  stack.defer(() => cluster.stop());
  say(`control plane ready after ${cluster.bootSeconds.toFixed(1)} s`);

  await prepareCluster(cluster);
  const startUp = { 'foresail.io/ready-after': `${START_UP_MS / FACTOR / 1000}s` };
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    ...[OURS, HPA].map((name) => deployment(NAMESPACE, name, { replicas: 20, podAnnotations: startUp })),
  ];
  for (const object of objects) await apply(cluster, object);

  // From here on load time is fixed: the warm-up begins when the countdown ends.
  const realStart = Math.ceil(Date.now() / 1000) * 1000 + COUNTDOWN_MS;
  const loadStart = window.fromMs - WARM_UP_MINUTES * MINUTE_MS;
  calendar = replayCalendar(realStart, loadStart, FACTOR);
  const mapping = calendar;

  say('writing two weeks of history into Prometheus…');
  const prometheus = cluster.process('prometheus');
  await prometheus.stop();
  const promtool = binary(binaries, 'promtool');
  await writeHistory(promtool, folder, dataDir, trace, mapping, mapping.fromReal(Date.now() + 1_000));
  const user = clusterUser();
  if (user !== undefined) await giveTo(user, dataDir);
  await prometheus.start();

  const metricsApi = await startMetricsServer(cluster);
  stack.defer(() => metricsApi.close());
  await registerMetricsServer(cluster, metricsApi.port, signal);
  const feeding = feedHpa(cluster, (value) => metricsApi.state.setExternal(NAMESPACE, METRIC, {}, value));
  stack.defer(feeding.stop);

  say('starting the operator, applying the PredictiveScaler and the HPA…');
  const operator = await startOperator(cluster, {
    config: {
      syncPeriod: SYNC_PERIOD,
      prometheusServers: [
        {
          name: 'default',
          url: cluster.prometheusUrl,
          allowAddresses: ['loopback'],
          allowedNamespaces: [NAMESPACE],
        },
      ],
      forecast: {
        metricDelay: '1s',
        defaultLeadTime: `${START_UP_MS / FACTOR}ms`,
        ...(options.modelFile === undefined ? {} : { modelFile: options.modelFile }),
      },
      // Seasons and steps count in the time of the trace; leases and deadlines stay real.
      replay: { realStart: iso(realStart), loadStart: iso(loadStart), factor: FACTOR },
    },
  });
  stack.defer(async () => {
    await operator.stop();
  });
  await apply(cluster, predictiveScaler(capacity));
  await apply(cluster, horizontalPodAutoscaler(capacity));
  const stay = stack.move();
  return { cluster, operator, calendar: mapping, close: () => stay.disposeAsync() };
}

function targetOf(capacity: number) {
  return { type: 'AverageValue', averageValue: `${Math.round(capacity * TARGET_SHARE * 1000)}m` };
}

export function predictiveScaler(capacity: number) {
  return {
    apiVersion: 'foresail.io/v1alpha1',
    kind: 'PredictiveScaler',
    metadata: { name: 'web', namespace: NAMESPACE },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: OURS },
      minReplicas: 1,
      maxReplicas: MAX_REPLICAS,
      mode: 'Active',
      behavior: BEHAVIOR,
      metrics: [
        {
          type: 'Prometheus',
          prometheus: { serverRef: { name: 'default' }, query: QUERY, target: targetOf(capacity) },
          capacity: `${Math.round(capacity * 1000)}m`,
        },
      ],
      forecast: { coverage: COVERAGE, step: '1m', history: '336h' },
    },
  };
}

export function horizontalPodAutoscaler(capacity: number) {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web', namespace: NAMESPACE },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: HPA },
      minReplicas: 1,
      maxReplicas: MAX_REPLICAS,
      behavior: BEHAVIOR,
      metrics: [{ type: 'External', external: { metric: { name: METRIC }, target: targetOf(capacity) } }],
    },
  };
}

function apply(cluster: Cluster, object: object): Promise<string> {
  return kubectl(cluster, ['apply', '--server-side', '-f', '-'], { input: JSON.stringify(object) });
}

/** What prometheus-adapter does: the HPA gets the same query's answer from the same Prometheus. */
function feedHpa(cluster: Cluster, set: (value: number) => void): { stop: () => Promise<void> } {
  const ended = new AbortController();
  const url = new URL('/api/v1/query', cluster.prometheusUrl);
  url.searchParams.set('query', QUERY);
  const loop = (async () => {
    while (!ended.signal.aborted) {
      try {
        const answer = (await (await fetch(url)).json()) as {
          data: { result: { value: [number, string] }[] };
        };
        const text = answer.data.result[0]?.value[1];
        if (text !== undefined) set(Number(text));
      } catch {
        // Prometheus is starting; the HPA has no metric until then, like ours.
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  return {
    async stop() {
      ended.abort();
      await loop;
    },
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
