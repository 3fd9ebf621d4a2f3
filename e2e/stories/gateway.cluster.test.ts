/**
 * A rollout writes its weights into a user's HTTPRoute, on a real API server with the Gateway API's own CRD. The gateway
 * is played by the test, which says what it has accepted; one that runs is in e2e/node/stories/gateway.ts.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { HttpRoute } from '../../operator/gateway/http-route.ts';
import { request } from '../api.ts';
import { eventually } from '../eventually.ts';
import { installGatewayApi } from '../gateway-api.ts';
import { kubectl } from '../kubectl.ts';
import type { OperatorProcess } from '../operator.ts';
import { type ModelStage, model, SHOP, setModelStage } from './model-stage.ts';

const NAME = 'loadcast';
const ROUTES = `/apis/gateway.networking.k8s.io/v1/namespaces/${SHOP}/httproutes`;
const MANIFEST = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'models', namespace: SHOP },
  spec: {
    parentRefs: [{ name: 'front' }],
    hostnames: ['models.example.com'],
    rules: [
      {
        matches: [{ path: { type: 'PathPrefix', value: '/v2/models/loadcast' } }],
        backendRefs: [{ name: NAME, port: 8080 }],
      },
      {
        matches: [{ path: { type: 'PathPrefix', value: '/' } }],
        backendRefs: [{ name: 'shopfront', port: 80 }],
      },
    ],
  },
};

let stage: ModelStage;
let operator: OperatorProcess;

const route = () => request<HttpRoute>(stage.cluster, 'GET', `${ROUTES}/models`);

const apply = (manifest: object, ...args: readonly string[]) =>
  kubectl(stage.cluster, ['apply', '--server-side', ...args, '-f', '-'], { input: JSON.stringify(manifest) });

/** The gateway goes by what the route says now. */
async function accept(): Promise<void> {
  const { metadata } = await route();
  const at = {
    observedGeneration: metadata.generation,
    lastTransitionTime: new Date().toISOString(),
    message: '',
  };
  const conditions = ['Accepted', 'ResolvedRefs'].map((type) => ({
    type,
    status: 'True',
    reason: type,
    ...at,
  }));
  await request(stage.cluster, 'PATCH', `${ROUTES}/models/status`, {
    status: { parents: [{ parentRef: { name: 'front' }, controllerName: 'example.org/test', conditions }] },
  });
}

const weightsOf = ({ spec }: HttpRoute) =>
  (spec?.rules?.[0]?.backendRefs ?? []).map(({ name, weight }) => `${name}:${weight}`).join(' ');

const weightsBecome = (wanted: string) =>
  eventually(`weights ${wanted}`, async () => {
    const found = weightsOf(await route());
    if (found !== wanted) throw new Error(`${found}; ${JSON.stringify(await stage.status(NAME))}`);
    return true;
  });

const routed = (status: Awaited<ReturnType<ModelStage['status']>>) =>
  status.conditions?.find(({ type }) => type === 'Routed')?.reason;

beforeAll(async () => {
  stage = await setModelStage();
  await installGatewayApi(stage.cluster);
  operator = await stage.operator(undefined, { gateway: true });
  await apply(MANIFEST);
}, 600_000);

afterAll(async () => {
  await operator?.stop();
  await stage?.cluster.stop();
});

test('the first version gets its weight in the route, and traffic once the gateway has accepted it', async () => {
  await stage.create(NAME, {
    route: { gateway: { httpRouteName: 'models' } },
    rollout: { steps: [{ shadow: { percent: 30 } }, { setWeight: 10 }, { pause: {} }] },
  });
  await weightsBecome('loadcast-v1:100');
  await stage.becomes(NAME, 'it waits', (status) => routed(status) === 'WaitingForGateway');
  expect(await stage.traffic(NAME)).toBe('');
  await accept();
  await stage.trafficBecomes(NAME, '1:100');
}, 120_000);

test('the steps of the next stand in the route: a mirror, then a weight; the rest of the route stays', async () => {
  await stage.change(NAME, { model: model('b') });
  await weightsBecome('loadcast-v1:100');
  await eventually('it is mirrored to', async () => (await route()).spec?.rules?.[0]?.filters !== undefined);
  await accept();
  await weightsBecome('loadcast-v1:90 loadcast-v2:10');
  expect(await stage.traffic(NAME)).not.toContain('2:10');
  await accept();
  await stage.trafficBecomes(NAME, '1:90 2:10~30');
  const { spec } = await route();
  expect(spec).toMatchObject({
    hostnames: MANIFEST.spec.hostnames,
    rules: [
      {
        matches: MANIFEST.spec.rules[0]?.matches,
        filters: [
          {
            type: 'RequestMirror',
            requestMirror: { backendRef: { name: 'loadcast-v2', port: 8080 }, percent: 30 },
          },
        ],
      },
      { backendRefs: [{ name: 'shopfront', port: 80, weight: 1 }] },
    ],
  });
}, 120_000);

test('while nothing changes the route is not written', async () => {
  const { metadata } = await route();
  // Longer than it takes to look again.
  await sleep(7_000);
  expect((await route()).metadata.resourceVersion).toBe(metadata.resourceVersion);
}, 60_000);

test('a user’s edit of another field stays', async () => {
  await request(stage.cluster, 'PATCH', `${ROUTES}/models`, { spec: { hostnames: ['models.example.net'] } });
  await stage.rollout('promote', NAME);
  await weightsBecome('loadcast-v2:100');
  expect((await route()).spec).toMatchObject({ hostnames: ['models.example.net'] });
  await accept();
  await stage.trafficBecomes(NAME, '2:100');
}, 120_000);

test('server-side apply of the whole manifest says whose the rules are; forced, the weights come back', async () => {
  const refused = await apply(MANIFEST).then(
    () => '',
    (error: unknown) => String(error),
  );
  expect(refused).toContain('"foresail-gateway"');
  expect(refused).toContain('.spec.rules');
  // The server's own answer: a moment later they may be back.
  const applied = JSON.parse(await apply(MANIFEST, '--force-conflicts', '-o', 'json')) as HttpRoute;
  expect(weightsOf(applied)).toBe('loadcast:1');
  await weightsBecome('loadcast-v2:100');
  expect((await route()).spec).toMatchObject({ hostnames: MANIFEST.spec.hostnames });
}, 120_000);

test('a rule that sends elsewhere too is not touched, and the condition says why', async () => {
  await request(stage.cluster, 'PATCH', `${ROUTES}/models`, {
    spec: {
      rules: [
        {
          backendRefs: [
            { name: NAME, port: 8080 },
            { name: 'shopfront', port: 80 },
          ],
        },
      ],
    },
  });
  await stage.becomes(NAME, 'it is refused', (status) => routed(status) === 'RuleShared');
  expect(weightsOf(await route())).toBe('loadcast:1 shopfront:1');
}, 120_000);
