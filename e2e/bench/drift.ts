/**
 * `make bench-drift`: how often the drift alarm is wrong where nothing changes, and how soon it comes where something
 * does; on streams of errors alone, and on loads with real forecasters. SEEDS=10 plays more of each kind, KIND=Poisson
 * only those whose name has it, FORECASTERS=seasonal-naive only that one, FORECASTERS=none the streams of errors alone.
 */
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../operator/clock.ts';
import { type Alarm } from '../../operator/forecast/drift/testing/alarms.ts';
import {
  ERROR_KINDS,
  type ErrorKind,
  PER_DAY,
  watchErrors,
} from '../../operator/forecast/drift/testing/errors.ts';
import { type Change, LOAD_KINDS, type LoadKind, load } from '../../operator/forecast/drift/testing/loads.ts';
import { type Replayed, replay } from '../../operator/forecast/drift/testing/replay.ts';
import { persistence } from '../../operator/forecast/persistence.ts';
import { seasonalNaive } from '../../operator/forecast/seasonal-naive.ts';
import type { Forecaster } from '../../operator/forecast/types.ts';
import { openModel } from '../../operator/inference/model.ts';
import { quantile, short } from './numbers.ts';
import { say, setting, table, writeJson } from './report.ts';

const DAY = 1440;
const MONTH = 30 * DAY;
/** History before the first forecast, and watched days before alarms count: the reference is filled then. */
const HISTORY = 15 * DAY;
const WARM_UP = 8 * DAY;
const AHEAD = 3;
const COVERAGE = 0.99;

const seeds = setting('SEEDS', 2);
/** Streams of errors cost little. */
const streamSeeds = 10 * seeds;
const only = process.env['KIND'];
const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort());
const { signal } = interrupted;

const box = fileURLToPath(new URL('../../models/loadcast/loadcast.onnx', import.meta.url));
const model = await openModel({ path: box }, { clock: systemClock });
const forecasters: readonly Forecaster[] = [model, seasonalNaive, persistence].filter(({ id }) =>
  (process.env['FORECASTERS'] ?? `${model.id},seasonal-naive`).split(',').includes(id),
);
const kinds = LOAD_KINDS.filter((kind) => only === undefined || kind.includes(only));

async function alarmsOf(
  forecaster: Forecaster,
  kind: LoadKind,
  seed: number,
  minutes: number,
  change?: Change,
): Promise<Replayed> {
  const values = load(kind, HISTORY + WARM_UP + minutes, seed, change);
  const from = change?.at ?? HISTORY + WARM_UP;
  const count = { from, to: change === undefined ? values.length : from + DAY };
  const options = { fromMinute: HISTORY, ahead: AHEAD, coverage: COVERAGE, count, signal };
  return replay(forecaster, values, options);
}

interface Quiet {
  readonly what: string;
  readonly by: string;
  readonly months: number;
  readonly alarms: number;
  readonly signs: Counts;
  readonly shareOfTime: number;
  readonly coverage?: number;
}

interface Noticed {
  readonly change: string;
  readonly what: string;
  readonly by: string;
  readonly of: number;
  /** Hours from the change to the alarm, of those that were noticed. */
  readonly hours: readonly number[];
  readonly signs: Counts;
  /** In the day after the change. */
  readonly coverage?: number;
}

type Counts = Readonly<Record<string, number>>;

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function signsOf(alarms: readonly Alarm[]): Counts {
  const counts: Record<string, number> = {};
  for (const { by } of alarms) counts[by] = (counts[by] ?? 0) + 1;
  return counts;
}

/** @param runs alarms of one month each, in minutes since the start; those before `from` do not count */
function quietRow(
  what: string,
  by: string,
  runs: readonly (readonly Alarm[])[],
  from: number,
): Omit<Quiet, 'coverage'> {
  const alarms = runs.flat().filter(({ fromMinute }) => fromMinute >= from);
  const up = alarms.map(({ fromMinute, toMinute = from + MONTH }) => toMinute - fromMinute);
  const shareOfTime = up.reduce((sum, minutes) => sum + minutes, 0) / (runs.length * MONTH);
  return { what, by, months: runs.length, alarms: alarms.length, signs: signsOf(alarms), shareOfTime };
}

function noticedRow(
  change: string,
  what: string,
  by: string,
  runs: readonly (readonly Alarm[])[],
  at: number,
): Omit<Noticed, 'coverage'> {
  const firsts = runs.flatMap((alarms) => alarms.find(({ fromMinute }) => fromMinute >= at) ?? []);
  const hours = firsts.map(({ fromMinute }) => (fromMinute - at) / 60);
  return { change, what, by, of: runs.length, hours, signs: signsOf(firsts) };
}

async function quietLoad(forecaster: Forecaster, kind: LoadKind): Promise<Quiet> {
  const runs: Replayed[] = [];
  for (let seed = 1; seed <= seeds; seed++) runs.push(await alarmsOf(forecaster, kind, seed, MONTH));
  const row = quietRow(
    kind,
    forecaster.id,
    runs.map(({ alarms }) => alarms),
    HISTORY + WARM_UP,
  );
  return { ...row, coverage: mean(runs.map(({ coverage }) => coverage)) };
}

async function changedLoad(
  forecaster: Forecaster,
  kind: LoadKind,
  name: string,
  change: Omit<Change, 'at'>,
): Promise<Noticed> {
  const at = HISTORY + WARM_UP + DAY + 600;
  const runs: Replayed[] = [];
  for (let seed = 101; seed <= 100 + seeds; seed++)
    runs.push(await alarmsOf(forecaster, kind, seed, 8 * DAY, { at, ...change }));
  const row = noticedRow(
    name,
    kind,
    forecaster.id,
    runs.map(({ alarms }) => alarms),
    at,
  );
  return { ...row, coverage: mean(runs.map(({ coverage }) => coverage)) };
}

const ERROR_CHANGES = {
  'error x 1.5': { factor: 1.5 },
  'variance x 3': { factor: Math.sqrt(3) },
  'error x 2': { factor: 2 },
  'error x 3': { factor: 3 },
  'bias of one band': { bias: 1 },
} as const;

function errorStreams(kind: ErrorKind): { quiet: Quiet; noticed: Noticed[] } {
  const seedsFrom = (first: number) => Array.from({ length: streamSeeds }, (_, i) => first + i);
  const warm = (WARM_UP / DAY) * PER_DAY;
  const quiet = quietRow(
    kind,
    'errors alone',
    seedsFrom(1).map((seed) => watchErrors(kind, warm + 30 * PER_DAY, seed)),
    WARM_UP,
  );
  const at = warm + PER_DAY + 100;
  const noticed = Object.entries(ERROR_CHANGES).map(([name, change]) => {
    const runs = seedsFrom(1001).map((seed) => watchErrors(kind, at + 8 * PER_DAY, seed, { at, ...change }));
    return noticedRow(name, kind, 'errors alone', runs, 5 * at);
  });
  return { quiet, noticed };
}

const CHANGES: readonly {
  readonly name: string;
  readonly kinds: readonly LoadKind[];
  readonly change: Omit<Change, 'at'>;
}[] = [
  {
    name: 'noise x 2',
    kinds: ['white noise', 'day, noise of one size', 'Poisson, 300 a minute'],
    change: { noise: 2 },
  },
  {
    name: 'noise x 1.73 (variance x 3)',
    kinds: ['white noise', 'day, noise of one size', 'Poisson, 300 a minute'],
    change: { noise: Math.sqrt(3) },
  },
  {
    name: 'noise x 5',
    kinds: ['white noise', 'day, noise of one size', 'Poisson, 300 a minute'],
    change: { noise: 5 },
  },
  {
    name: 'day moved by 6 h',
    kinds: ['day, noise of one size', 'week, noise grows with load', 'Poisson, 300 a minute'],
    change: { phase: 6 * 60 },
  },
  {
    name: 'level x 3',
    kinds: ['white noise', 'day, noise of one size', 'Poisson, 300 a minute'],
    change: { level: 3 },
  },
];

const quiet: Quiet[] = [];
const noticed: Noticed[] = [];
for (const kind of ERROR_KINDS.filter((each) => only === undefined || each.includes(only))) {
  say(`errors alone: ${kind}`);
  const streams = errorStreams(kind);
  quiet.push(streams.quiet);
  noticed.push(...streams.noticed);
}
for (const forecaster of forecasters) {
  for (const kind of kinds) {
    say(`${forecaster.id}: ${kind}`);
    quiet.push(await quietLoad(forecaster, kind));
  }
  for (const { name, kinds: changing, change } of CHANGES)
    for (const kind of changing.filter((each) => kinds.includes(each))) {
      say(`${forecaster.id}: ${name} on ${kind}`);
      noticed.push(await changedLoad(forecaster, kind, name, change));
    }
}
await model.close();

const list = (counts: Counts): string =>
  Object.entries(counts)
    .map(([sign, count]) => `${sign} ${count}`)
    .join(', ') || '-';
const share = (value: number | undefined): string => (value === undefined ? '-' : (100 * value).toFixed(1));
process.stdout.write(
  `${table([
    ['nothing changes', 'errors of', 'months', 'alarms', 'a month', 'by', '% of time', 'coverage %'],
    ...quiet.map((row) => [
      row.what,
      row.by,
      String(row.months),
      String(row.alarms),
      (row.alarms / row.months).toFixed(2),
      list(row.signs),
      (100 * row.shareOfTime).toFixed(2),
      share(row.coverage),
    ]),
  ])}\n\n${table([
    ['change', 'in', 'errors of', 'noticed', 'median hours', 'most', 'by', 'coverage % in the day after'],
    ...noticed.map((row) => [
      row.change,
      row.what,
      row.by,
      `${row.hours.length}/${row.of}`,
      row.hours.length === 0 ? '-' : short(quantile(row.hours, 0.5)),
      row.hours.length === 0 ? '-' : short(Math.max(...row.hours)),
      list(row.signs),
      share(row.coverage),
    ]),
  ])}\n`,
);
say(`as JSON: ${writeJson('drift', { ahead: AHEAD, coverage: COVERAGE, seeds, quiet, noticed })}`);
