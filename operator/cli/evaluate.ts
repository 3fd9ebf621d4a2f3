/**
 * `foresail evaluate`: how well each forecaster would have forecast recorded loads, all side by side, with nothing
 * after an origin seen. docs/guides/evaluate.md says how to read the tables.
 */
import { Command } from 'commander';
import { systemClock } from '../clock.ts';
import { parseDurationMs } from '../duration.ts';
import { ForesailError } from '../errors.ts';
import { aggregateOf } from '../simulate/accuracy/aggregate.ts';
import { TAIL_LEVELS } from '../simulate/accuracy/metrics.ts';
import { PROTOCOL } from '../simulate/accuracy/protocol.ts';
import type { EvaluationNote, EvaluationReport, SpeedResult } from '../simulate/accuracy/report-types.ts';
import { scenarioResults } from '../simulate/accuracy/scenarios.ts';
import { type Scene, sceneOf } from '../simulate/accuracy/scene.ts';
import type { ScoreOptions } from '../simulate/accuracy/score.ts';
import { BOX, CODE_NAMES, CONTEST, closeModels, type Opened, openModels } from './evaluate-models.ts';
import { bytesOf, type EvaluateDone, type EvaluateJob } from './evaluate-series.ts';
import { measureSpeed } from './evaluate-speed.ts';
import { evaluationText } from './evaluate-table.ts';
import { type HarvestOptions, harvest, type NamedJob } from './farm/harvest.ts';
import { count } from './flag-values.ts';
import { interruptible } from './interrupt.ts';
import { commandLine, writeInFolder } from './output.ts';
import { Progress } from './progress.ts';
import { evaluationHtml } from './report/evaluation-html.ts';
import { readTraces } from './trace-files.ts';

/** Lead times at which the operator's bands are judged. */
const LEAD = ['1m', '2m', '10m', '15m'] as const;
const LEAD_NAME = /^lead([ -]?time)?$/;
const CHILD = new URL('./evaluate-child.ts', import.meta.url);

export interface EvaluateFlags {
  readonly data: readonly string[];
  readonly horizons: string;
  readonly models: string;
  readonly excludeTrained?: boolean;
  readonly calibrated?: boolean;
  readonly panels?: boolean;
  readonly scenarios?: boolean;
  readonly maxOrigins?: string;
  readonly parallel?: number;
  readonly json?: string;
  readonly html?: string;
}

export function evaluateCommand(): Command {
  return new Command('evaluate')
    .description('score forecasters and ONNX files on recorded loads')
    .requiredOption('--data <path...>', 'CSV files (timestamp,value; unix seconds) and folders of them')
    .option('--horizons <list>', 'e.g. 15m,60m; "lead" is 1m,2m,10m,15m', '15m,60m')
    .option(
      '--models <list>',
      `of ${CODE_NAMES.join(', ')}, ${BOX}, ${CONTEST}, paths of ONNX files`,
      [...CODE_NAMES, BOX, CONTEST].join(),
    )
    .option('--exclude-trained', "leave series that a model's card names out of that model's aggregate")
    .option('--no-calibrated', "do not also score the band after the operator's online calibration")
    .option('--panels', 'also read wide files, each column as a series, in subfolders too')
    .option('--scenarios', 'also score disturbed loads: missing data, spikes, a level shift, noise, growth')
    .option(
      '--max-origins <count>',
      'origins per series and forecaster, spread evenly, or "all"; default: all of a model file, 2000 of code',
    )
    .option('--json <file>', 'write the report here')
    .option('--html <file>', 'write the report with charts here')
    .option(
      '--parallel <count>',
      'series at once; default: one per processor, as many as memory allows',
      count,
    )
    .action(async (flags: EvaluateFlags) => {
      const progress = new Progress(process.stderr);
      const { report, problem } = await interruptible((signal) => evaluate(flags, progress, signal)).finally(
        () => progress.end(),
      );
      const { json, html } = flags;
      if (json !== undefined) await writeInFolder(json, `${JSON.stringify(report, null, 1)}\n`);
      if (html !== undefined) await writeInFolder(html, evaluationHtml(report, commandLine(process.argv)));
      process.stdout.write(`${evaluationText(report)}\n`);
      if (problem !== undefined) throw problem;
    });
}

export interface Evaluated {
  readonly report: EvaluationReport;
  /** Why the report is not whole. */
  readonly problem: ForesailError | undefined;
}

/**
 * @param progress also takes the notes on repairs and skips
 * @throws TRACE_INVALID, MODEL_INVALID, FORECASTER_UNKNOWN, DURATION_INVALID, OPTION_INVALID, NOTHING_TO_SCORE
 */
export async function evaluate(
  flags: EvaluateFlags,
  progress: HarvestOptions['progress'],
  signal: AbortSignal,
): Promise<Evaluated> {
  const horizonsMs = horizonsOf(flags.horizons);
  const maxOrigins = flags.maxOrigins === undefined ? undefined : countOf(flags.maxOrigins);
  const names = flags.models.split(',').map((name) => name.trim());
  const open = { maxOrigins, calibrated: flags.calibrated !== false };
  const opened = await openModels(names, { ...open, clock: systemClock });
  let scenes: Scene[];
  let speed: SpeedResult[];
  try {
    const traces = await readTraces(flags.data, (line) => progress.note(line), {
      panels: flags.panels === true,
      signal,
    });
    scenes = traces.map(sceneOf);
    // Before the others begin: beside them everybody would be slow.
    speed = await speedOf(opened, scenes, signal);
  } finally {
    await closeModels(opened);
  }
  const excludeTrained = flags.excludeTrained === true;
  const naive = opened.filter(({ contender }) => contender === undefined).map(({ about }) => about.model);
  const options: ScoreOptions = { horizonsMs, naive, excludeTrained };
  const scenarios = flags.scenarios === true;
  const jobs = scenes.map((scene): NamedJob<EvaluateJob> => {
    const job = { scene, names, open, options, scenarios };
    return { name: scene.name, job, bytes: bytesOf(job) };
  });
  const asked = { entry: CHILD, parallel: flags.parallel, progress };
  const harvested = await harvest<EvaluateJob, EvaluateDone>(jobs, asked, signal);
  const { failed, problem } = harvested;
  const done = harvested.done.filter((each) => each !== undefined);
  const results = done.flatMap((each) => each.results);
  const skipped = done.flatMap((each) => each.skipped);
  if (results.length === 0) throw problem ?? nothingToScore(skipped);
  const disturbed = done.flatMap((each) => (each.disturbed === undefined ? [] : [each.disturbed]));
  return {
    report: {
      results,
      aggregate: aggregateOf(results),
      speed,
      models: opened.map(({ about }) => about),
      settings: {
        protocol: PROTOCOL,
        horizonSeconds: horizonsMs.map((ms) => ms / 1000),
        levels: TAIL_LEVELS,
        excludeTrained,
      },
      skipped,
      ...(failed.length === 0
        ? {}
        : { failed: failed.map(({ name, reason }) => ({ series: name, reason })) }),
      ...(scenarios ? { scenarios: scenarioResults(disturbed) } : {}),
    },
    problem,
  };
}

function nothingToScore([first]: readonly EvaluationNote[]): ForesailError {
  return new ForesailError(
    'NOTHING_TO_SCORE',
    'terminal',
    `nothing can be scored; ${first?.series ?? ''}: ${first?.reason ?? 'no forecaster'}`,
    { subject: '--data' },
  );
}

/** On the longest load: one on which every forecaster has enough to fit. */
async function speedOf(
  opened: readonly Opened[],
  scenes: readonly Scene[],
  signal: AbortSignal,
): Promise<SpeedResult[]> {
  const longest = scenes.reduce((most, one) => (one.seen.length > most.seen.length ? one : most));
  const speeds: SpeedResult[] = [];
  for (const one of opened) {
    // oxlint-disable-next-line no-await-in-loop -- side by side they would slow each other
    const speed = await measureSpeed(one, longest, signal);
    if (speed !== undefined) speeds.push(speed);
  }
  return speeds;
}

function horizonsOf(text: string): number[] {
  const parts = text.split(',').flatMap((part) => (LEAD_NAME.test(part.trim()) ? LEAD : [part.trim()]));
  return [...new Set(parts.map(parseDurationMs))].sort((a, b) => a - b);
}

function countOf(text: string): number {
  const count = Number(text);
  if (text === 'all') return Number.POSITIVE_INFINITY;
  if (Number.isInteger(count) && count > 0) return count;
  throw new ForesailError(
    'OPTION_INVALID',
    'terminal',
    `--max-origins ${text} is neither "all" nor a whole number above 0`,
    {
      subject: '--max-origins',
    },
  );
}
