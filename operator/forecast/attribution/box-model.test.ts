/** The model in the box on loads whose next minutes have one possible cause. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { systemClock } from '../../clock.ts';
import { openModel } from '../../inference/model.ts';
import type { OnnxModel } from '../../inference/types.ts';
import { gaussian, MINUTE, readerOf, seeded } from '../testing/series.ts';
import { buildWindow } from '../window.ts';
import { type Attribution, attribute } from './attribution.ts';

const DAY = 1440;
/** Ten o'clock of the fifteenth day. */
const NOW = 15 * DAY + 600;

let model: OnnxModel;
beforeAll(async () => {
  const path = new URL('../../../models/loadcast/loadcast.onnx', import.meta.url).pathname;
  model = await openModel({ path }, { clock: systemClock });
});
afterAll(() => model.close());

async function why(load: (minute: number) => number, step: number): Promise<Attribution> {
  const values = Float64Array.from({ length: NOW + 1 }, (_, minute) => load(minute));
  const window = buildWindow('load', NOW * MINUTE, MINUTE, readerOf(values));
  const forecast: Parameters<typeof attribute>[0]['forecast'] = (windows, signal) =>
    model.forecast(windows, signal);
  const answer = await attribute({ window, step, level: 0.9, forecast }, new AbortController().signal);
  if (answer === undefined) throw new Error('the model in the box has no forecast');
  return answer;
}

function shareOf({ parts }: Attribution, kind: 'recent' | 'season'): number {
  return parts.reduce((sum, part) => sum + (part.kind === kind ? (part.share ?? 0) : 0), 0);
}

test('a rush that comes at 10:05 each day is foreseen because of the days before', async () => {
  const noise = gaussian(seeded(3));
  const rush = (minute: number) => minute % DAY >= 605 && minute % DAY < 635;
  const answer = await why((minute) => 100 + 3 * noise() + (rush(minute) ? 200 : 0), 10);
  expect(answer.load).toBeGreaterThan(200);
  expect(shareOf(answer, 'season')).toBeGreaterThan(0.5);
  // Without the days before, there would be no rush in the forecast.
  expect(answer.load - (answer.seasons ?? 0)).toBeLessThan(150);
});

test('a load that wanders is forecast from where it is now', async () => {
  const noise = gaussian(seeded(5));
  let load = 1000;
  const answer = await why(() => {
    load = Math.abs(load + 10 * noise());
    return load;
  }, 10);
  const [newest, ...others] = answer.parts;
  expect(newest?.name).toBe('last 8 steps');
  for (const { share } of others) expect(newest?.share).toBeGreaterThan(share ?? 0);
  expect(shareOf(answer, 'recent')).toBeGreaterThan(0.6);
});

test('the same window has the same reasons', async () => {
  const load = (minute: number) => 100 + 50 * Math.sin((2 * Math.PI * minute) / DAY);
  expect(await why(load, 5)).toEqual(await why(load, 5));
});
