/** The metric lies or is gone: replicas are kept, the user sees why and which rung holds, and all comes back by itself. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../eventually.ts';
import type { OperatorProcess } from '../operator.ts';
import type { ReplicaRecord } from './replica-record.ts';
import { SHOP, type Stage, setStage } from './stage.ts';

/** What three replicas carry with some room, as it mostly is. */
const LOAD = 140;
const REPLICAS = 3;

let stage: Stage;
let operator: OperatorProcess;
const records = new Map<string, ReplicaRecord>();

const startIt = () =>
  stage.operator({
    prometheusServers: [
      {
        name: 'default',
        url: stage.cluster.prometheusUrl,
        allowAddresses: ['loopback'],
        allowedNamespaces: [SHOP],
        maxSampleAge: '8s',
        timeout: '2s',
      },
    ],
    // So many samples in a row make a jump a fact; the stories' jumps last less or more, whatever the machine's load.
    guards: { outlier: { confirmSamples: 8 } },
  });

/** Steady at three replicas, and recorded from then on. */
async function steady(name: string, spec: object = {}): Promise<void> {
  stage.load.set(name, LOAD);
  await stage.deploy(name, { replicas: REPLICAS });
  records.set(name, stage.record(name));
  await stage.scale(name, spec);
  await stage.conditionBecomes(name, 'Ready', { status: 'True' });
}

const rung = async (name: string) => (await stage.explain(operator, name)).decisions[0]?.rung;
const seen = (name: string) => records.get(name)?.seen;

beforeAll(async () => {
  const past = Array.from({ length: 300 }, () => LOAD);
  stage = await setStage({ history: { lasting: past } });
  operator = await startIt();
  await Promise.all([
    steady('raised', { fallback: { replicas: 6, after: '1m' } }),
    steady('kept', { fallback: { replicas: 2, after: '1m' } }),
  ]);
  // The minute passes while other stories are told.
  for (const name of ['raised', 'kept']) stage.load.drop(name);
}, 600_000);

afterAll(() => stage?.close());

describe('the metric lies', () => {
  const lies: readonly [name: string, what: string, reason: string, lie: (app: string) => void][] = [
    ['empty', 'the series is gone', 'NoData', (app) => stage.load.drop(app)],
    ['nan', 'it is NaN', 'NotANumber', (app) => stage.load.set(app, Number.NaN)],
    ['endless', 'it is infinite', 'NotANumber', (app) => stage.load.set(app, Number.POSITIVE_INFINITY)],
    ['negative', 'it is negative', 'NotANumber', (app) => stage.load.set(app, -LOAD)],
    ['old', 'it is old', 'StaleMetrics', (app) => stage.load.freeze(app)],
    ['larger', 'its unit became a thousandth', 'OutOfRange', (app) => stage.load.set(app, LOAD * 1000)],
    ['smaller', 'its unit became a thousandfold', 'OutOfRange', (app) => stage.load.set(app, LOAD / 1000)],
    [
      'spike',
      'one sample is a hundred times as high',
      'OutOfRange',
      (app) => stage.load.set(app, LOAD * 100),
    ],
  ];

  beforeAll(async () => {
    stage.load.stamp('old');
    await Promise.all(lies.map(([name]) => steady(name)));
    for (const [name, , , lie] of lies) lie(name);
    // Short: the others last until they are taken back.
    await stage.conditionBecomes('spike', 'MetricsDegraded', { status: 'True', reason: 'OutOfRange' });
    stage.load.set('spike', LOAD);
  }, 60_000);

  test.each(lies.filter(([name]) => name !== 'spike'))(
    '%s: %s, and my replicas are kept',
    async (name, _what, reason) => {
      const condition = await stage.conditionBecomes(name, 'MetricsDegraded', { status: 'True', reason });
      expect(condition.message).toMatch(/the replicas are held$/);
      await stage.conditionBecomes(name, 'ScalingActive', { status: 'False' });
      await stage.conditionBecomes(name, 'Ready', { status: 'False' });
      await stage.looks(operator, name, 3);
      expect(seen(name)).toEqual([REPLICAS]);
    },
    60_000,
  );

  test('a spike of one sample is gone before it is believed', async () => {
    await stage.conditionBecomes('spike', 'MetricsDegraded', { status: 'False' });
    expect(seen('spike')).toEqual([REPLICAS]);
  }, 60_000);

  test('when it tells the truth again, it is followed again', async () => {
    for (const [name] of lies) stage.load.set(name, 190);
    await Promise.all(lies.map(([name]) => stage.replicasBecome(name, 4)));
    await Promise.all(
      lies.map(([name]) => stage.conditionBecomes(name, 'MetricsDegraded', { status: 'False' })),
    );
    for (const [name] of lies) expect(seen(name)).toEqual([REPLICAS, 4]);
  }, 60_000);

  test('a real leap of load is believed after some samples', async () => {
    stage.load.set('nan', 30_000);
    await stage.conditionBecomes('nan', 'MetricsDegraded', { status: 'True', reason: 'OutOfRange' });
    await stage.replicasBecome('nan', 10);
  }, 60_000);
});

describe('Prometheus is gone', () => {
  const names = ['held', 'lasting', 'raised', 'kept'];

  beforeAll(async () => {
    await Promise.all([steady('held'), steady('lasting', { mode: 'Active', forecast: { leadTime: '2m' } })]);
    await stage.conditionBecomes('lasting', 'ForecastReady', { status: 'True' });
    await stage.cluster.process('prometheus').kill();
  }, 60_000);

  const unreachable = (name: string) =>
    stage.conditionBecomes(name, 'MetricsDegraded', { status: 'True', reason: 'Unreachable' });

  test('the replicas are held, and the condition says why', async () => {
    expect((await unreachable('held')).message).toMatch(/the replicas are held$/);
    expect(await rung('held')).toBe('Hold');
  }, 60_000);

  test('the last forecast goes on speaking in Active mode', async () => {
    await unreachable('lasting');
    await eventually('its rung', async () =>
      ['Forecast', 'LastForecast'].includes((await rung('lasting')) ?? ''),
    );
    await stage.looks(operator, 'lasting', 3);
    expect(seen('lasting')?.every((replicas) => replicas >= REPLICAS)).toBe(true);
  }, 60_000);

  test('a metric is unknown for long: my fallback raises after its time, and never lowers', async () => {
    await stage.replicasBecome('raised', 6, 90_000);
    expect(await rung('raised')).toBe('Fallback');
    await eventually('the fallback is in force', async () => (await rung('kept')) === 'Fallback');
    await stage.looks(operator, 'kept', 2);
    expect(seen('raised')).toEqual([REPLICAS, 6]);
    expect(seen('kept')).toEqual([REPLICAS]);
  }, 120_000);

  test('the operator dies in the outage, and the next one keeps what it finds', async () => {
    const before = await Promise.all(names.map((name) => stage.replicas(name)));
    operator.signal('SIGKILL');
    await operator.exited;
    operator = await startIt();
    // It leads when the dead one's lease has run out.
    await Promise.all(names.map((name) => stage.looks(operator, name, 6)));
    expect(await Promise.all(names.map((name) => stage.replicas(name)))).toEqual(before);
    for (const name of names) await unreachable(name);
  }, 120_000);

  test('Prometheus comes back, and the load is followed again', async () => {
    for (const name of names) stage.load.set(name, 190);
    const kept = await stage.replicas('raised');
    await stage.cluster.process('prometheus').start();
    for (const name of ['held', 'raised', 'kept']) {
      await stage.conditionBecomes(name, 'MetricsDegraded', { status: 'False' });
      await stage.replicasBecome(name, 4);
    }
    // Up before down, and down only when the metric was known again.
    expect(seen('held')).toEqual([REPLICAS, 4]);
    expect(seen('kept')).toEqual([REPLICAS, 4]);
    expect(seen('raised')).toEqual([REPLICAS, kept, 4]);
    await stage.conditionBecomes('lasting', 'MetricsDegraded', { status: 'False' });
    await eventually('the forecast’s one too', async () => (await stage.replicas('lasting')) >= 4);
  }, 120_000);
});
