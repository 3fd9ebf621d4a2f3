/** A new model version comes into service behind a user's own HTTPRoute, while callers call through a gateway that runs. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpRoute } from '../../../operator/gateway/http-route.ts';
import { request } from '../../api.ts';
import type { ClusterFacts } from '../../cluster.ts';
import { eventually } from '../../eventually.ts';
import { SHOP } from '../../stories/model-stage.ts';
import { dataPlaneFollows, letGatewaySpeak, openGateway, PARENT } from '../gateway.ts';
import { type ServedModel, SHOP_NAMESPACE, serveModel } from '../served-model.ts';
import { splitByWeights, splitWithin } from '../split.ts';
import { apply, type NodeStage } from '../stage.ts';
import type { Story } from '../story.ts';

/** The drain of the stories' operator is 10 s. */
const LONGER_THAN_DRAIN_MS = 20_000;
const FIELD_MANAGER = 'foresail-gateway';

export const GATEWAY: readonly Story<NodeStage>[] = [
  {
    name: 'gateway: weights in a user’s HTTPRoute split what a real gateway answers, and not one request fails',
    async run(stage, signal) {
      const { cluster } = stage;
      const steps = [
        { pause: {} },
        { setWeight: 20 },
        { pause: {} },
        { setWeight: 50 },
        { pause: { duration: '30s' } },
      ];
      await using model = await serveRouted(stage, 'routed', { rollout: { steps } }, signal);
      const before = await routeOf(cluster, model.name);
      await model.ask(2);
      await canaryIsReady(model);
      assert.deepEqual(Object.keys(await model.observe(5)), ['1'], 'without weight nothing');
      await model.stage.rollout('promote', model.name);
      const { fifth, half } = await splitByWeights(model);
      await model.stage.rollout('undo', model.name);
      await model.trafficBecomes('1:100');
      assert.deepEqual(Object.keys(await model.observe(5)), ['1']);
      onlyBackendsChanged(before, await routeOf(cluster, model.name));
      return `${fifth} and ${half} of 100; ${await model.nothingFailed()}`;
    },
  },
  {
    name: 'gateway: one that cannot say what it has taken holds the steps and the pods, and no request fails',
    async run(stage, signal) {
      const { cluster } = stage;
      const steps = [{ setWeight: 50 }, { pause: {} }];
      await using model = await serveRouted(stage, 'unheard', { rollout: { steps } }, signal);
      await using after = new AsyncDisposableStack();
      after.defer(() => letGatewaySpeak(cluster, true));

      await letGatewaySpeak(cluster, false);
      await model.ask(2);
      await weightsBecome(cluster, model.name, 'unheard-v1:50 unheard-v2:50');
      // Its data plane goes by weights of which it has said nothing.
      const half = splitWithin(await model.observe(15), 50);
      await isUnheard(model, '1:100');
      await letGatewaySpeak(cluster, true);
      await model.trafficBecomes('1:50 2:50');

      await letGatewaySpeak(cluster, false);
      await model.stage.rollout('abort', model.name);
      await weightsBecome(cluster, model.name, 'unheard-v1:100');
      await sleep(LONGER_THAN_DRAIN_MS, undefined, { signal });
      await isUnheard(model, '1:50 2:50');
      assert.equal(
        (await model.containers(2, 'server')).length,
        1,
        'pods that the gateway may still send to',
      );
      await letGatewaySpeak(cluster, true);
      await model.trafficBecomes('1:100');
      return `${half} of 100 meanwhile; ${await model.nothingFailed()}`;
    },
  },
  {
    name: 'gateway: a shadow is not written where the gateway copies no requests, and the steps go on without it',
    async run(stage, signal) {
      const { cluster } = stage;
      const pause = { pause: {} };
      const steps = [{ shadow: { percent: 100 } }, pause];
      await using model = await serveRouted(stage, 'shadowless', { rollout: { steps } }, signal);
      await model.ask(2);
      const { conditions } = await model.stage.becomes(
        model.name,
        'the mirror is refused',
        (status) => routedOf(status)?.reason === 'MirrorNotSupported',
        120_000,
      );
      assert.deepEqual(Object.keys(await model.observe(5)), ['1']);
      assert.ok(!JSON.stringify(await routeOf(cluster, model.name)).includes('RequestMirror'));
      await model.change({ rollout: { steps: [{ setWeight: 50 }, pause] } });
      await model.trafficBecomes('1:50 2:50');
      const half = splitWithin(await model.observe(10), 50);
      return `said “${routedOf({ conditions })?.message}”; ${half} of 100; ${await model.nothingFailed()}`;
    },
  },
];

/** Version 1 behind the user's route at the gateway, with traffic on its way. */
async function serveRouted(
  stage: NodeStage,
  name: string,
  spec: object,
  signal: AbortSignal,
): Promise<ServedModel> {
  const url = await openGateway(stage, signal);
  await apply(stage.cluster, SHOP_NAMESPACE, userRoute(name));
  const route = { gateway: { httpRouteName: name } };
  return serveModel(stage, name, { ...spec, route }, signal, async () => {
    await dataPlaneFollows(signal);
    return `${url}/forecasts/${name}/infer`;
  });
}

/** Callers know a path of their own; another rule is nobody's model. */
function userRoute(name: string): object {
  const path = (value: string) => ({ path: { type: 'PathPrefix', value } });
  const to = (prefix: string) => ({
    path: { type: 'ReplacePrefixMatch', replacePrefixMatch: prefix },
  });
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { namespace: SHOP, name },
    spec: {
      parentRefs: [PARENT],
      rules: [
        {
          matches: [path(`/forecasts/${name}`)],
          filters: [{ type: 'URLRewrite', urlRewrite: to(`/v2/models/${name}`) }],
          backendRefs: [{ name, port: 8080 }],
        },
        {
          matches: [path(`/old/${name}`)],
          filters: [{ type: 'RequestRedirect', requestRedirect: to(`/forecasts/${name}`) }],
        },
      ],
    },
  };
}

const routeOf = (cluster: ClusterFacts, name: string) =>
  request<HttpRoute>(
    cluster,
    'GET',
    `/apis/gateway.networking.k8s.io/v1/namespaces/${SHOP}/httproutes/${name}`,
  );

function weightsBecome(cluster: ClusterFacts, name: string, wanted: string): Promise<true> {
  return eventually(
    `weights ${wanted}`,
    async () => {
      const { spec } = await routeOf(cluster, name);
      const found = spec?.rules?.[0]?.backendRefs?.map((ref) => `${ref.name}:${ref.weight}`).join(' ');
      if (found !== wanted) throw new Error(found);
      return true as const;
    },
    120_000,
  );
}

/** What the user wrote stands, and is the user's, but for the backends of the model's rule. */
function onlyBackendsChanged(before: HttpRoute, after: HttpRoute): void {
  const rest = ({ spec }: HttpRoute) => ({
    ...spec,
    rules: spec?.rules?.map((rule, index) => (index === 0 ? { ...rule, backendRefs: [] } : rule)),
  });
  assert.deepEqual(rest(after), rest(before));
  const ours = after.metadata.managedFields?.filter(({ manager }) => manager === FIELD_MANAGER);
  // Of a list that is atomic nobody owns a part.
  assert.deepEqual(
    ours?.map((entry) => (entry as { readonly fieldsV1?: object }).fieldsV1),
    [{ 'f:spec': { 'f:rules': {} } }],
  );
}

type Status = Awaited<ReturnType<ServedModel['stage']['status']>>;

const routedOf = ({ conditions }: Pick<Status, 'conditions'>) =>
  conditions?.find(({ type }) => type === 'Routed');

async function canaryIsReady({ stage, name }: ServedModel): Promise<void> {
  const isReady = ({ canary }: Status) => (canary?.readyReplicas ?? 0) > 0;
  await stage.becomes(name, 'the canary has a ready pod', isReady, 120_000);
}

/** What is published is what the gateway has last said that it goes by. */
async function isUnheard({ stage, name }: ServedModel, published: string): Promise<void> {
  assert.equal(await stage.traffic(name), published);
  assert.equal(routedOf(await stage.status(name))?.reason, 'WaitingForGateway');
}
