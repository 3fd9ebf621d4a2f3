/**
 * `foresail backtest`: what would have happened on a recorded load, by the operator's own decision code under a
 * virtual clock. Files, the model and the terminal are here; the simulation itself is operator/simulate.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { parseDurationMs } from '../duration.ts';
import { ForesailError } from '../errors.ts';
import { persistence } from '../forecast/persistence.ts';
import { ridge } from '../forecast/ridge.ts';
import { seasonalNaive } from '../forecast/seasonal-naive.ts';
import type { Forecaster } from '../forecast/types.ts';
import { openModel } from '../inference/model.ts';
import type { OnnxModel } from '../inference/types.ts';
import { aggregate } from '../simulate/aggregate.ts';
import {
  type BacktestOptions,
  needsForecasts,
  planOf,
  runBacktest,
  scoredTrace,
} from '../simulate/backtest.ts';
import { generatedTraces } from '../simulate/generated.ts';
import { type CapacityRule, parseCapacity } from '../simulate/protocol.ts';
import type {
  BacktestReport,
  BacktestResult,
  ObjectiveName,
  PolicyName,
  ScoredTrace,
  SkippedTrace,
} from '../simulate/report-types.ts';
import { createRunner } from '../simulate/runner.ts';
import { recordTape } from '../simulate/tape.ts';
import type { Trace } from '../simulate/trace.ts';
import {
  addExtras,
  type ExtraFlags,
  type Extras,
  extrasNeedForecasts,
  type Simulated,
  withFrontier,
  writeExtras,
} from './backtest-extras.ts';
import { backtestText, skippedLines } from './backtest-text.ts';
import { frontierText } from './frontier-text.ts';
import { writeInFolder } from './output.ts';
import { Progress } from './progress.ts';
import { readPrometheusTrace } from './prometheus-trace.ts';
import { readTraces } from './trace-files.ts';

const BOX_MODEL = new URL('../../models/loadcast/loadcast.onnx', import.meta.url).pathname;
const POLICIES: readonly PolicyName[] = ['hpa', 'foresail', 'shadow', 'static', 'profile', 'oracle'];
const OBJECTIVES: readonly ObjectiveName[] = ['availability', 'efficiency'];

interface Flags extends ExtraFlags {
  readonly data?: readonly string[];
  readonly generated?: true;
  readonly prometheus?: string;
  readonly query?: string;
  readonly start?: number;
  readonly end?: number;
  readonly step: number;
  readonly tokenFile?: string;
  readonly startUp: readonly number[];
  readonly metricDelay: number;
  readonly objective: readonly ObjectiveName[];
  readonly target: number;
  readonly capacity: CapacityRule;
  readonly policies: readonly PolicyName[];
  readonly coverage: number;
  readonly contest: boolean;
  readonly model?: string;
  readonly json?: string;
}

export function backtestCommand(): Command {
  return new Command('backtest')
    .description('replay recorded load and compare policies, by the same code that decides in the cluster')
    .option('--data <path...>', 'CSV files (timestamp,value) and folders of them', gathered)
    .option('--prometheus <url>', 'a Prometheus to ask for the load, with --query')
    .option('--query <promql>', 'the load; one value per step is what the step carried')
    .option('--start <time>', 'begin of its range, ISO 8601; default: 14 days before the end', time)
    .option('--end <time>', 'end of its range, ISO 8601; default: now', time)
    .addOption(new Option('--step <duration>', 'its step').argParser(duration).default(60_000, '1m'))
    .option('--token-file <file>', 'file with a bearer token for it')
    .option('--generated', 'also run on generated loads: white noise, spikes, steps, growth')
    .addOption(
      new Option('--start-up <durations>', 'time from the order of a replica until it is ready')
        .argParser(listOf(duration))
        .default([30_000, 120_000, 600_000], '30s,120s,600s'),
    )
    .addOption(
      new Option('--metric-delay <duration>', "how long after a step's end its load can be read")
        .argParser(duration)
        .default(60_000, '60s'),
    )
    .addOption(
      new Option('--objective <names>', OBJECTIVES.join(', '))
        .argParser(listOf(oneOf(OBJECTIVES)))
        .default(OBJECTIVES, OBJECTIVES.join()),
    )
    .option('--target <share>', 'share of its capacity that a replica should carry', share(0.05, 1), 0.7)
    .addOption(
      new Option('--capacity <rule>', 'load that one replica carries: p95/20 of the trace, or a number')
        .argParser(capacity)
        .default(parseCapacity('p95/20'), 'p95/20'),
    )
    .addOption(
      new Option('--policies <names>', POLICIES.join(', '))
        .argParser(listOf(oneOf(POLICIES)))
        .default(['hpa', 'foresail', 'static', 'profile', 'oracle'], 'hpa,foresail,static,profile,oracle'),
    )
    .option('--coverage <share>', 'asked coverage of the forecast', share(0.5, 0.9999), 0.99)
    .option(
      '--no-contest',
      'let the model alone forecast: several times faster, but not what the operator does',
    )
    .option('--model <file>', 'ONNX file to forecast with; default: the model in the box')
    .option(
      '--frontier',
      'also compare with HPA tuned in hindsight to the same time short; objective efficiency',
    )
    .option('--json <file>', 'write the report as JSON')
    .option('--html <file>', 'write the report with charts, one file')
    .option('--png <folder>', 'write the charts as pictures (not in the image: needs @resvg/resvg-js)')
    .action(backtest);
}

async function backtest(flags: Flags): Promise<void> {
  const progress = new Progress(process.stderr);
  // Nobody waits for Ctrl-C here: the simulation does not return to the event loop, so it must end the process.
  const { report, extras } = await run(flags, progress, new AbortController().signal);
  progress.end();
  if (flags.json !== undefined) await writeInFolder(flags.json, `${JSON.stringify(report, null, 1)}\n`);
  await writeExtras(flags, report, extras.series);
  process.stdout.write(backtestText(report) + frontierText(report));
}

interface Done {
  readonly report: BacktestReport;
  readonly extras: Extras;
}

async function run(flags: Flags, progress: Progress, signal: AbortSignal): Promise<Done> {
  const options = optionsOf(flags);
  const traces = await tracesOf(flags, progress, signal);
  const results: BacktestResult[] = [];
  const scored: ScoredTrace[] = [];
  const skipped: SkippedTrace[] = [];
  const isForecasting = needsForecasts(options.policies) || extrasNeedForecasts(flags);
  const model = isForecasting ? await forecasterOf(flags) : undefined;
  const extras: Extras = { sweeps: [], series: [] };
  const settings = settingsOf(flags, model);
  try {
    for (const trace of traces) {
      // oxlint-disable-next-line no-await-in-loop -- one trace's forecasts in memory at a time
      const done = await runTrace(trace, options, { model, contest: flags.contest }, progress, signal);
      results.push(...done.results);
      skipped.push(...done.skipped);
      if (done.scored === undefined) continue;
      scored.push(done.scored);
      addExtras(extras, flags, done, options, (count, all) => {
        progress.show(`${trace.name}: frontier`, count, all);
      });
    }
  } finally {
    await model?.close();
  }
  if (scored.length === 0)
    throw new ForesailError('NOTHING_TO_SCORE', 'terminal', 'every trace was skipped', { subject: '--data' });
  const report = { results, aggregate: aggregate(results), settings, traces: scored, skipped };
  return { report: withFrontier(report, extras.sweeps), extras };
}

type DoneTrace = {
  readonly results: readonly BacktestResult[];
  readonly skipped: readonly SkippedTrace[];
} & ({ readonly scored: undefined } | (Simulated & { readonly scored: ScoredTrace }));

async function runTrace(
  given: Trace,
  options: BacktestOptions,
  { model, contest }: { model: OnnxModel | undefined; contest: boolean },
  progress: Progress,
  signal: AbortSignal,
): Promise<DoneTrace> {
  const plan = planOf(given, options);
  const { trace } = plan;
  for (const line of skippedLines(plan.skipped)) progress.note(line);
  if (plan.startUpMs.length === 0) return { results: [], skipped: plan.skipped, scored: undefined };
  const onForecast = (done: number, all: number) => progress.show(`${trace.name}: forecasting`, done, all);
  const tape =
    model === undefined
      ? undefined
      : await recordTape(
          trace,
          [model, ridge(), seasonalNaive, persistence],
          {
            horizon: plan.horizon,
            origins: { from: 0, to: plan.scored.to },
            everyone: contest,
            onProgress: onForecast,
          },
          signal,
        );
  const { metricDelayMs } = options;
  const runner = createRunner(trace, tape, { metricDelayMs, capacity: plan.capacity, scored: plan.scored });
  const results = runBacktest(plan, runner, options, (done, all) =>
    progress.show(`${trace.name}: deciding`, done, all),
  );
  return { results, skipped: plan.skipped, scored: scoredTrace(plan), plan, runner, tape };
}

async function tracesOf(flags: Flags, progress: Progress, signal: AbortSignal): Promise<Trace[]> {
  const { data = [], generated, prometheus, query } = flags;
  if (data.length === 0 && generated === undefined && prometheus === undefined)
    throw missing('--data', 'name loads by --data or --prometheus, or ask for --generated');
  if ((prometheus === undefined) !== (query === undefined))
    throw missing('--query', '--prometheus and --query go together');
  const read = data.length === 0 ? [] : await readTraces(data, (line) => progress.note(line), { signal });
  if (prometheus !== undefined && query !== undefined) {
    const { step: stepMs, end: toMs = systemClock.now(), tokenFile } = flags;
    const fromMs = flags.start ?? toMs - DEFAULT_RANGE_MS;
    const range = { url: prometheus, query, fromMs, toMs, stepMs, tokenFile };
    read.push(await readPrometheusTrace(range, systemClock, signal));
  }
  return [...read, ...(generated === undefined ? [] : generatedTraces())];
}

const DEFAULT_RANGE_MS = 14 * 86_400_000;

function missing(flag: string, message: string): ForesailError {
  return new ForesailError('DATA_MISSING', 'terminal', message, { subject: flag });
}

/** @throws MODEL_INVALID with the reason why the file is refused */
async function forecasterOf({ model: path = BOX_MODEL }: Flags): Promise<OnnxModel & Forecaster> {
  const model = await openModel({ path }, { clock: systemClock });
  if (model.state.phase === 'ready') return model;
  await model.close();
  const { message, ...state } = model.state;
  throw new ForesailError(
    'MODEL_INVALID',
    'terminal',
    `${path}: ${'reason' in state ? `${state.reason}: ` : ''}${message}`,
    {
      subject: path,
    },
  );
}

function optionsOf(flags: Flags): BacktestOptions {
  const { startUp, metricDelay, objective, target, capacity: rule, coverage } = flags;
  return {
    startUpMs: startUp,
    metricDelayMs: metricDelay,
    objectives: objective,
    policies: policiesOf(flags),
    target,
    capacity: rule,
    coverage,
  };
}

/** HPA is what the others are measured by. */
function policiesOf({ policies }: Flags): readonly PolicyName[] {
  return policies.includes('hpa') ? policies : ['hpa', ...policies];
}

function settingsOf(flags: Flags, model: OnnxModel | undefined): BacktestReport['settings'] {
  const described = model?.state.phase === 'ready' ? model.state.descriptor : undefined;
  return {
    startUpSeconds: flags.startUp.map((ms) => ms / 1000),
    metricDelaySeconds: flags.metricDelay / 1000,
    target: flags.target,
    capacity: flags.capacity.text,
    coverage: flags.coverage,
    policies: policiesOf(flags),
    objectives: flags.objective,
    model: described === undefined ? null : `${described.name} ${described.version} (${described.digest})`,
  };
}

/** `--data a b --data c` is a, b and c. */
function gathered(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function listOf<T>(parse: (text: string) => T): (text: string) => readonly T[] {
  return (text) => [...new Set(text.split(',').map((part) => parse(part.trim())))];
}

function oneOf<T extends string>(names: readonly T[]): (text: string) => T {
  return (text) => {
    const name = names.find((known) => known === text);
    if (name !== undefined) return name;
    throw new InvalidArgumentError(`"${text}" is none of ${names.join(', ')}.`);
  };
}

function time(text: string): number {
  const ms = Date.parse(text);
  if (!Number.isNaN(ms)) return ms;
  throw new InvalidArgumentError(`"${text}" is not a time such as 2026-01-31T08:00:00Z.`);
}

function duration(text: string): number {
  try {
    return parseDurationMs(text);
  } catch {
    throw new InvalidArgumentError(`"${text}" is not a duration such as 30s or 10m.`);
  }
}

function share(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`"${text}" is not a number from ${least} to ${most}.`);
  };
}

function capacity(text: string): CapacityRule {
  try {
    return parseCapacity(text);
  } catch {
    throw new InvalidArgumentError(`"${text}" is neither a load above 0 nor of the form p95/20.`);
  }
}
