import { describe, expect, test } from '@jest/globals';
import { type PredictiveScaler, parsePredictiveScaler } from '../../api/index.ts';
import { realCalendar, systemClock } from '../../clock.ts';
import { decisionSpec } from '../../decision/from-spec.ts';
import { HPA_DEFAULTS } from '../../decision/reactive/tuning.ts';
import { ForesailError } from '../../errors.ts';
import { persistence } from '../../forecast/persistence.ts';
import type { ForecastWindow } from '../../forecast/types.ts';
import { MemoryHistory } from '../../history/memory-store.ts';
import { linkOf } from '../../inference/chain.ts';
import { ChainedForecastService } from '../../inference/service.ts';
import type { OnnxModel } from '../../inference/types.ts';
import { silentLogger } from '../../logger.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { NO_FORECAST_JUDGE } from '../served-models/forecast-judge.ts';
import { type NamedModel, NO_SERVED_MODELS, type ServedModels } from '../served-models/served-models.ts';
import { createBackfill } from './backfill.ts';
import { Learned } from './learned.ts';
import { createOutlook } from './outlook.ts';
import type { Look } from './ports.ts';
import { createSteps } from './steps.ts';
import { queue } from './testing/stage.ts';

const MINUTE = 60_000;
const signal = new AbortController().signal;

/** The model is the fault: it is missing, so that the simple forecasters serve. */
const missingModel: OnnxModel = {
  id: 'loadcast',
  state: { phase: 'quarantined', reason: 'Missing', message: 'no file' },
  forecast: () => Promise.reject(new ForesailError('MODEL_MISSING', 'terminal', 'no file')),
  close: () => Promise.resolve(),
};

/** A version that repeats the newest load, until it fails: the fault that is injected. */
function ownModel(id: string) {
  const own = {
    fails: false,
    named: {} as NamedModel,
  };
  const link = {
    id,
    async forecast(window: ForecastWindow, until: AbortSignal) {
      if (own.fails) throw new Error('connection refused');
      return await linkOf(persistence).forecast(window, until);
    },
  };
  const forecaster = { ...persistence, id };
  const acting = { version: 1, digest: 'sha256:aa', link, forecaster, failure: undefined };
  own.named = { kind: 'served', uid: 'm1', acting, compared: undefined };
  return own;
}

interface SetUp {
  maxSeries?: number;
  model?: OnnxModel;
  models?: Pick<ServedModels, 'named'>;
}

function setUp({ model = missingModel, models = NO_SERVED_MODELS, ...options }: SetUp = {}) {
  const clock = new FakeClock(Date.UTC(2026, 0, 2, 12));
  const history = new MemoryHistory({ now: () => clock.now(), ...options });
  const service = new ChainedForecastService(model, [persistence], { clock: systemClock });
  const sources = {
    canBackfill: () => false,
    cadence: () => Promise.reject(new Error('never asked')),
  };
  const log = silentLogger;
  const steps = createSteps({ sources, clock, calendar: realCalendar, log, defaultStepMs: MINUTE, signal });
  const backfill = createBackfill({
    sources: { canBackfill: () => false, backfill: () => Promise.reject(new Error('never asked')) },
    history,
    service,
    clock,
    calendar: realCalendar,
    log: silentLogger,
    signal,
  });
  const outlook = createOutlook({
    history,
    service,
    backfill,
    steps,
    clock,
    model: model.id,
    models,
    judge: NO_FORECAST_JUDGE,
  });
  const learned = new Learned();
  const look = (
    scaler: PredictiveScaler,
    loads: readonly (number | undefined)[],
    until = signal,
    sampledAtMs = [clock.now()],
  ) => {
    const nowMs = clock.now();
    const { metrics } = decisionSpec(scaler.spec, HPA_DEFAULTS);
    const window = { fromMs: nowMs, toMs: nowMs + 2 * MINUTE };
    const request = { uid: 'u1', learned, scaler, metrics: scaler.spec.metrics ?? [], plans: metrics };
    const own = { podSelector: '', carries: [{ capacity: 70, reactiveTarget: 50 }], holdMs: 5 * MINUTE };
    return outlook.look({ ...request, ...own, loads, sampledAtMs, nowMs, window }, until);
  };
  /** A load per minute; the answer of the last look. */
  const live = async (scaler: PredictiveScaler, loads: readonly (number | undefined)[]) => {
    let last: Look | undefined;
    for (const load of loads) {
      // oxlint-disable-next-line no-await-in-loop -- one minute after the other
      last = await look(scaler, [load]);
      // oxlint-disable-next-line no-await-in-loop
      await clock.advance(MINUTE);
    }
    if (last === undefined) throw new Error('no look');
    return last;
  };
  return { clock, history, outlook, learned, look, live };
}

function scaler(spec: object = {}): PredictiveScaler {
  return parsePredictiveScaler({
    apiVersion: 'foresail.io/v1alpha1',
    kind: 'PredictiveScaler',
    metadata: { name: 'web', namespace: 'shop', uid: 'u1', generation: 1 },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      maxReplicas: 20,
      metrics: [queue()],
      ...spec,
    },
  });
}

const hour = (value: (i: number) => number | undefined, minutes = 60) =>
  Array.from({ length: minutes }, (_, i) => value(i));

describe('a load that is seen', () => {
  test('first nothing is known, then a path that begins with the load of now', async () => {
    const { live } = setUp();
    const first = await live(scaler(), [100]);
    expect(first.forecast.kind).toBe('unknown');
    expect(first.condition).toMatchObject({ status: 'False', reason: 'NoHistory' });
    const later = await live(
      scaler(),
      hour((i) => 100 + (i % 3)),
    );
    if (later.forecast.kind !== 'value') throw new Error('no forecast');
    const path = later.forecast.value.paths[0];
    expect(path?.loadMilli[0]).toBe(102_000);
    expect(path?.originMs).toBe(later.forecast.at);
    // The whole horizon, for the outage that may come.
    expect(path?.loadMilli).toHaveLength(65);
    expect(later.report?.quantiles.map(({ level }) => level)).toEqual([0.5, 0.99]);
  });

  test.each(['loadcast', 'onnx:0123'])('who serves instead of the model %s is said', async (id) => {
    const { live } = setUp({ model: { ...missingModel, id } });
    const { condition, report } = await live(
      scaler(),
      hour(() => 100),
    );
    expect(condition).toMatchObject({ status: 'False', reason: 'ModelMissing' });
    expect(condition.message).toContain('persistence');
    expect(report?.forecaster).toBe('persistence');
  });

  test('a model of one’s own that is not served is told, and what forecasts without it acts', async () => {
    const { live } = setUp();
    const look = await live(
      scaler({ forecast: { model: { name: 'mine' } } }),
      hour(() => 100),
    );
    expect(look.condition).toMatchObject({ status: 'False', reason: 'ModelServingDisabled' });
    expect(look.condition.message).toContain('mine');
    expect(look.forecast.kind).toBe('value');
  });

  test('a model of one’s own acts; without its server another one does, and is said to', async () => {
    const own = ownModel('mine@1');
    const { live } = setUp({ models: { named: () => own.named } });
    const named = scaler({ forecast: { model: { name: 'mine' } } });
    const look = await live(
      named,
      hour(() => 100),
    );
    expect(look.report?.forecaster).toBe('mine@1');
    expect(look.condition).toMatchObject({ status: 'True' });
    own.fails = true;
    const without = await live(
      named,
      hour(() => 100),
    );
    expect(without.report?.forecaster).toBe('persistence');
    expect(without.condition).toMatchObject({ status: 'False', reason: 'ModelFailed' });
    expect(without.condition.message).toContain('persistence serves instead');
  });
});

test('the errors are watched for drift, and the forecast gives its reasons on request', async () => {
  const { live, outlook } = setUp();
  expect((await live(scaler(), [100])).drift).toMatchObject({
    condition: { status: 'Unknown', reason: 'TooEarly' },
  });
  expect(await outlook.reasons('u1', signal)).toBeUndefined();
  const { drift } = await live(
    scaler(),
    hour((i) => 100 + (i % 7)),
  );
  expect(drift).toMatchObject({ condition: { type: 'ForecastDrift', status: 'Unknown' }, signs: undefined });
  const [reason] = (await outlook.reasons('u1', signal)) ?? [];
  expect(reason).toMatchObject({ by: 'persistence', metric: 'External queue', level: 0.99, stepSeconds: 60 });
  expect(reason?.parts).toHaveLength(8);
  outlook.forget('u1');
  expect(await outlook.reasons('u1', signal)).toBeUndefined();
});

describe('an outage', () => {
  test('three steps are bridged, more are stale', async () => {
    const { live } = setUp();
    await live(
      scaler(),
      hour(() => 100),
    );
    expect(
      (
        await live(
          scaler(),
          hour(() => undefined, 3),
        )
      ).forecast.kind,
    ).toBe('value');
    const stale = await live(
      scaler(),
      hour(() => undefined, 3),
    );
    expect(stale.forecast.kind).toBe('unknown');
    expect(stale.condition.reason).toBe('StaleHistory');
    expect(stale.seasonalProfile).toBeUndefined();
  });

  test('the season steps in, also when the outage is longer than the model looks back', async () => {
    const { clock, history, look } = setUp();
    await look(scaler(), [50]);
    const [key = ''] = history.keys();
    const startMs = clock.now() - 4 * 24 * 60 * MINUTE;
    history.fill(key, { startMs, stepMs: MINUTE, values: new Float64Array(4 * 24 * 60).fill(80) });
    for (const minutes of [30, 700]) {
      // oxlint-disable-next-line no-await-in-loop
      await clock.advance(minutes * MINUTE);
      // oxlint-disable-next-line no-await-in-loop
      const { forecast, seasonalProfile } = await look(scaler(), [undefined]);
      expect(forecast.kind).toBe('unknown');
      expect(seasonalProfile?.paths[0]?.loadMilli[0]).toBe(80_000);
    }
  });
});

describe('what cannot be forecast', () => {
  test('a target of type Value stays reactive', async () => {
    const { look, history } = setUp();
    const external = { metric: { name: 'queue' }, target: { type: 'Value', value: '10' } };
    const { forecast, condition } = await look(scaler({ metrics: [{ type: 'External', external }] }), [5]);
    expect(forecast.kind).toBe('unknown');
    expect(condition.reason).toBe('NoForecastableMetric');
    expect(history.size).toBe(0);
  });

  test('a history that is full costs the forecast, not the look', async () => {
    const { look } = setUp({ maxSeries: 0 });
    const { forecast, condition } = await look(scaler(), [5]);
    expect(forecast.kind).toBe('unknown');
    expect(condition).toMatchObject({ status: 'False', reason: 'ForecastFailed' });
  });

  test('an abort is not a failed forecast', async () => {
    const { live, look } = setUp();
    await live(
      scaler(),
      hour(() => 100),
    );
    await expect(look(scaler(), [100], AbortSignal.abort(new Error('down')))).rejects.toThrow('down');
  });
});

test('a metric that is sampled every five minutes is forecast in steps of five minutes', async () => {
  const { clock, look } = setUp();
  let last: Look | undefined;
  for (let i = 0; i < 200; i++) {
    const sampledAtMs = Math.floor(clock.now() / (5 * MINUTE)) * 5 * MINUTE;
    // oxlint-disable-next-line no-await-in-loop -- one minute after the other
    last = await look(scaler(), [100 + (sampledAtMs % 7)], signal, [sampledAtMs]);
    // oxlint-disable-next-line no-await-in-loop
    await clock.advance(MINUTE);
  }
  expect(last?.report?.stepMs).toBe(5 * MINUTE);
  expect(last?.forecast).toMatchObject({ value: { paths: [{ stepMs: 5 * MINUTE }] } });
  const named = await look(scaler({ forecast: { step: '2m' } }), [100]);
  expect(named.report?.stepMs).toBe(2 * MINUTE);
});

describe('what is kept', () => {
  test('metrics that differ in the selector alone have a history each', async () => {
    const { look, history } = setUp();
    const named = (queueName: string) => {
      const metric = { name: 'depth', selector: { matchLabels: { queue: queueName } } };
      return { type: 'External', external: { metric, target: { type: 'AverageValue', averageValue: '10' } } };
    };
    await look(scaler({ metrics: [named('mail'), named('print')] }), [5, 7]);
    expect(history.size).toBe(2);
  });

  test('a metric that leaves the spec takes its history along; so does the scaler', async () => {
    const { look, history, outlook } = setUp();
    await look(scaler({ metrics: [queue('a'), queue('b')] }), [5, 7]);
    expect(history.size).toBe(2);
    await look(scaler({ metrics: [queue('b')] }), [7]);
    expect(history.size).toBe(1);
    outlook.forget('u1');
    expect(history.size).toBe(0);
  });
});
