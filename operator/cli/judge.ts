/**
 * `foresail judge --simulate`: how often the judge of a rollout is wrong. Versions of known quality are made of real
 * forecasts of real loads and rolled out many times; docs/guides/how-the-judge-decides.md says how to read the table.
 */
import { Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { formatDuration } from '../duration.ts';
import { ForesailError } from '../errors.ts';
import { persistence } from '../forecast/persistence.ts';
import { openModel } from '../inference/model.ts';
import { JUDGE_DEFAULTS } from '../judge/judge.ts';
import { coarsened, forecastsOf, LEVELS } from '../judge/simulate/forecasts.ts';
import { flawedBy, type JudgeRate, ratesOf } from '../judge/simulate/rates.ts';
import type { SeriesForecasts } from '../judge/simulate/versions.ts';
import { sceneOf } from '../simulate/accuracy/scene.ts';
import type { Trace } from '../simulate/trace.ts';
import { BOX_PATH } from './evaluate-models.ts';
import { count, duration, listOf, share } from './flag-values.ts';
import { interruptible } from './interrupt.ts';
import { writeInFolder } from './output.ts';
import { Progress } from './progress.ts';
import { table } from './text-table.ts';
import { readTraces } from './trace-files.ts';

const DAY_MS = 86_400_000;
/** A rollout of many series is short, one of a single series long: both see about as many labels as they need. */
const POOLED_MS = 2 * DAY_MS;
const SINGLE_MS = 7 * DAY_MS;
/** Part of a series that is forecast; what is before it feeds the first windows. */
const FORECAST_SHARE = 0.7;
const MOST_STEPS = 8064;
const BATCH = 256;
const RUN_DEADLINE_MS = 30_000;

export interface JudgeFlags {
  readonly simulate?: boolean;
  readonly data: readonly string[];
  readonly step: number;
  readonly runs: number;
  readonly series: readonly number[];
  readonly leads: readonly number[];
  readonly deltas: readonly number[];
  readonly seed: number;
  readonly json?: string;
}

export interface JudgeReport {
  readonly results: readonly JudgeRate[];
  readonly settings: {
    readonly seriesNames: readonly string[];
    readonly stepSeconds: number;
    readonly model: string;
    readonly seed: number;
    readonly judge: typeof JUDGE_DEFAULTS;
  };
}

export function judgeCommand(): Command {
  return new Command('judge')
    .description("measure how often a rollout's judge is wrong, on versions of known quality")
    .option('--simulate', 'required: there is no other way of running it by hand')
    .requiredOption('--data <path...>', 'CSV files (timestamp,value; unix seconds) and folders of them')
    .addOption(
      new Option('--step <duration>', 'loads of a finer step are averaged to it, coarser ones left out')
        .argParser(duration)
        .default(300_000, '5m'),
    )
    .option('--runs <count>', 'rollouts per line of the table', count, 400)
    .addOption(
      new Option('--series <list>', 'series per rollout; of 1 a rollout lasts 7 days, else 2')
        .argParser(listOf(count))
        .default([1, 20], '1,20'),
    )
    .addOption(new Option('--leads <list>', 'steps ahead').argParser(listOf(count)).default([1, 12], '1,12'))
    .addOption(
      new Option('--deltas <list>', 'how much worse canary is; 0 is as good')
        .argParser(listOf(share(0, 10)))
        .default([0, 0.05, 0.1, 0.2], '0,0.05,0.1,0.2'),
    )
    .option('--seed <number>', 'of everything random', count, 1)
    .option('--json <file>', 'write the report here')
    .action(run);
}

async function run(flags: JudgeFlags): Promise<void> {
  const progress = new Progress(process.stderr);
  const report = await interruptible((signal) => judge(flags, progress, signal)).finally(() =>
    progress.end(),
  );
  if (flags.json !== undefined) await writeInFolder(flags.json, `${JSON.stringify(report, null, 1)}\n`);
  process.stdout.write(`${judgeText(report)}\n`);
}

/** @throws OPTION_INVALID, TRACE_INVALID, NOTHING_TO_JUDGE */
export async function judge(
  flags: JudgeFlags,
  progress: Pick<Progress, 'note' | 'show'>,
  signal: AbortSignal,
): Promise<JudgeReport> {
  if (flags.simulate !== true)
    throw new ForesailError(
      'OPTION_INVALID',
      'terminal',
      '--simulate is needed; a rollout is judged by the operator',
      {
        subject: '--simulate',
      },
    );
  const { step: stepMs, runs, series: seriesCounts, leads, deltas, seed } = flags;
  const traces = await readTraces(flags.data, (line) => progress.note(line), { signal });
  const usable = traces.flatMap((trace) => usableTrace(trace, stepMs, progress));
  const byLead = await forecastAll(usable, leads, progress, signal);
  const results: JudgeRate[] = [];
  for (const lead of leads) {
    const all = byLead.get(lead) ?? [];
    const flawed = deltas.map((delta) => ({ delta, all: flawedBy(delta, all) }));
    for (const series of seriesCounts) {
      if (all.length < series) {
        progress.note(`--series ${series}: only ${all.length} series are long enough, left out`);
        continue;
      }
      const steps = Math.round((series === 1 ? SINGLE_MS : POOLED_MS) / stepMs);
      for (const { delta, all: versions } of flawed) {
        const plan = { lead, series, delta, runs, steps, stepMs, seed };
        const what = `lead ${lead}, ${series} series, ${percent(delta)} worse`;
        results.push(
          ...ratesOf(versions, plan, JUDGE_DEFAULTS, (done) => {
            signal.throwIfAborted();
            progress.show(what, done, runs);
          }),
        );
      }
    }
  }
  return {
    results,
    settings: {
      seriesNames: usable.map(({ name }) => name),
      stepSeconds: stepMs / 1000,
      model: BOX_PATH.replace(/^.*\//, ''),
      seed,
      judge: JUDGE_DEFAULTS,
    },
  };
}

function usableTrace(trace: Trace, stepMs: number, progress: Pick<Progress, 'note'>): Trace[] {
  const coarse = coarsened(trace, stepMs);
  const reason =
    coarse === undefined
      ? `its step of ${formatDuration(trace.stepMs)} does not divide ${formatDuration(stepMs)}`
      : FORECAST_SHARE * coarse.values.length * stepMs < SINGLE_MS
        ? 'shorter than ten days'
        : undefined;
  if (reason === undefined && coarse !== undefined) return [coarse];
  progress.note(`${trace.name}: left out, ${reason}`);
  return [];
}

async function forecastAll(
  traces: readonly Trace[],
  leads: readonly number[],
  progress: Pick<Progress, 'show'>,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, readonly SeriesForecasts[]>> {
  if (traces.length === 0)
    throw new ForesailError('NOTHING_TO_JUDGE', 'terminal', 'no series is long enough');
  const byLead = new Map<number, SeriesForecasts[]>(leads.map((lead) => [lead, []]));
  const model = await openModel({ path: BOX_PATH }, { clock: systemClock, runDeadlineMs: RUN_DEADLINE_MS });
  try {
    for (const [i, trace] of traces.entries()) {
      progress.show('forecasts', i, traces.length);
      const scene = sceneOf(trace);
      const from = Math.max(
        Math.ceil((1 - FORECAST_SHARE) * trace.values.length),
        trace.values.length - MOST_STEPS,
      );
      // oxlint-disable-next-line no-await-in-loop -- one processor
      const good = await forecastsOf(scene, model, leads, from, BATCH, signal);
      // oxlint-disable-next-line no-await-in-loop -- as above
      const poor = await forecastsOf(scene, persistence, leads, from, BATCH, signal);
      leads.forEach((lead, l) => {
        byLead.get(lead)?.push({
          name: trace.name,
          levels: LEVELS,
          truth: scene.truth.slice(from),
          quantiles: good[l] ?? new Float64Array(0),
          poorer: poor[l] ?? new Float64Array(0),
        });
      });
    }
    progress.show('forecasts', traces.length, traces.length);
  } finally {
    await model.close();
  }
  return byLead;
}

export function judgeText({ results, settings }: JudgeReport): string {
  const head = [
    'judge',
    'lead',
    'series',
    'worse by',
    'rolled back',
    '95 % bound',
    'after',
    'promoted',
    'after',
  ];
  const rows = results.map((one) => [
    one.judge,
    String(one.lead),
    String(one.series),
    percent(one.delta),
    percent(one.falseRollback ?? one.caught ?? Number.NaN),
    one.upper95 === undefined ? `>= ${percent(one.lower95 ?? Number.NaN)}` : `<= ${percent(one.upper95)}`,
    hours(one.medianHours),
    one.promoted === undefined ? '' : percent(one.promoted),
    one.promoted === undefined ? '' : hours(one.medianHoursToPromotion ?? null),
  ]);
  const runs = results[0]?.runs ?? 0;
  return [
    `${runs} rollouts a line, ${settings.seriesNames.length} series, steps of ${settings.stepSeconds} s, seed ${settings.seed}; one series is judged for 7 days, more for 2`,
    table(head, rows),
  ].join('\n');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1).replace(/\.0$/, '')} %`;
}

function hours(value: number | null): string {
  return value === null ? '-' : `${value.toFixed(1)} h`;
}
