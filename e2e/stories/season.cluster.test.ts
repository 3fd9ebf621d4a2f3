/**
 * The second rung of an outage: the operator starts anew while its Prometheus is dead, so there is no forecast that
 * could still hold. What is left is what this time of day has usually brought.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from '../eventually.ts';
import { PER_REPLICA, type Stage, setStage } from './stage.ts';

const MINUTE = 60_000;
const DAY_MINUTES = 1_440;

/** Four days: for three hours around this time of day there is load, but today it has not come yet. */
function usuallyBusyNow(): number[] {
  const now = Date.now();
  return Array.from({ length: 4 * DAY_MINUTES }, (_, i) => {
    const ago = 4 * DAY_MINUTES - i;
    const fromNow = ((ago + DAY_MINUTES / 2) % DAY_MINUTES) - DAY_MINUTES / 2;
    const today = now - ago * MINUTE > now - (DAY_MINUTES / 2) * MINUTE;
    return Math.abs(fromNow) < 90 && !today ? 6 * PER_REPLICA - 10 : 40;
  });
}

let stage: Stage;
beforeAll(async () => {
  stage = await setStage({ history: { web: usuallyBusyNow() } });
}, 600_000);
afterAll(() => stage?.close());

test('restarted inside an outage, the season raises, nothing lowers, and the status says who did it', async () => {
  const config = { history: { directory: join(stage.folder, 'kept') } };
  stage.load.set('web', 40);
  await stage.deploy('web', { replicas: 2 });
  const record = stage.record('web');
  const before = await stage.operator(config);
  // Steps of ten seconds: what was seen is then too old to forecast from after half a minute.
  await stage.scale('web', { minReplicas: 1, mode: 'Shadow', forecast: { step: '10s', history: '96h' } });
  await stage.conditionBecomes('web', 'ForecastReady', { status: 'True' }, 60_000);
  await stage.replicasBecome('web', 1);
  await before.stop();
  await stage.cluster.process('prometheus').kill();
  await sleep(45_000);

  await stage.operator(config);
  await stage.conditionBecomes('web', 'ScalingActive', { status: 'False' });
  await stage.change('web', { mode: 'Active' });
  await stage.replicasBecome('web', 6, 60_000);
  // The scale is written first, the status at the end of the same round.
  const conditions = await eventually('the season decides', async () => {
    const status = await stage.status('web');
    return status.lastDecision?.boundBy === 'SeasonalProfile' && status.conditions;
  });
  expect(conditions.find(({ type }) => type === 'MetricsDegraded')?.message).toContain('seasonal profile');
  expect(record.seen).toEqual([2, 1, 4, 6]);
}, 240_000);
