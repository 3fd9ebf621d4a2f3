/** Whether requests were split as asked for. */
import assert from 'node:assert/strict';
import type { ServedModel } from './served-model.ts';

/** Standard deviations of a binomial count; a sound router is further out once in 16,000 looks. */
const SIGMAS = 4;

/** Throws when version 2 answered more or less often than chance explains, beside version 1. */
export function splitWithin(versions: Readonly<Record<string, number>>, percent: number): string {
  const count = versions['2'] ?? 0;
  const all = count + (versions['1'] ?? 0);
  const share = percent / 100;
  const bound = SIGMAS * Math.sqrt(all * share * (1 - share));
  assert.ok(
    Math.abs(count - all * share) <= bound,
    `${count} of ${all} went to version 2, ${percent} % ± ${bound.toFixed(0)} were asked for`,
  );
  return `${((100 * count) / all).toFixed(1)} (n = ${all})`;
}

/** Version 2 goes the steps 20 %, a person's word, 50 % and all: of a hundred answers, how many were its own at either. */
export async function splitByWeights(
  model: ServedModel,
): Promise<{ readonly fifth: string; readonly half: string }> {
  await model.trafficBecomes('1:80 2:20');
  const fifth = splitWithin(await model.observe(25), 20);
  await model.stage.rollout('promote', model.name);
  await model.trafficBecomes('1:50 2:50');
  const half = splitWithin(await model.observe(15), 50);
  await model.trafficBecomes('2:100');
  assert.deepEqual(Object.keys(await model.observe(5)), ['2']);
  return { fifth, half };
}
