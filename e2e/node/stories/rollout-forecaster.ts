/**
 * A forecaster of one's own, served by pods and judged by what it forecasts for the load of a real workload. The load
 * runs 400 times as fast as the clock, so that the hours that a judge takes are minutes.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PredictiveScaler, PredictiveScalerStatus } from '../../../operator/api/index.ts';
import { tinyModel } from '../../../operator/inference/testing/tiny-model.ts';
import { request } from '../../api.ts';
import { scaler, scalersPath } from '../../chart/scaler.ts';
import type { ClusterFacts } from '../../cluster.ts';
import { eventually } from '../../eventually.ts';
import { ModelStage, modelPath, SHOP } from '../../stories/model-stage.ts';
import { configureOperator } from '../installed-operator.ts';
import { web } from '../objects.ts';
import { CREDENTIALS, openShop } from '../served-model.ts';
import { apply, type NodeStage, readyPods } from '../stage.ts';
import type { Story } from '../story.ts';

const MODEL = 'own';
const APP = 'forecast-web';
const FACTOR = 400;
/**
 * The load, which stays where it is, as a query that needs no exporter. It has no past: on one that never moved others
 * would have learned before that nothing moves.
 */
const loadMetric = (nowMs: number) => ({
  type: 'Prometheus',
  prometheus: {
    serverRef: { name: 'default' },
    query: `vector(145) and vector(time()) > ${Math.floor(nowMs / 1_000)}`,
    target: { type: 'AverageValue', averageValue: '100' },
  },
});
/**
 * Lowest quantile less the newest load; the median lies 0.6 above it. So the first is hard to beat, the second asks for
 * far too much, the third is as good as the first.
 */
const OFFSETS = [-0.6, 60, -0.601];

export const ROLLOUT_FORECASTER: readonly Story<NodeStage>[] = [
  {
    name: 'rollout: a forecaster on pods is judged by its forecasts: a worse one goes back, one as good is promoted',
    async run(stage, signal) {
      const { cluster } = stage;
      const now = new Date().toISOString();
      await using after = new AsyncDisposableStack();
      after.use(
        await configureOperator(stage, {
          config: {
            // One look a step.
            syncPeriod: '150ms',
            forecast: { metricDelay: '100ms', defaultLeadTime: '5s' },
            replay: { realStart: now, loadStart: now, factor: FACTOR },
          },
        }),
      );
      const store = after.use(await openShop(cluster));
      const models = new ModelStage(cluster);
      const remove = (path: string) =>
        request(cluster, 'DELETE', path)
          .then(() => undefined)
          .catch(() => undefined);
      after.defer(() => remove(`/apis/apps/v1/namespaces/${SHOP}/deployments/${APP}`));
      after.defer(() => remove(modelPath(MODEL)));
      after.defer(() => remove(scalersPath(SHOP, APP)));
      const versions = await Promise.all(
        OFFSETS.map((offset, i) => store.put(`${MODEL}-${i + 1}.onnx`, tinyModel({ offset }))),
      );

      await apply(cluster, ...web(SHOP, APP));
      await readyPods(cluster, SHOP, APP, 1, signal);
      await models.create(MODEL, {
        model: versions[0],
        credentialsSecretRef: { name: CREDENTIALS },
        server: { replicas: 1 },
        rollout: {
          steps: [{ shadow: { percent: 100 } }, { analysis: {} }],
          judge: { minLabels: 20, guards: [{ type: 'Errors' }] },
          postPromotionWatch: '10m',
        },
      });
      await models.trafficBecomes(MODEL, '1:100', 120_000);
      await apply(
        cluster,
        scaler(
          SHOP,
          APP,
          { apiVersion: 'apps/v1', kind: 'Deployment', name: APP },
          {
            maxReplicas: 3,
            mode: 'Active',
            metrics: [loadMetric(Date.now())],
            forecast: { model: { name: MODEL }, step: '1m', leadTime: '1s' },
          },
        ),
      );
      await forecasts(cluster, `${MODEL}@1`, signal);

      await models.change(MODEL, { model: versions[1] });
      const begun = performance.now();
      const weights = new Set<string>();
      const sentBack = await models.becomes(
        MODEL,
        'version 2 is sent back',
        ({ traffic = [], history }) => {
          for (const { version, weight } of traffic) weights.add(`${version}:${weight}`);
          return history?.at(-1)?.outcome === 'Aborted';
        },
        240_000,
      );
      const backSeconds = (performance.now() - begun) / 1_000;
      assert.equal(sentBack.history?.at(-1)?.reason, 'JudgedWorse');
      assert.deepEqual(
        [...weights].filter((each) => /^2:[^0]/.test(each)),
        [],
        'it got no request',
      );
      assert.notEqual((await statusOf(cluster)).forecast?.forecaster, `${MODEL}@2`);

      await sleep(1_000, undefined, { signal });
      await models.change(MODEL, { model: versions[2] });
      const again = performance.now();
      const promoted = await models.trafficBecomes(MODEL, '3:100', 240_000);
      const promotedSeconds = (performance.now() - again) / 1_000;
      assert.equal(promoted.history?.at(-1)?.version, 3);
      return `sent back after ${backSeconds.toFixed(0)} s, promoted after ${promotedSeconds.toFixed(0)} s, pods started and all`;
    },
  },
];

async function statusOf(cluster: ClusterFacts): Promise<PredictiveScalerStatus> {
  return (await request<PredictiveScaler>(cluster, 'GET', scalersPath(SHOP, APP))).status ?? {};
}

function forecasts(cluster: ClusterFacts, forecaster: string, signal: AbortSignal): Promise<true> {
  return eventually(
    `${forecaster} forecasts`,
    async () => {
      const { forecast, conditions } = await statusOf(cluster);
      if (forecast?.forecaster === forecaster) return true as const;
      const condition = conditions?.find(({ type }) => type === 'ForecastReady');
      throw new Error(JSON.stringify({ forecast, condition }));
    },
    120_000,
    signal,
  );
}
