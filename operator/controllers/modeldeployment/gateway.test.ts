/** What a pass does with an HTTPRoute: weights in the route first, in status once the gateways go by them. */
import { expect, test } from '@jest/globals';
import type { HttpRoute } from '../../gateway/http-route.ts';
import { Stage } from './testing/stage.ts';

const A = { model: { storageUri: 's3://models/a', sha256: 'a'.repeat(64) } };
const B = { model: { storageUri: 's3://models/b', sha256: 'b'.repeat(64) } };
const ROUTE = { route: { gateway: { httpRouteName: 'models' } } };
const KEY = 'shop/models';

/** A stage with a route, whose gateway answers when the test says so. */
class RoutedStage extends Stage {
  constructor(spec: Record<string, unknown> = {}, backends: readonly string[] = ['loadcast']) {
    super({ ...A, ...ROUTE, ...spec });
    this.routes.set({
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name: 'models', namespace: 'shop', resourceVersion: 'r1', generation: 1 },
      spec: {
        parentRefs: [{ name: 'front' }],
        rules: [{ backendRefs: backends.map((name) => ({ name, port: 8080 })) }],
      },
    });
  }

  get route(): HttpRoute {
    return this.routes.get(KEY) as unknown as HttpRoute;
  }

  edit(change: (route: HttpRoute) => HttpRoute): void {
    const route = change(this.route);
    this.routes.set({
      ...route,
      metadata: { ...route.metadata, generation: (route.metadata.generation ?? 0) + 1 },
    });
  }

  /** The gateway has programmed what the route says now. */
  accept(): void {
    const { generation = 0 } = this.route.metadata;
    const conditions = [{ type: 'Accepted', status: 'True', observedGeneration: generation }];
    this.routes.set({
      ...this.route,
      status: { parents: [{ parentRef: { name: 'front' }, conditions }] },
    });
  }

  /** The route's gateway is of a class that says it can do this beside the core. */
  classLists(...features: readonly string[]): void {
    const apiVersion = 'gateway.networking.k8s.io/v1';
    this.gateways.set({
      apiVersion,
      kind: 'Gateway',
      metadata: { name: 'front', namespace: 'shop' },
      spec: { gatewayClassName: 'plain' },
    });
    this.gateways.set({
      apiVersion,
      kind: 'GatewayClass',
      metadata: { name: 'plain' },
      status: { supportedFeatures: features.map((name) => ({ name })) },
    });
  }

  get weights(): string {
    const refs = this.route.spec?.rules?.[0]?.backendRefs ?? [];
    return refs.map(({ name, weight }) => `${name}:${weight}`).join(' ');
  }

  async settleAccepted(): Promise<void> {
    for (let i = 0; i < 8; i += 1) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await this.settle();
      this.accept();
    }
    await this.settle();
  }
}

test('the route gets the weight, and status only when its gateway has accepted that', async () => {
  const stage = new RoutedStage();
  await stage.settle();
  expect(stage.weights).toBe('loadcast-v1:100');
  expect(stage.traffic).toBe('');
  expect(stage.condition('Routed')).toMatchObject({ status: 'Unknown', reason: 'WaitingForGateway' });
  expect(stage.condition('Ready')).toMatchObject({ status: 'False', reason: 'NotRouted' });
  stage.accept();
  await stage.settle();
  expect(stage.traffic).toBe('1:100');
  expect(stage.condition('Routed')).toMatchObject({ status: 'True', reason: 'Accepted' });
  expect(stage.condition('Ready')).toMatchObject({ status: 'True' });
});

test('a step is done when the gateway goes by its weight, and a shadow is a mirror', async () => {
  const stage = new RoutedStage({
    rollout: {
      steps: [{ shadow: { percent: 50 } }, { setWeight: 20 }, { pause: {} }],
      postPromotionWatch: '1m',
    },
  });
  await stage.settleAccepted();
  stage.change(B);
  await stage.settle();
  expect(stage.status.canary?.step).toBeLessThan(2);
  expect(stage.traffic).toBe('1:100');
  await stage.settleAccepted();
  expect(stage.weights).toBe('loadcast-v1:80 loadcast-v2:20');
  expect(stage.traffic).toBe('1:80 2:20');
  expect(stage.status.canary?.step).toBe(2);
  expect(stage.route.spec?.rules?.[0]?.filters).toEqual([
    {
      type: 'RequestMirror',
      requestMirror: { backendRef: { name: 'loadcast-v2', port: 8080 }, percent: 50 },
    },
  ]);
});

test('a mirror is not written for a gateway whose class says that it has none, and the rollout waits', async () => {
  const steps = [{ shadow: { percent: 50 } }, { setWeight: 20 }, { pause: {} }];
  const stage = new RoutedStage({ rollout: { steps } });
  stage.classLists('HTTPRoute', 'HTTPRouteRequestMirror');
  await stage.settleAccepted();
  expect(stage.traffic).toBe('1:100');
  stage.change(B);
  await stage.settleAccepted();
  await stage.after(600_000);
  expect(stage.route.spec?.rules?.[0]?.filters).toBeUndefined();
  expect(stage.status.canary?.step).toBe(0);
  expect(stage.traffic).toBe('1:100');
  const { status, reason, message } = stage.condition('Routed') ?? {};
  expect({ status, reason }).toEqual({ status: 'False', reason: 'MirrorNotSupported' });
  for (const part of ['front', 'plain', 'HTTPRouteRequestPercentageMirror']) expect(message).toContain(part);
  expect(stage.condition('Ready')).toMatchObject({ status: 'True' });
  stage.classLists('HTTPRoute', 'HTTPRouteRequestMirror', 'HTTPRouteRequestPercentageMirror');
  await stage.settleAccepted();
  expect(stage.condition('Routed')).toMatchObject({ status: 'True' });
  expect(stage.traffic).toBe('1:80 2:20');
});

test('what follows a shadow begins when the gateway has taken the mirror', async () => {
  const stage = new RoutedStage({
    rollout: { steps: [{ shadow: { percent: 100 } }, { pause: { duration: '1m' } }] },
  });
  await stage.settleAccepted();
  stage.change(B);
  await stage.settle();
  await stage.after(600_000);
  expect(stage.status.canary?.step).toBe(0);
  stage.accept();
  await stage.settle();
  expect(stage.status.canary?.step).toBe(1);
});

test('of a shadow that a gateway cannot have, one goes on by taking it out of the steps', async () => {
  const stage = new RoutedStage({ rollout: { steps: [{ shadow: { percent: 100 } }, { setWeight: 20 }] } });
  stage.classLists('HTTPRoute');
  await stage.settleAccepted();
  stage.change(B);
  await stage.settleAccepted();
  expect(stage.condition('Routed')).toMatchObject({ reason: 'MirrorNotSupported' });
  stage.change({ rollout: { steps: [{ setWeight: 20 }, { pause: {} }] } });
  await stage.settleAccepted();
  expect(stage.traffic).toBe('1:80 2:20');
  expect(stage.condition('Routed')).toMatchObject({ status: 'True', reason: 'Accepted' });
});

test('a version that goes back loses its weight in the route at once, and its pods when the gateway knows', async () => {
  const stage = new RoutedStage({ rollout: { steps: [{ setWeight: 50 }, { pause: {} }] } });
  await stage.settleAccepted();
  stage.change(B);
  await stage.settleAccepted();
  expect(stage.traffic).toBe('1:50 2:50');
  stage.change({ rollout: { abort: { version: 2 } } });
  await stage.pass();
  expect(stage.weights).toBe('loadcast-v1:100');
  await stage.after(600_000);
  // The gateway is silent: it may still send to version 2.
  expect(stage.traffic).toBe('1:50 2:50');
  expect(stage.children.deployments.get('shop/loadcast-v2')?.spec['replicas']).toBeGreaterThan(0);
  stage.accept();
  await stage.settle();
  await stage.after(60_000);
  expect(stage.traffic).toBe('1:100');
  expect(stage.children.deployments.get('shop/loadcast-v2')).toBeUndefined();
});

test('what others change beside the weights stays; weights that are changed come back, but not for ever', async () => {
  const stage = new RoutedStage();
  await stage.settleAccepted();
  const tamper = () =>
    stage.edit((route) => ({
      ...route,
      metadata: {
        ...route.metadata,
        managedFields: [{ manager: 'sync-tool', time: '2026-01-02T00:00:00Z' }],
      },
      spec: {
        ...route.spec,
        rules: [
          {
            ...route.spec?.rules?.[0],
            timeouts: { request: '9s' },
            backendRefs: [{ name: 'loadcast', port: 8080 }],
          },
        ],
      },
    }));
  for (let i = 0; i < 10 && stage.condition('Routed')?.reason !== 'RouteContested'; i += 1) {
    tamper();
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await stage.settleAccepted();
    expect(stage.route.spec?.rules?.[0]).toMatchObject({ timeouts: { request: '9s' } });
  }
  expect(stage.condition('Routed')).toMatchObject({ status: 'False', reason: 'RouteContested' });
  expect(stage.condition('Routed')?.message).toContain('sync-tool');
  await stage.after(61_000);
  await stage.settleAccepted();
  expect(stage.weights).toBe('loadcast-v1:100');
  expect(stage.condition('Routed')).toMatchObject({ status: 'True' });
});

test('an edit in the same moment is not lost: the pass begins anew', async () => {
  const stage = new RoutedStage();
  let edited = false;
  stage.api.onWrite = (write) => {
    if (write !== 'patch httproutes/models' || edited) return;
    edited = true;
    stage.edit((route) => ({
      ...route,
      metadata: { ...route.metadata, resourceVersion: 'theirs' },
      spec: { ...route.spec, rules: [{ ...route.spec?.rules?.[0], timeouts: { request: '7s' } }] },
    }));
  };
  await stage.pass().catch(() => undefined);
  stage.startPods();
  await expect(stage.pass()).rejects.toMatchObject({ code: 'KUBE_CONFLICT' });
  await stage.settleAccepted();
  expect(stage.route.spec?.rules?.[0]).toMatchObject({ timeouts: { request: '7s' } });
  expect(stage.traffic).toBe('1:100');
});

test.each<[string, (stage: RoutedStage) => void, string]>([
  ['is not there', (stage) => stage.routes.delete(KEY), 'RouteNotFound'],
  [
    'names no Service of the model',
    (stage) => stage.edit((route) => ({ ...route, spec: { rules: [{ backendRefs: [{ name: 'other' }] }] } })),
    'NoRuleForModel',
  ],
])('a route that %s is said so, and pods are made all the same', async (_, prepare, reason) => {
  const stage = new RoutedStage();
  prepare(stage);
  await stage.settle();
  expect(stage.condition('Routed')).toMatchObject({ status: 'False', reason });
  expect(stage.traffic).toBe('');
  expect(stage.children.deployments.get('shop/loadcast-v1')).toBeDefined();
});
