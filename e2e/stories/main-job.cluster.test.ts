/** The main job, as its user lives it: apply, watch, understand, delete. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isWrite } from '../../operator/testing/server-side.ts';
import { request } from '../api.ts';
import { eventually } from '../eventually.ts';
import { kubectl } from '../kubectl.ts';
import type { OperatorProcess } from '../operator.ts';
import { noisyPast } from './past.ts';
import { SHOP, type Stage, scalerOf, scalerPath, setStage, targetWrites } from './stage.ts';

const STARTS_SLOWLY = { podAnnotations: { 'foresail.io/ready-after': '2s' } };

/** What the apps of the modes have to carry now: three replicas' worth. */
const NOW = 145;

let stage: Stage;
let operator: OperatorProcess;
/** Everything that it asked the API server. */
let whole: Awaited<ReturnType<Stage['audit']>>;

beforeAll(async () => {
  stage = await setStage({
    history: {
      busy: noisyPast(150, NOW),
      calm: noisyPast(150, NOW),
      auto: noisyPast(150, NOW),
      idea: noisyPast(150, NOW),
    },
  });
  whole = await stage.audit();
  operator = await stage.operator();
}, 600_000);

afterAll(() => stage?.close());

interface Event {
  readonly reason: string;
  readonly type: string;
  readonly message: string;
  readonly source: { readonly component: string };
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
}

async function events(name: string): Promise<readonly Event[]> {
  const selector = `involvedObject.kind%3DPredictiveScaler,involvedObject.name%3D${name}`;
  const path = `/api/v1/namespaces/${SHOP}/events?fieldSelector=${selector}`;
  return (await request<{ items: Event[] }>(stage.cluster, 'GET', path)).items;
}

describe('the main job', () => {
  test('I apply a PredictiveScaler and a step of load is followed by replicas', async () => {
    stage.load.set('web', 90);
    await stage.deploy('web', { replicas: 1, ...STARTS_SLOWLY });
    await kubectl(stage.cluster, ['apply', '-f', '-'], { input: JSON.stringify(scalerOf('web')) });
    await stage.replicasBecome('web', 2);
    stage.load.set('web', 340);
    // Not more than twice as many at once, as HPA without behavior.
    await stage.replicasBecome('web', 7);
    stage.load.set('web', 140);
    await stage.replicasBecome('web', 3);
  }, 90_000);

  test('the status speaks HPA’s language and says how the operator is', async () => {
    await stage.conditionBecomes('web', 'AbleToScale', { status: 'True', reason: 'ReadyForNewScale' });
    await stage.conditionBecomes('web', 'ScalingActive', { status: 'True', reason: 'ValidMetricFound' });
    await stage.conditionBecomes('web', 'ScalingLimited', { status: 'False', reason: 'DesiredWithinRange' });
    await stage.conditionBecomes('web', 'MetricsDegraded', { status: 'False' });
    await stage.conditionBecomes('web', 'ConflictingScaler', { status: 'False', reason: 'NoConflict' });
    await stage.conditionBecomes('web', 'Ready', { status: 'True' });
    const { metadata, status } = await stage.scaler('web');
    expect(status).toMatchObject({
      observedGeneration: metadata.generation,
      target: 'Deployment/web',
      mode: 'Shadow',
      currentReplicas: 3,
      desiredReplicas: 3,
      selector: 'app=web',
      coverage: { asked: '0.99' },
    });
    expect(status?.currentMetrics?.[0]).toMatchObject({
      type: 'Prometheus',
      prometheus: { serverRef: { name: 'default' }, current: { averageValue: expect.anything() } },
    });
    expect(Date.parse(status?.lastScaleTime ?? '')).toBeGreaterThan(Date.now() - 120_000);
  }, 60_000);

  test('a decision has one id in the status, in the event, in the log and in its explanation', async () => {
    const rescale = await eventually('an event', async () =>
      // One event for all of them, whose newest message comes a moment later.
      (await events('web')).find(
        ({ reason, message }) => reason === 'SuccessfulRescale' && message.startsWith('New size: 3;'),
      ),
    );
    expect(rescale).toMatchObject({ type: 'Normal', source: { component: 'foresail' } });
    expect(rescale.message).toMatch(/^New size: 3; reason: All metrics below target/);
    const id = rescale.metadata.annotations?.['foresail.io/decision-id'] ?? '';
    expect(id).not.toBe('');
    const logged = operator.logs().find((line) => line['decision'] === id);
    expect(logged).toMatchObject({ message: 'scaled', scaler: `${SHOP}/web`, to: 3 });
    const explained = await stage.explain(operator, 'web');
    const why = explained.decisions.find((decision) => decision.id === id);
    expect(why).toMatchObject({ desiredReplicas: 3, write: true });
    expect(why?.explanation.sentence).toMatch(/lowers from \d+ to 3 replicas/i);
    const { lastDecision } = await stage.status('web');
    expect(explained.decisions.map((decision) => decision.id)).toContain(lastDecision?.id);
  }, 60_000);

  test('it learns how long my pods take to start', async () => {
    const { leadTime } = await eventually('a learned lead time', async () => {
      const status = await stage.status('web');
      return status.leadTime?.source === 'Learned' ? status : undefined;
    });
    expect(leadTime?.p50).toMatch(/^([2-9]|1\d)s$/);
  }, 60_000);

  test('kubectl get predictivescalers shows it in one line', async () => {
    const table = await kubectl(stage.cluster, ['get', 'psc', '-n', SHOP]);
    const [head = '', row = ''] = table.trim().split('\n');
    expect(head.split(/\s{2,}/)).toEqual(
      'NAME TARGET MODE MIN MAX REPLICAS DESIRED FORECAST LEAD VERDICT READY AGE'.split(' '),
    );
    expect(row).toMatch(/^web +Deployment\/web +Shadow +1 +10 +3 +3 .* True +\d+s|m/);
  });

  test('while nothing changes it asks for nothing but its lease', async () => {
    // A scrape that comes late is no end of the series.
    stage.load.stamp('web');
    await stage.looks(operator, 'web', 2);
    const audit = await stage.audit();
    await stage.looks(operator, 'web', 12);
    const entries = await audit.read();
    const writes = entries.filter((entry) => isWrite(entry) && entry.objectRef?.resource !== 'leases');
    expect(writes.map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([]);
    expect(entries.some((entry) => isWrite(entry) && entry.objectRef?.resource === 'leases')).toBe(true);
    const reads = entries.filter((entry) => entry.objectRef?.subresource === 'scale');
    expect(reads.map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([]);
  }, 90_000);
});

describe('the modes', () => {
  beforeAll(async () => {
    // The past says that twice as much may come at any minute; now there is little.
    for (const app of ['busy', 'calm', 'auto', 'idea', 'plain']) stage.load.set(app, NOW);
    const of = { busy: 'Active', calm: 'Shadow', auto: 'Auto', idea: 'Recommend', plain: 'Reactive' };
    await Promise.all(
      Object.entries(of).map(async ([name, mode]) => {
        await stage.deploy(name, { replicas: 3 });
        // Longer than a step: what is forecast for the next minute always matters.
        await stage.scale(name, { mode, forecast: { leadTime: '2m' } });
      }),
    );
  }, 60_000);

  test('Active lets the forecast act before the load is there, and the status names the model by its digest', async () => {
    const raised = await eventually('the forecast acts', async () => {
      const { decisions } = await stage.explain(operator, 'busy');
      return decisions.find(({ boundBy, write }) => boundBy === 'Forecast' && write);
    });
    expect(raised.desiredReplicas).toBeGreaterThan(raised.reactive.replicas ?? Number.POSITIVE_INFINITY);
    expect(raised.explanation.sentence).toMatch(/forecast load over the lead time at 99 % coverage/);
    await stage.replicasBecome('busy', raised.desiredReplicas);
    // The scale is written first, the status at the end of the same round.
    const forecast = await eventually('the status', async () => (await stage.status('busy')).forecast);
    expect(forecast).toMatchObject({
      model: 'loadcast',
      digest: expect.stringMatching(/^(sha256:)?[0-9a-f]{64}$/),
      replicas: expect.any(Number),
    });
    expect(forecast?.quantiles?.map(({ level }) => level)).toEqual(['0.5', '0.99']);
    expect((await stage.status('busy')).mode).toBe('Active');
  }, 60_000);

  test('Shadow forecasts the same load and does not act on it', async () => {
    await eventually('a forecast', async () => ((await stage.status('calm')).forecast?.replicas ?? 0) > 3);
    await stage.looks(operator, 'calm', 3);
    expect(await stage.replicas('calm')).toBe(3);
    expect((await stage.explain(operator, 'calm')).decisions[0]).toMatchObject({ boundBy: 'Reactive' });
  }, 60_000);

  test('Auto behaves as Shadow until there is a verdict, and says so', async () => {
    await eventually('a forecast', async () => ((await stage.status('auto')).forecast?.replicas ?? 0) > 3);
    await stage.looks(operator, 'auto', 2);
    expect(await stage.replicas('auto')).toBe(3);
    expect((await stage.status('auto')).mode).toBe('Shadow');
    const [decision] = (await stage.explain(operator, 'auto')).decisions;
    expect(decision?.mode).toMatchObject({ asked: 'Auto', inForce: 'Shadow' });
    expect(decision?.explanation.sentence).toMatch(/Auto acts as Shadow until there is a verdict/);
  }, 60_000);

  test('Recommend shows the wish in the status and writes nothing to the target', async () => {
    const audit = await stage.audit();
    await eventually('a wish', async () => ((await stage.status('idea')).desiredReplicas ?? 0) > 3);
    await stage.looks(operator, 'idea', 3);
    expect(await stage.replicas('idea')).toBe(3);
    expect(targetWrites(await audit.read(), 'idea')).toEqual([]);
  }, 60_000);

  test('Reactive follows the load as HPA would', async () => {
    stage.load.set('plain', 240);
    await stage.replicasBecome('plain', 5);
    expect((await stage.status('plain')).mode).toBe('Reactive');
  }, 60_000);
});

describe('the operator’s own addresses', () => {
  test('/metrics is open to those whom RBAC allows, and to nobody else', async () => {
    const { tokens } = stage.cluster;
    expect((await fetch(`${operator.url}/metrics`)).status).toBe(401);
    expect((await stage.get(operator, '/metrics', 'made-up')).status).toBe(401);
    expect((await stage.get(operator, '/metrics', tokens['nobody'])).status).toBe(403);
    const response = await stage.get(operator, '/metrics');
    expect(response.status).toBe(200);
    expect(await response.text()).toMatch(/^foresail_scaler_current_replicas\{.*name="web".*\} 3$/m);
  });

  test('so is the explanation of a scaler', async () => {
    const path = `/explain/v1/namespaces/${SHOP}/predictivescalers/web`;
    expect((await fetch(`${operator.url}${path}`)).status).toBe(401);
    expect((await stage.get(operator, path, stage.cluster.tokens['nobody'])).status).toBe(403);
    expect((await stage.get(operator, path)).status).toBe(200);
    const unknown = `/explain/v1/namespaces/${SHOP}/predictivescalers/nothing`;
    expect((await stage.get(operator, unknown)).status).toBe(404);
  });

  test('the probes need no token', async () => {
    expect((await fetch(`${operator.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${operator.url}/readyz`)).status).toBe(200);
  });
});

test('I delete the scaler: the replicas stay, nothing of it is left, nothing is written any more', async () => {
  await stage.delete(scalerPath('web'));
  const text = async () => await (await stage.get(operator, '/metrics')).text();
  await eventually('its series are gone', async () => !(await text()).includes('name="web"'));
  const audit = await stage.audit();
  stage.load.set('web', 450);
  // Another scaler's looks are the clock.
  await stage.looks(operator, 'plain', 5);
  expect(targetWrites(await audit.read(), 'web')).toEqual([]);
  expect(await stage.replicas('web')).toBe(3);
  const path = `/explain/v1/namespaces/${SHOP}/predictivescalers/web`;
  expect((await stage.get(operator, path)).status).toBe(404);
  expect(await text()).not.toContain('name="web"');
}, 60_000);

test('all that time it wrote no spec: what a GitOps tool applied stays as it was', async () => {
  const writes = (await whole.read()).filter(
    (entry) => isWrite(entry) && entry.objectRef?.resource === 'predictivescalers',
  );
  expect(writes.length).toBeGreaterThan(5);
  expect(writes.filter(({ objectRef }) => objectRef?.subresource !== 'status')).toEqual([]);
  expect(operator.logs().filter(({ level }) => level === 'error')).toEqual([]);
});

test('it ends cleanly and frees its lease', async () => {
  expect(await operator.stop()).toBe(0);
  const path = '/apis/coordination.k8s.io/v1/namespaces/foresail-system/leases/foresail-operator';
  const { spec } = await request<{ spec: { holderIdentity?: string } }>(stage.cluster, 'GET', path);
  expect(spec.holderIdentity ?? '').toBe('');
}, 60_000);
