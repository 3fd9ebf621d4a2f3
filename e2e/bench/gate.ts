/**
 * `make bench-gate DATA=../shared/data/traces`: how often the gate is wrong. First the gates on data: real loads in
 * random sets, honest and poisoned in every way that is known here. Then `ForecastScore`: candidates and incumbents of
 * known quality, made of the box model's real forecasts of these loads. RUNS=400 of each; PART=sets or scores: only those.
 */
import { readTraces } from '../../operator/cli/trace-files.ts';
import { systemClock } from '../../operator/clock.ts';
import { persistence } from '../../operator/forecast/persistence.ts';
import { dataGate } from '../../operator/gate/data-gate.ts';
import { leakageGate } from '../../operator/gate/leakage-gate.ts';
import type { Lineage } from '../../operator/gate/lineage.ts';
import { type PairedLosses, pairedRatio } from '../../operator/gate/paired-ratio.ts';
import { type GateSet, honestSet, POISONS } from '../../operator/gate/testing/sets.ts';
import { openModel } from '../../operator/inference/model.ts';
import { coarsened, forecastsOf, LEVELS } from '../../operator/judge/simulate/forecasts.ts';
import { type Flawed, flawedBy, upperBound } from '../../operator/judge/simulate/rates.ts';
import { type Flaw, lossesOf, type SeriesForecasts } from '../../operator/judge/simulate/versions.ts';
import { sceneOf } from '../../operator/simulate/accuracy/scene.ts';
import { type Random, seededRandom } from '../../operator/simulate/generated.ts';
import type { Trace } from '../../operator/simulate/trace.ts';
import { say, setting, table, writeJson } from './report.ts';

const RUNS = setting('RUNS', 400);
const DATA = process.argv.slice(2);
const BOX = new URL('../../models/loadcast/loadcast.onnx', import.meta.url).pathname;
const SERIES_PER_SET = 6;
const STEP_MS = 300_000;
const DAY = 288;
const LEADS = [3, 12];
const MIN_IMPROVEMENT = 0.01;
const GOOD: Flaw = { defect: 'noisy', weight: 0 };
/** Share by which the incumbent loses more; below 0 the candidate does. */
const DELTAS = [0, 0.02, 0.05, -0.02];
/** Series and days of a test part: one load of a month, a namespace, a fleet. */
const SHAPES = [
  { series: 1, days: 9 },
  { series: 6, days: 9 },
  { series: 18, days: 9 },
];

if (DATA.length === 0) {
  process.stderr.write('name the loads: make bench-gate DATA=../shared/data/traces\n');
  process.exit(2);
}
const { signal } = new AbortController();
const traces = (await readTraces(DATA, () => undefined, { panels: true })).filter(
  ({ values, stepMs }) => stepMs <= STEP_MS && values.length * stepMs >= 7 * 86_400_000,
);
say(`${traces.length} loads`);
const part = process.env['PART'] ?? '';
const sets = part === 'scores' ? undefined : setRates();
if (sets !== undefined) process.stdout.write(`${sets.text}\n\n`);
const scores = part === 'sets' ? undefined : await scoreRates();
if (scores !== undefined) process.stdout.write(`${scores.text}\n`);
say(
  writeJson('gate', {
    runs: RUNS,
    loads: traces.map(({ name }) => name),
    sets: sets?.rows,
    scores: scores?.rows,
  }),
);

interface SetRate {
  readonly what: string;
  readonly runs: number;
  readonly passed: number;
  /** Where a gate of another name, or none, told it. */
  readonly unnamed: number;
}

function setRates(): { readonly rows: readonly SetRate[]; readonly text: string } {
  const random = seededRandom(1);
  const picked = Array.from({ length: RUNS }, () =>
    honestSet(some(traces, SERIES_PER_SET, random).map(shortened)),
  );
  const honest: SetRate = {
    what: 'honest',
    runs: RUNS,
    passed: picked.filter((set) => failed(set).length === 0).length,
    unnamed: 0,
  };
  const rows = POISONS.map((poison): SetRate => {
    const { what, named } = poison;
    const all = picked.map((set) => failed(poison.apply(set)));
    say(what);
    return {
      what,
      runs: RUNS,
      passed: all.filter((names) => names.length === 0).length,
      unnamed: all.filter((names) => !(names as readonly string[]).includes(named)).length,
    };
  });
  const line = ({ what, runs, passed, unnamed }: SetRate): string[] => [
    what,
    percent(passed / runs),
    `<= ${percent(upperBound(passed, runs))}`,
    what === 'honest' ? '' : percent(unnamed / runs),
  ];
  const text = table([['set', 'passed', '95 %', 'not named'], ...[honest, ...rows].map(line)]);
  return { rows: [honest, ...rows], text };
}

/** A month at most: what is learned is the same, and takes less long. */
function shortened(trace: Trace): Trace {
  const most = Math.round((30 * 86_400_000) / trace.stepMs);
  return {
    ...trace,
    values: trace.values.subarray(0, most),
    ...(trace.imputed && { imputed: trace.imputed.subarray(0, most) }),
  };
}

function failed(set: GateSet): string[] {
  const training = { sha256: 'd', series: set.training };
  const holdout = { sha256: 'e', series: set.holdout };
  const iso = (ms: number): string => new Date(ms).toISOString();
  const data = { trainEnd: iso(set.trainEndMs), validateEnd: iso(set.validateEndMs) };
  const lineage: Lineage = { schema: 1, name: 'bench', family: 'bench', sha256: 'c', data };
  return [
    dataGate({ training, holdout, validateEndMs: set.validateEndMs }),
    leakageGate({ lineage, sha256: 'c', training, holdout, lossVsSimple: undefined }),
  ]
    .filter(({ verdict }) => verdict === 'Fail')
    .map(({ name }) => name);
}

interface ScoreRate {
  readonly series: number;
  readonly days: number;
  readonly delta: number;
  readonly runs: number;
  readonly passed: number;
}

async function scoreRates(): Promise<{ readonly rows: readonly ScoreRate[]; readonly text: string }> {
  const byLead = await forecastAll();
  const rows: ScoreRate[] = [];
  for (const delta of DELTAS) {
    say(`versions ${percent(Math.abs(delta))} ${delta < 0 ? 'worse' : 'better'}`);
    const flawed = byLead.map((all) => flawedBy(Math.abs(delta), all));
    for (const shape of SHAPES) {
      const random = seededRandom(17);
      let passed = 0;
      for (let run = 0; run < RUNS; run++) if (passes(flawed, delta, shape, random)) passed++;
      rows.push({ ...shape, delta, runs: RUNS, passed });
    }
  }
  const line = ({ series, days, delta, runs, passed }: ScoreRate): string[] => [
    delta === 0 ? 'as good' : `${percent(Math.abs(delta))} ${delta < 0 ? 'worse' : 'better'}`,
    String(series),
    String(days),
    percent(passed / runs),
    delta > 0 ? '' : `<= ${percent(upperBound(passed, runs))}`,
  ];
  return { rows, text: table([['candidate', 'series', 'days', 'passed', '95 %'], ...rows.map(line)]) };
}

async function forecastAll(): Promise<SeriesForecasts[][]> {
  const usable = traces
    .flatMap((trace) => coarsened(trace, STEP_MS) ?? [])
    // Columns of one panel are alike, and each takes its time.
    .filter(({ name, values }) => values.length > 21 * DAY && !name.includes('/'));
  const model = await openModel({ path: BOX }, { clock: systemClock });
  const byLead: SeriesForecasts[][] = LEADS.map(() => []);
  try {
    for (const trace of usable) {
      const scene = sceneOf(trace);
      const from = Math.max(trace.values.length - 28 * DAY, Math.ceil(0.3 * trace.values.length));
      // oxlint-disable-next-line no-await-in-loop -- one processor
      const good = await forecastsOf(scene, model, LEADS, from, 256, signal);
      // oxlint-disable-next-line no-await-in-loop -- as above
      const poor = await forecastsOf(scene, persistence, LEADS, from, 256, signal);
      for (const l of LEADS.keys())
        byLead[l]?.push({
          name: trace.name,
          levels: LEVELS,
          truth: scene.truth.slice(from),
          quantiles: good[l] ?? new Float64Array(0),
          poorer: poor[l] ?? new Float64Array(0),
        });
    }
  } finally {
    await model.close();
  }
  say(`${usable.length} loads forecast`);
  return byLead;
}

/** One gate: other series, another stretch, and disturbances of their own for both versions. */
function passes(
  flawed: readonly (readonly Flawed[])[],
  delta: number,
  { series, days }: (typeof SHAPES)[number],
  random: Random,
): boolean {
  const indices = some([...(flawed[0] ?? []).keys()], series, random);
  const cells = indices.flatMap((i) => {
    const at = random();
    const kind = random();
    return flawed.flatMap((all): PairedLosses[] => {
      const one = all[i];
      if (one === undefined) return [];
      const from = Math.floor(at * (one.series.truth.length - days * DAY));
      const stretch = { from, to: from + days * DAY };
      const flaw = delta === 0 ? GOOD : (one.flaws[Math.floor(kind * one.flaws.length)] ?? GOOD);
      const [own, other] = [delta < 0 ? flaw : GOOD, delta > 0 ? flaw : GOOD];
      return [
        {
          series: one.series.name,
          own: blocks(
            lossesOf(one.series, stretch, own, seededRandom(1 + Math.floor(random() * 2 ** 31))),
            days,
          ),
          other: blocks(
            lossesOf(one.series, stretch, other, seededRandom(1 + Math.floor(random() * 2 ** 31))),
            days,
          ),
        },
      ];
    });
  });
  const { ratio, upper95 } = pairedRatio(cells);
  return ratio <= 1 - MIN_IMPROVEMENT && upper95 <= 1;
}

/** As the gate cuts a test part. */
function blocks(losses: Float64Array, days: number): Float64Array {
  const count = days >= 8 ? days : 8;
  const sums = new Float64Array(count);
  losses.forEach((loss, t) => {
    const block = Math.min(Math.floor((t * count) / losses.length), count - 1);
    if (!Number.isNaN(loss)) sums[block] = (sums[block] ?? 0) + loss;
  });
  return sums;
}

function some<T>(all: readonly T[], count: number, random: Random): T[] {
  const rest = [...all];
  return Array.from({ length: Math.min(count, all.length) }, () =>
    rest.splice(Math.floor(random() * rest.length), 1),
  ).flat();
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1).replace(/\.0$/, '')} %`;
}
