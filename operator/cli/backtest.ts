/**
 * `foresail backtest`: what would have happened on a recorded load, by the operator's own decision code under a
 * virtual clock. Files, the model and the terminal are here; the simulation itself is operator/simulate.
 */
import { Command, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { ForesailError } from '../errors.ts';
import { openModel } from '../inference/model.ts';
import { aggregate } from '../simulate/aggregate.ts';
import { type BacktestOptions, needsForecasts, planOf, scoredTrace } from '../simulate/backtest.ts';
import { generatedTraces } from '../simulate/generated.ts';
import { type CapacityRule, parseCapacity } from '../simulate/protocol.ts';
import type { BacktestReport, BacktestSeries, ObjectiveName, PolicyName } from '../simulate/report-types.ts';
import type { Trace } from '../simulate/trace.ts';
import {
  drawsCharts,
  type ExtraFlags,
  extrasNeedForecasts,
  withFrontier,
  writeExtras,
} from './backtest-extras.ts';
import { backtestText, skippedLines } from './backtest-text.ts';
import { type BacktestDone, type BacktestJob, bytesOf } from './backtest-trace.ts';
import { harvest, type NamedJob } from './farm/harvest.ts';
import { capacity, count, duration, gathered, listOf, oneOf, share, time } from './flag-values.ts';
import { frontierText } from './frontier-text.ts';
import { interruptible } from './interrupt.ts';
import { writeInFolder } from './output.ts';
import { Progress } from './progress.ts';
import { readPrometheusTrace } from './prometheus-trace.ts';
import { readTraces } from './trace-files.ts';

const BOX_MODEL = new URL('../../models/loadcast/loadcast.onnx', import.meta.url).pathname;
const CHILD = new URL('./backtest-child.ts', import.meta.url);
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
  readonly parallel?: number;
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
    .option(
      '--parallel <count>',
      'traces at once; default: one per processor, as many as memory allows',
      count,
    )
    .option('--json <file>', 'write the report as JSON')
    .option('--html <file>', 'write the report with charts, one file')
    .option('--png <folder>', 'write the charts as pictures (not in the image: needs @resvg/resvg-js)')
    .action(backtest);
}

async function backtest(flags: Flags): Promise<void> {
  const progress = new Progress(process.stderr);
  const { report, series, problem } = await interruptible((signal) => run(flags, progress, signal)).finally(
    () => progress.end(),
  );
  if (flags.json !== undefined) await writeInFolder(flags.json, `${JSON.stringify(report, null, 1)}\n`);
  await writeExtras(flags, report, series);
  process.stdout.write(backtestText(report) + frontierText(report));
  if (problem !== undefined) throw problem;
}

interface Done {
  readonly report: BacktestReport;
  readonly series: readonly BacktestSeries[];
  /** Why the report is not whole. */
  readonly problem: ForesailError | undefined;
}

async function run(flags: Flags, progress: Progress, signal: AbortSignal): Promise<Done> {
  const options = optionsOf(flags);
  const traces = await tracesOf(flags, progress, signal);
  const isForecasting = needsForecasts(options.policies) || extrasNeedForecasts(flags);
  const described = isForecasting ? await describedModel(flags) : undefined;
  const plans = traces.map((trace) => planOf(trace, options));
  const skipped = plans.flatMap((plan) => plan.skipped);
  for (const line of skippedLines(skipped)) progress.note(line);
  const played = plans.filter(({ startUpMs }) => startUpMs.length > 0);
  if (played.length === 0)
    throw new ForesailError('NOTHING_TO_SCORE', 'terminal', 'every trace was skipped', { subject: '--data' });
  const jobs = played.map((plan): NamedJob<BacktestJob> => {
    const { contest, frontier = false } = flags;
    const job = { plan, options, contest, frontier, series: drawsCharts(flags), model: described?.source };
    return { name: plan.trace.name, job, bytes: bytesOf(job) };
  });
  const asked = { entry: CHILD, parallel: flags.parallel, progress };
  const harvested = await harvest<BacktestJob, BacktestDone>(jobs, asked, signal);
  const { failed, problem } = harvested;
  const done = harvested.done.filter((each) => each !== undefined);
  if (problem !== undefined && done.length === 0) throw problem;
  const results = done.flatMap((each) => each.results);
  const report: BacktestReport = {
    results,
    aggregate: aggregate(results),
    settings: settingsOf(flags, described?.text ?? null),
    traces: played.filter((_, i) => harvested.done[i] !== undefined).map(scoredTrace),
    skipped,
    ...(failed.length === 0 ? {} : { failed: failed.map(({ name, reason }) => ({ trace: name, reason })) }),
  };
  const sweeps = done.flatMap((each) => each.sweeps);
  return { report: withFrontier(report, sweeps), series: done.flatMap((each) => each.series), problem };
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

interface DescribedModel {
  /** The file as it was found: what is checked here is what runs there. */
  readonly source: NonNullable<BacktestJob['model']>;
  readonly text: string;
}

/** @throws MODEL_INVALID with the reason why the file is refused */
async function describedModel({ model: path = BOX_MODEL }: Flags): Promise<DescribedModel> {
  const model = await openModel({ path }, { clock: systemClock });
  const { state } = model;
  await model.close();
  if (state.phase === 'ready') {
    const { name, version, digest } = state.descriptor;
    const source = { path, sha256: digest.replace('sha256:', '') };
    return { source, text: `${name} ${version} (${digest})` };
  }
  const reason = 'reason' in state ? `${state.reason}: ` : '';
  throw new ForesailError('MODEL_INVALID', 'terminal', `${path}: ${reason}${state.message}`, {
    subject: path,
  });
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

function settingsOf(flags: Flags, model: string | null): BacktestReport['settings'] {
  return {
    startUpSeconds: flags.startUp.map((ms) => ms / 1000),
    metricDelaySeconds: flags.metricDelay / 1000,
    target: flags.target,
    capacity: flags.capacity.text,
    coverage: flags.coverage,
    policies: policiesOf(flags),
    objectives: flags.objective,
    model,
  };
}
