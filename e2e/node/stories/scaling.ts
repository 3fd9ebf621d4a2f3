/** The main job with nothing played: pods that run, requests that cost CPU, the operator as pods of its chart. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PredictiveScalerStatus } from '../../../operator/api/index.ts';
import { request } from '../../api.ts';
import { ACCOUNT } from '../../chart/confined-operator.ts';
import { NAMESPACE, RELEASE } from '../../chart/helm.ts';
import { forbidden, requestsOf } from '../../chart/rights.ts';
import { scaler, scalersPath } from '../../chart/scaler.ts';
import type { ClusterFacts } from '../../cluster.ts';
import { eventually } from '../../eventually.ts';
import { installOperator } from '../installed-operator.ts';
import { type LoadGenerator, startLoad, totalOf } from '../load-generator.ts';
import { web } from '../objects.ts';
import { apply, makeNamespace, type NodeStage, readyPods } from '../stage.ts';
import type { Story } from '../story.ts';

const SHOP = 'web';
const OURS = 'web-foresail';
const TWIN = 'web-hpa';
/** Seconds until a pod of the app serves: what there is to learn. */
const STARTUP_SECONDS = 4;
/** What an answer may take before its user notices. */
const SLOW_MS = 500;
const METRICS = [
  { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } } },
];
const LIMITS = { minReplicas: 1, maxReplicas: 6 };
/** The same on both sides. */
const BEHAVIOR = { scaleDown: { stabilizationWindowSeconds: 15 } };

export const SCALING: readonly Story<NodeStage>[] = [
  {
    name: 'helm installs the operator, whose pods become Ready with the rights of the chart',
    async run(stage, signal) {
      const { cluster } = stage;
      const seconds = await installOperator(stage);
      const leader = await eventually('a leader', async () => {
        const path = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/${RELEASE}`;
        return (await request<{ spec: { holderIdentity?: string } }>(cluster, 'GET', path)).spec
          .holderIdentity;
      });
      assert.match(leader, /^foresail-/);
      signal.throwIfAborted();
      return `four pods in ${seconds.toFixed(1)} s`;
    },
  },
  {
    name: 'a PredictiveScaler follows real load, by the start-up time it learned, as the real HPA does on the twin',
    async run(stage, signal) {
      const { cluster } = stage;
      await installOperator(stage);
      await makeNamespace(cluster, SHOP);
      const options = { startupSeconds: STARTUP_SECONDS, milliCpu: 100, cpuMs: 5 };
      await apply(cluster, ...web(SHOP, OURS, options), ...web(SHOP, TWIN, options));
      await readyPods(cluster, SHOP, OURS, 1, signal);
      await readyPods(cluster, SHOP, TWIN, 1, signal);
      await apply(
        cluster,
        scaler(SHOP, OURS, target(OURS), { ...LIMITS, mode: 'Active', metrics: METRICS, behavior: BEHAVIOR }),
        {
          apiVersion: 'autoscaling/v2',
          kind: 'HorizontalPodAutoscaler',
          metadata: { namespace: SHOP, name: TWIN },
          spec: { scaleTargetRef: target(TWIN), ...LIMITS, metrics: METRICS, behavior: BEHAVIOR },
        },
      );
      await using ours = startLoad(cluster, await urlOf(cluster, OURS), 300);
      await using twin = startLoad(cluster, await urlOf(cluster, TWIN), 300);
      const both = (rate: number): void => {
        for (const load of [ours, twin]) load.rate(rate);
      };

      both(4);
      await sleep(25_000, undefined, { signal });
      // 200m of CPU and what the connections cost: one pod at its limit, four at the target.
      both(40);
      const raised = await Promise.all(
        [OURS, TWIN].map((name) => replicasReach(cluster, name, (count) => count >= 3, 90_000, signal)),
      );
      const { leadTime } = await eventually(
        'a learned lead time',
        async () => {
          const { status } = await request<{ status?: PredictiveScalerStatus }>(
            cluster,
            'GET',
            scalersPath(SHOP, OURS),
          );
          return status?.leadTime?.source === 'Learned' ? status : undefined;
        },
        60_000,
        signal,
      );
      const learned = Number.parseFloat(leadTime?.value ?? '');
      assert.ok(learned >= STARTUP_SECONDS && learned < 60, `lead time ${leadTime?.value}`);
      await sleep(20_000, undefined, { signal });
      both(2);
      await Promise.all(
        [OURS, TWIN].map((name) => replicasReach(cluster, name, (count) => count <= 2, 120_000, signal)),
      );
      await Promise.all([ours.stop(), twin.stop()]);
      // The node is small, and others need it.
      await request(cluster, 'DELETE', `/api/v1/namespaces/${SHOP}`);
      return [
        `learned ${leadTime?.value}; three replicas after ${raised.map((s) => s.toFixed(0)).join(' and ')} s`,
        `of ${STARTUP_SECONDS} s of start-up; slow seconds ${slow(ours)} and ${slow(twin)}`,
      ].join(' ');
    },
  },
];

/** Told last. */
export const RIGHTS: readonly Story<NodeStage>[] = [
  {
    name: 'in all that time the operator asked for nothing that its role does not allow',
    async run({ cluster }) {
      const requests = await requestsOf(ACCOUNT, cluster.auditLogPath);
      assert.ok(requests.length > 20, `${requests.length} requests`);
      assert.deepEqual(forbidden(requests), []);
    },
  },
];

const target = (name: string) => ({ apiVersion: 'apps/v1', kind: 'Deployment', name });

const slow = (load: LoadGenerator) => totalOf(load.seconds, SLOW_MS).slowSeconds;

async function urlOf(cluster: ClusterFacts, service: string): Promise<string> {
  const path = `/api/v1/namespaces/${SHOP}/services/${service}`;
  const { spec } = await request<{ spec: { clusterIP: string } }>(cluster, 'GET', path);
  return `http://${spec.clusterIP}/`;
}

/** Seconds until the Deployment's replicas are as wanted. */
async function replicasReach(
  cluster: ClusterFacts,
  name: string,
  wanted: (count: number) => boolean,
  limitMs: number,
  signal: AbortSignal,
): Promise<number> {
  const begun = performance.now();
  await eventually(
    `the replicas of ${name}`,
    async () => {
      const path = `/apis/apps/v1/namespaces/${SHOP}/deployments/${name}`;
      const { spec } = await request<{ spec: { replicas: number } }>(cluster, 'GET', path);
      if (!wanted(spec.replicas)) throw new Error(`${spec.replicas} replicas`);
      return true;
    },
    limitMs,
    signal,
  );
  return (performance.now() - begun) / 1_000;
}
