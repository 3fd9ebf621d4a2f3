/**
 * What the forecasters that are code cost per series: the first fit on two weeks of minutes, then one forecast at each
 * new step, and the contest that follows them. CPU time of this process, which a busy machine changes less than the
 * clock. Prints a JSON line per measurement and a table. Run with `node operator/inference/forecasters.bench.ts`.
 */
import { cpus } from 'node:os';
import { ForecastLearner } from '../forecast/learner.ts';
import { persistence } from '../forecast/persistence.ts';
import { FORECASTERS } from '../forecast/registry.ts';
import { ridge } from '../forecast/ridge.ts';
import { seasonalNaive } from '../forecast/seasonal-naive.ts';
import { dailyLoad, MINUTE } from '../forecast/testing/series.ts';
import type { QuantileForecast } from '../forecast/types.ts';
import { buildWindow } from '../forecast/window.ts';

interface Measurement {
  readonly id: string;
  /** CPU milliseconds of the first forecast of a series, its fit included. */
  readonly fitMs: number;
  /** CPU microseconds of each forecast after it, one step later each. */
  readonly stepUs: number;
}

const DAYS = 15;
const FITS = 12;
const STEPS = 300;
const { signal } = new AbortController();
const end = DAYS * 1440;
const load = dailyLoad(end + FITS + STEPS + 1, 1);
/** As the history reads: a copy of a stretch. */
const past = (endMs: number, _stepMs: number, count: number): Float64Array => {
  const last = Math.floor(endMs / MINUTE) + 1;
  const out = new Float64Array(count).fill(Number.NaN);
  const known = load.subarray(Math.max(last - count, 0), last);
  out.set(known, count - known.length);
  return out;
};
const windows = Array.from({ length: FITS + STEPS }, (_, i) =>
  buildWindow('k', (end + i) * MINUTE, MINUTE, past),
);

async function cpuOf(run: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

const results: Measurement[] = [];
for (const entry of FORECASTERS) {
  let forecaster = entry.create();
  const fit = async (i: number): Promise<void> => {
    forecaster = entry.create();
    await forecaster.forecast(windows.slice(i, i + 1), signal);
  };
  // The first fits are those of an engine that has not compiled yet.
  for (let i = 0; i < 4; i++) await fit(i);
  const fits = await cpuOf(async () => {
    for (let i = 0; i < FITS; i++) await fit(i);
  });
  const steps = await cpuOf(async () => {
    for (const window of windows.slice(FITS)) await forecaster.forecast([window], signal);
  });
  results.push({ id: entry.id, fitMs: round(fits / FITS / 1000), stepUs: Math.round(steps / STEPS) });
}

const members = [ridge(), seasonalNaive, persistence];
const learner = new ForecastLearner({ stepMs: MINUTE, coverage: 0.95, preferred: 'ridge' });
const said: (readonly (readonly [string, QuantileForecast])[])[] = [];
for (const window of windows) {
  const round: [string, QuantileForecast][] = [];
  for (const member of members) {
    const [forecast] = await member.forecast([window], signal);
    if (forecast !== undefined) round.push([member.id, forecast]);
  }
  said.push(round);
}
const contest = await cpuOf(async () => {
  windows.forEach(({ originMs }, i) => {
    learner.settle(originMs - MINUTE, (atMs) => load[atMs / MINUTE] ?? Number.NaN);
    const [leading, ...others] = said[i] ?? [];
    for (const [by, forecast] of others) learner.compete(by, forecast);
    if (leading !== undefined) learner.issue(...leading);
  });
});
const contestUs = Math.round(contest / windows.length);

const write = (line: string): void => void process.stdout.write(`${line}\n`);
for (const result of results) write(JSON.stringify(result));
write(JSON.stringify({ contestUs, entrants: members.length }));
write(`\none series of ${DAYS} days of minutes, one core of ${cpus()[0]?.model ?? 'unknown'}`);
write('forecaster          first fit, CPU ms   each step after, CPU us');
for (const { id, fitMs, stepUs } of results) {
  write(`${id.padEnd(18)} ${String(fitMs).padStart(18)} ${String(stepUs).padStart(25)}`);
}
write(`a contest of ${members.length} with its calibrations: ${contestUs} us of CPU per step and series`);

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
