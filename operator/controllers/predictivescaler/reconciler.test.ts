import { describe, expect, test } from '@jest/globals';
import type { DecisionMemory, ForecastInput, LoadWindow } from '../../decision/types.ts';
import { ForesailError } from '../../errors.ts';
import { known } from '../../observation.ts';
import type { Pod } from './pods.ts';
import type { Look } from './ports.ts';
import type { StoredVerdict } from './stored-verdict.ts';
import { KEY, NO_FORECAST, queue, readyPod, Stage, type StageOptions } from './testing/stage.ts';

/** A scaler on a Deployment of two, each replica with all that it should carry. */
function stage(spec: object = {}, options: StageOptions = {}): Stage {
  const staged = new Stage(options);
  staged.addScaler(spec);
  staged.addDeployment(2);
  staged.load = () => 200;
  return staged;
}

function looking(staged: Stage, ...loads: readonly (number | undefined)[]): Look {
  const originMs = Math.floor(staged.clock.now() / 60_000) * 60_000;
  const input: ForecastInput = {
    paths: loads.map((load) =>
      load === undefined
        ? undefined
        : { originMs, stepMs: 60_000, loadMilli: new Float64Array(30).fill(load * 1000) },
    ),
    model: { name: 'loadcast', version: '1', digest: 'sha256:0' },
    coverage: 0.99,
  };
  return { ...NO_FORECAST, forecast: known(input, originMs) };
}

const terminal = (code: string) => new ForesailError(code, 'terminal', 'refused');
const conflict = () => new ForesailError('KUBE_CONFLICT', 'conflict', 'the object has been modified');

describe('the main job', () => {
  test('a load above the target is answered with one write, an event and a status', async () => {
    const staged = stage();
    staged.load = () => 390;
    await expect(staged.once()).resolves.toEqual({ requeueAfterMs: 15_000 });
    expect(staged.replicas()).toBe(4);
    expect(staged.writes.map(({ what }) => what)).toEqual(['scale', 'status']);
    expect(staged.events).toMatchObject([{ type: 'Normal', reason: 'SuccessfulRescale' }]);
    expect(staged.status()).toMatchObject({
      target: 'Deployment/web',
      mode: 'Active',
      currentReplicas: 2,
      desiredReplicas: 4,
      observedGeneration: 1,
      lastDecision: { boundBy: 'Reactive', result: 4 },
    });
    expect(staged.condition('Ready')).toBe('True/Scaling');
    expect(staged.condition('AbleToScale')).toBe('True/SucceededRescale');
  });

  test('the forecast asks for more than the load of now', async () => {
    const staged = stage();
    staged.look = async () => looking(staged, 700);
    await staged.once();
    expect(staged.writes[0]).toEqual({ what: 'scale', name: 'web', replicas: 4 });
    staged.addDeployment(4);
    await staged.clock.advance(15_000);
    await staged.once();
    expect(staged.replicas()).toBe(7);
    expect(staged.status()?.lastDecision?.boundBy).toBe('Forecast');
  });

  test.each([
    [{}, 60],
    [{ forecast: { step: '5m' } }, 300],
  ])('with %j the window reaches past lead time, delay and the next look by a step', async (spec, step) => {
    const staged = stage(spec);
    let window: LoadWindow | undefined;
    staged.look = async (request) => {
      window = request.window;
      return NO_FORECAST;
    };
    await staged.once();
    const fromMs = staged.clock.now();
    const readyMs = fromMs + (step + 30 + 60) * 1000;
    expect(window).toEqual({ fromMs, readyMs, toMs: readyMs + 15_000 });
  });

  test('steady state: not one write in ten minutes, whatever the samples do below the tolerance', async () => {
    const staged = stage();
    await staged.looks(2);
    staged.writes.length = 0;
    staged.load = () => 195 + 10 * Math.sin(staged.clock.now());
    await staged.looks(40);
    expect(staged.writes).toEqual([]);
  });
});

describe('never down on unknown', () => {
  test.each(['Reactive', 'Shadow', 'Active', 'Auto'])('mode %s holds through an outage', async (mode) => {
    const staged = stage({ mode });
    staged.addDeployment(10);
    staged.load = () => undefined;
    await staged.looks(60);
    expect(staged.replicas()).toBe(10);
    expect(staged.condition('ScalingActive')).toBe('False/FailedGetExternalMetric');
    expect(staged.condition('MetricsDegraded')).toBe('True/Timeout');
  });

  test('a restart keeps the present replicas for one stabilisation window', async () => {
    const staged = stage();
    staged.addDeployment(10);
    await staged.looks(19);
    expect(staged.replicas()).toBe(10);
    await staged.looks(3);
    expect(staged.replicas()).toBe(2);
  });

  test('so does a failover onto a checkpoint that knows nothing of them', async () => {
    const { Learned } = await import('./learned.ts');
    const old: DecisionMemory = {
      recommendations: [],
      scaleUps: [],
      scaleDowns: [],
      outliers: {},
      unknownSinceMs: null,
    };
    const staged = stage({}, { restored: { learned: new Learned(), decision: old } });
    staged.addDeployment(10);
    await staged.looks(19);
    expect(staged.replicas()).toBe(10);
  });

  test('a target whose pods cannot be selected reads no metrics and stays as it is', async () => {
    const staged = stage();
    staged.deployments.set({
      metadata: { name: 'web', namespace: 'shop', resourceVersion: '9' },
      spec: { replicas: 7 },
      status: { replicas: 7 },
    });
    staged.load = () => 1;
    await staged.looks(30);
    expect(staged.replicas()).toBe(7);
    expect(staged.reads).toEqual([]);
    expect(staged.condition('ScalingActive')).toBe('False/InvalidSelector');
  });
});

describe('a jump of the wall clock', () => {
  const HOUR = 3_600_000;

  test.each([HOUR, -HOUR])(
    'of %i ms: the stabilisation window goes on and ends when it would have',
    async (ms) => {
      const staged = stage();
      staged.addDeployment(10);
      await staged.looks(10);
      staged.clock.jumpWallClock(ms);
      await staged.looks(9);
      expect(staged.replicas()).toBe(10);
      await staged.looks(3);
      expect(staged.replicas()).toBe(2);
    },
  );

  test('frees no pods that the rate limit holds back', async () => {
    const scaleUp = { policies: [{ type: 'Pods', value: 2, periodSeconds: 600 }] };
    const staged = stage({ behavior: { scaleUp } });
    staged.load = () => 2_000;
    await staged.once();
    expect(staged.replicas()).toBe(4);
    staged.clock.jumpWallClock(HOUR);
    await staged.looks(10);
    expect(staged.replicas()).toBe(4);
  });

  test('brings no fallback before its time', async () => {
    const staged = stage({ fallback: { replicas: 4, after: '10m' } });
    await staged.looks(2);
    staged.load = () => undefined;
    await staged.looks(4);
    staged.clock.jumpWallClock(HOUR);
    await staged.looks(34);
    expect(staged.replicas()).toBe(2);
    await staged.looks(4);
    expect(staged.replicas()).toBe(4);
  });

  test('put forward while the operator was down: the present replicas stay for a window', async () => {
    const atMs = Date.UTC(2026, 0, 2, 12);
    const { Learned } = await import('./learned.ts');
    const old: DecisionMemory = {
      recommendations: [{ replicas: 10, atMs }],
      scaleUps: [],
      scaleDowns: [],
      outliers: {},
      unknownSinceMs: null,
    };
    const staged = stage({}, { restored: { learned: new Learned(), decision: old } });
    staged.addDeployment(10);
    staged.clock.jumpWallClock(HOUR);
    await staged.looks(19);
    expect(staged.replicas()).toBe(10);
    await staged.looks(3);
    expect(staged.replicas()).toBe(2);
  });
});

describe('the last forecast', () => {
  test('carries an outage inside its horizon', async () => {
    const staged = stage();
    staged.look = async () => looking(staged, 350);
    await staged.once();
    staged.addDeployment(3);
    staged.look = async () => NO_FORECAST;
    staged.load = () => undefined;
    await staged.clock.advance(15_000);
    await staged.once();
    expect(staged.replicas()).toBe(4);
    expect(staged.status()?.lastDecision?.boundBy).toBe('LastForecast');
  });

  test('of other metrics does not act: its paths follow the old list', async () => {
    const staged = stage({ metrics: [queue('orders'), queue('bytes', '100000')] });
    staged.load = ({ metric }) =>
      metric.type === 'External' && metric.external.metric.name === 'bytes' ? 2e5 : 200;
    staged.look = async () => looking(staged, 200, 200_000);
    await staged.once();
    // The other way round the forecast of bytes would be divided by the target of orders.
    staged.addScaler({ metrics: [queue('bytes', '100000'), queue('orders')] }, { generation: 2 });
    staged.look = async () => NO_FORECAST;
    staged.load = () => undefined;
    await staged.clock.advance(15_000);
    await staged.once();
    expect(staged.replicas()).toBe(2);
  });
});

describe('mode Auto', () => {
  const verdictOf = (recommendation: 'Active' | 'Shadow'): StoredVerdict => {
    const side = { underProvisionedMinutes: 10, replicaHours: 100, tauU: 1 };
    const numbers = { tunedHpaReplicaHours: null, coverage: { asked: 0.99, realised: 0.99 }, skill: 0.3 };
    return {
      of: 'this load',
      state: { recommendation, sinceMs: 0, reason: 'BetterThanHpa', good: 2, weak: 0, losses: 0 },
      message: 'as the replay says',
      replay: { fromMs: 0, toMs: 1, ours: side, hpa: side, ...numbers },
    };
  };

  test('acts on the forecast while the verdict is good, and tells each change once', async () => {
    const staged = stage({ mode: 'Auto' });
    staged.look = async () => looking(staged, 390);
    await staged.looks(2);
    expect(staged.replicas()).toBe(2);
    expect(staged.condition('ForecastProven')).toBe('Unknown/LowConfidence');
    expect(staged.status()?.verdict).toEqual({ recommendation: 'Undecided', reason: 'LowConfidence' });
    staged.verdict = () => verdictOf('Active');
    await staged.looks(3);
    expect(staged.replicas()).toBe(4);
    expect(staged.status()).toMatchObject({ mode: 'Active', verdict: { recommendation: 'Active' } });
    staged.verdict = () => verdictOf('Shadow');
    await staged.looks(3);
    expect(staged.status()).toMatchObject({ mode: 'Shadow', verdict: { recommendation: 'Shadow' } });
    expect(staged.events.map(({ type, reason }) => `${type} ${reason}`)).toEqual([
      'Normal SuccessfulRescale',
      'Normal ForecastProven',
      'Warning ForecastNotProven',
    ]);
  });

  test('mode Reactive looks at no forecast and has no verdict', async () => {
    const staged = stage({ mode: 'Reactive' });
    staged.verdict = () => verdictOf('Active');
    await staged.once();
    expect(staged.status()?.verdict).toBeUndefined();
    expect(staged.condition('ForecastProven')).toBe('undefined/undefined');
  });
});

describe('writes that fail', () => {
  test('a conflict comes back at once and ends right', async () => {
    const staged = stage();
    staged.load = () => 390;
    staged.fault = { what: 'scale', error: conflict() };
    await expect(staged.once()).rejects.toMatchObject({ retry: 'conflict' });
    expect(staged.replicas()).toBe(2);
    await staged.once();
    expect(staged.replicas()).toBe(4);
  });

  test('a refused write is told and tried again at the next look, not faster', async () => {
    const staged = stage();
    staged.load = () => 390;
    staged.fault = { what: 'scale', error: new ForesailError('KUBE_FORBIDDEN', 'transient', 'no right') };
    await expect(staged.once()).resolves.toEqual({ requeueAfterMs: 15_000 });
    expect(staged.condition('AbleToScale')).toBe('False/FailedUpdateScale');
    expect(staged.condition('Ready')).toBe('False/KubeForbidden');
    expect(staged.events.map(({ reason }) => reason)).toEqual(['FailedRescale', 'KubeForbidden']);
    await staged.once();
    expect(staged.replicas()).toBe(4);
  });

  test('a status that the API server refuses for good does not end the scaler', async () => {
    const staged = stage();
    staged.fault = { what: 'status', error: terminal('KUBE_INVALID') };
    await expect(staged.once()).resolves.toEqual({ requeueAfterMs: 15_000 });
    staged.load = () => 390;
    await staged.once();
    expect(staged.replicas()).toBe(4);
  });

  test('the informer lags behind our own write: it is not taken for somebody else', async () => {
    const staged = stage();
    staged.load = () => 390;
    const stale = staged.deployments.get(KEY);
    await staged.once();
    const fresh = staged.deployments.get(KEY);
    if (stale === undefined || fresh === undefined) throw new Error('no Deployment');
    staged.deployments.set(stale);
    await staged.once();
    expect(staged.writesOf('scale')).toHaveLength(1);
    expect(staged.condition('ConflictingScaler')).toBe('False/NoConflict');
  });
});

describe('who may not be scaled', () => {
  test('a target with an HPA is left to it', async () => {
    const staged = stage();
    staged.load = () => 900;
    staged.hpas.set({
      metadata: { name: 'web', namespace: 'shop' },
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } },
    });
    await staged.looks(3);
    expect(staged.replicas()).toBe(2);
    expect(staged.condition('ConflictingScaler')).toBe('True/HorizontalPodAutoscaler');
    expect(staged.condition('Ready')).toBe('False/ConflictingScaler');
    expect(staged.explanations.of(KEY)?.live).toMatchObject({ notWritten: expect.stringContaining('web') });
    expect(staged.events.map(({ reason }) => reason)).toEqual(['ConflictingScaler']);
  });

  test('mode Recommend runs beside an HPA: it writes nothing and is ready', async () => {
    const staged = stage({ mode: 'Recommend' });
    staged.load = () => 390;
    staged.hpas.set({
      metadata: { name: 'web', namespace: 'shop' },
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } },
    });
    await staged.looks(3);
    expect(staged.writesOf('scale')).toEqual([]);
    expect(staged.status()?.desiredReplicas).toBe(4);
    expect(staged.condition('Ready')).toBe('True/Scaling');
  });

  test('an elder that only recommends does not keep the younger from writing', async () => {
    const staged = stage({}, {});
    staged.addScaler(
      { mode: 'Recommend' },
      { name: 'elder', uid: 'u0', creationTimestamp: '2025-01-01T00:00:00Z' },
    );
    staged.load = () => 390;
    await staged.once();
    expect(staged.replicas()).toBe(4);
  });

  test('somebody who keeps changing the number wins after three times, for a rest', async () => {
    const staged = stage();
    staged.load = () => 390;
    for (let i = 0; i < 6; i++) {
      staged.addDeployment(2);
      // oxlint-disable-next-line no-await-in-loop
      await staged.looks(1);
    }
    expect(staged.writesOf('scale')).toHaveLength(3);
    expect(staged.condition('ConflictingScaler')).toBe('True/SecondWriter');
  });

  test.each([
    ['a protected namespace', 'kube-system', 'ProtectedNamespace'],
    ['the operator itself', 'ops', 'TargetIsOperator'],
  ])('%s', async (_what, namespace, reason) => {
    const staged = new Stage({ ownPod: 'ops/web-0' });
    staged.addScaler({}, { namespace });
    staged.addDeployment(2, 'web', namespace);
    staged.load = () => 900;
    await staged.once(`${namespace}/web`);
    expect(staged.writesOf('scale')).toEqual([]);
    expect(staged.condition('Ready', `${namespace}/web`)).toBe(`False/${reason}`);
  });

  test('a target that is not there, then is', async () => {
    const staged = new Stage();
    staged.addScaler();
    await staged.looks(3);
    expect(staged.condition('AbleToScale')).toBe('False/FailedGetScale');
    expect(staged.condition('Ready')).toBe('False/TargetNotFound');
    expect(staged.events.map(({ reason }) => reason)).toEqual(['FailedGetScale']);
    staged.addDeployment(1);
    staged.load = () => 200;
    await staged.once();
    expect(staged.replicas()).toBe(2);
    expect(staged.condition('Ready')).toBe('True/Scaling');
  });
});

describe('pods that two scalers select', () => {
  /** Two Deployments; the selector of the second takes in the pods of the first. */
  function overlapping(): Stage {
    const staged = stage();
    staged.addDeployment(10);
    staged.load = () => 100;
    staged.deployments.set({
      metadata: { name: 'all', namespace: 'shop', resourceVersion: '1' },
      spec: { replicas: 1, selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] } },
      status: { replicas: 1 },
    });
    const all = { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'all' } };
    staged.addScaler(all, { name: 'all', uid: 'u2' });
    return staged;
  }

  test('stop both, with HPA’s condition and without a read, until one is gone', async () => {
    const staged = overlapping();
    await staged.once('shop/all');
    const reads = staged.reads.length;
    await staged.looks(25);
    await staged.once('shop/all');
    expect(staged.reads).toHaveLength(reads);
    expect(staged.replicas()).toBe(10);
    for (const key of [KEY, 'shop/all'])
      expect(staged.condition('ScalingActive', key)).toBe('False/AmbiguousSelector');
    staged.scalers.delete('shop/all');
    await staged.once('shop/all');
    await staged.looks(25);
    expect(staged.condition('ScalingActive')).toBe('True/ValidMetricFound');
    expect(staged.replicas()).toBe(1);
  });

  test('one that only recommends stops nobody', async () => {
    const staged = overlapping();
    staged.addScaler(
      { ...staged.scalers.get('shop/all')?.spec, mode: 'Recommend' },
      { name: 'all', uid: 'u2', generation: 2 },
    );
    await staged.once('shop/all');
    await staged.once();
    expect(staged.condition('ScalingActive')).toBe('True/ValidMetricFound');
  });
});

describe('an object that cannot be understood', () => {
  test('says so, is not tried again, and its neighbour goes on', async () => {
    const staged = stage();
    const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'odd' };
    staged.addScaler({ scaleTargetRef, maxReplicas: 'many' }, { name: 'odd', uid: 'u2' });
    staged.load = () => 390;
    await expect(staged.once('shop/odd')).resolves.toEqual({});
    await staged.once();
    expect(staged.condition('Ready', 'shop/odd')).toBe('False/InvalidSpec');
    expect(staged.status('shop/odd')?.conditions?.[0]?.message).toContain('maxReplicas');
    expect(staged.replicas()).toBe(4);
  });
});

describe('the fleet', () => {
  test('scalers that decide together share the budget of creations', async () => {
    const staged = new Stage({ creationsPerMinute: 3 });
    for (const name of ['a', 'b', 'c']) {
      const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name };
      staged.addScaler({ scaleTargetRef }, { name, uid: name });
      staged.addDeployment(2, name);
    }
    staged.load = () => 400;
    const gate = Promise.withResolvers<void>();
    staged.scaleGate = gate.promise;
    const all = ['a', 'b', 'c'].map((name) => staged.once(`shop/${name}`));
    await staged.clock.advance(0);
    gate.resolve();
    await Promise.all(all);
    const created = ['a', 'b', 'c'].reduce((sum, name) => sum + (staged.replicas(name) ?? 0) - 2, 0);
    expect(created).toBe(3);
  });

  test('a write that failed gives its creations back', async () => {
    const staged = stage({}, { creationsPerMinute: 2 });
    staged.load = () => 390;
    staged.fault = { what: 'scale', error: conflict() };
    await expect(staged.once()).rejects.toThrow();
    await staged.once();
    expect(staged.replicas()).toBe(4);
  });

  test('the pause says in whose words it is one, and ends by itself when it is lifted', async () => {
    const staged = stage();
    staged.load = () => 390;
    staged.pause = { paused: true, reason: 'moving the cluster' };
    await staged.looks(2);
    expect(staged.replicas()).toBe(2);
    expect(staged.condition('AbleToScale')).toBe('False/GloballyPaused');
    expect(staged.status()?.conditions?.find(({ type }) => type === 'Ready')?.message).toContain('moving');
    staged.pause = { paused: false, reason: '' };
    await staged.once();
    expect(staged.replicas()).toBe(4);
  });

  test('a target that is gone has no vote on the freeze', async () => {
    const freeze = { share: 0.5, thawShare: 0.5, minTargets: 1 };
    const staged = stage({}, { freeze });
    staged.addDeployment(2, 'web', 'shop', 0);
    await staged.once();
    expect(staged.fleet.frozen).toBe(true);
    staged.deployments.delete(KEY);
    await staged.once();
    expect(staged.fleet.frozen).toBe(false);
  });
});

test('scalers that are first seen together are looked at spread over the period from then on', async () => {
  const staged = stage();
  const perSecond = Array.from({ length: 15 }, () => 0);
  for (let i = 0; i < 300; i++) {
    const name = `web-${i}`;
    const uid = `${Math.floor(((i + 0.5) * 2 ** 32) / 300)
      .toString(16)
      .padStart(8, '0')}-0000-4000-8000-000000000000`;
    staged.addDeployment(1, name);
    staged.addScaler({ scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name } }, { name, uid });
    // oxlint-disable-next-line no-await-in-loop -- one after the other, as a single worker would
    const { requeueAfterMs = 0 } = await staged.once(`shop/${name}`);
    const second = Math.ceil(requeueAfterMs / 1000) - 1;
    perSecond[second] = (perSecond[second] ?? 0) + 1;
    // oxlint-disable-next-line no-await-in-loop
    expect(await staged.once(`shop/${name}`)).toEqual({ requeueAfterMs: 15_000 });
  }
  expect(perSecond).toEqual(perSecond.map(() => 20));
});

describe('scalers come and go', () => {
  const scalerSeries = async (staged: Stage) =>
    (await staged.metrics.registry.metrics()).split('\n').filter((line) => line.includes('name="web"'))
      .length;

  test('nothing of a deleted one is kept', async () => {
    const staged = stage();
    await staged.once();
    expect(await scalerSeries(staged)).toBeGreaterThan(0);
    staged.scalers.delete(KEY);
    await expect(staged.once()).resolves.toEqual({});
    expect(staged.forgotten).toEqual(['outlook u1', 'checkpoint u1']);
    expect(staged.memories.find(KEY)).toBeUndefined();
    expect(staged.explanations.of(KEY)).toBeUndefined();
    expect(await scalerSeries(staged)).toBe(0);
  });

  test('deleted and created again before we looked: the old one is forgotten, the new one starts afresh', async () => {
    const staged = stage();
    staged.load = () => 390;
    await staged.once();
    staged.addScaler({}, { uid: 'u2' });
    await staged.once();
    expect(staged.forgotten).toEqual(['outlook u1', 'checkpoint u1']);
    expect(staged.memories.find(KEY)).toMatchObject({ uid: 'u2', scaledAtMs: undefined });
  });

  test('sent to another target: what was written to the old one is not believed of the new', async () => {
    const staged = stage();
    staged.addDeployment(3, 'api');
    staged.addDeployment(2);
    staged.load = () => 390;
    await staged.once();
    const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'api' };
    staged.addScaler({ scaleTargetRef }, { generation: 2 });
    staged.load = () => 500;
    await staged.once();
    expect(staged.replicas('api')).toBe(5);
    expect(staged.forgotten).toEqual(['outlook u1']);
  });

  test('numbers of a scaler without a decision are not shown', async () => {
    const staged = stage();
    await staged.once();
    staged.deployments.delete(KEY);
    await staged.once();
    expect(await scalerSeries(staged)).toBe(0);
  });
});

test('pods of the target alone are counted', async () => {
  const staged = stage();
  const stranger: Pod = { ...readyPod('shop', 'other', 0, false) };
  staged.pods.set(stranger);
  await staged.once();
  expect(staged.explanations.of(KEY)?.decisions[0]?.explanation.inputs.pods).toEqual({ total: 2, ready: 2 });
});
