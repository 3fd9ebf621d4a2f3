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
import type {
  EvaluationNote,
  EvaluationReport,
  EvaluationResult,
  SpeedResult,
} from '../simulate/accuracy/report-types.ts';
import { runScenarios } from '../simulate/accuracy/scenarios.ts';
import { type Scene, sceneOf } from '../simulate/accuracy/scene.ts';
import { type Contender, type ScoreOptions, scoreSeries } from '../simulate/accuracy/score.ts';
import { seededRandom } from '../simulate/generated.ts';
import { BOX, CODE_NAMES, closeModels, type Opened, openModels } from './evaluate-models.ts';
import { measureSpeed } from './evaluate-speed.ts';
import { evaluationText } from './evaluate-table.ts';
import { commandLine, writeInFolder } from './output.ts';
import { Progress } from './progress.ts';
import { evaluationHtml } from './report/evaluation-html.ts';
import { readTraces } from './trace-files.ts';

/** Lead times at which the operator's bands are judged. */
const LEAD = ['1m', '2m', '10m', '15m'] as const;
const LEAD_NAME = /^lead([ -]?time)?$/;
/** Origins per series of a scenario: six runs of each forecaster instead of one. */
const SCENARIO_ORIGINS = 200;

export interface EvaluateFlags {
  readonly data: readonly string[];
  readonly horizons: string;
  readonly models: string;
  readonly excludeTrained?: boolean;
  readonly calibrated?: boolean;
  readonly panels?: boolean;
  readonly scenarios?: boolean;
  readonly maxOrigins?: string;
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
      `of ${CODE_NAMES.join(', ')}, ${BOX}, paths of ONNX files`,
      [...CODE_NAMES, BOX].join(),
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
    .action(async (flags: EvaluateFlags) => {
      const controller = new AbortController();
      const interrupt = (): void =>
        controller.abort(new ForesailError('INTERRUPTED', 'terminal', 'interrupted'));
      process.once('SIGINT', interrupt);
      const progress = new Progress(process.stderr);
      try {
        const report = await evaluate(flags, progress, controller.signal);
        const { json, html } = flags;
        if (json !== undefined) await writeInFolder(json, `${JSON.stringify(report, null, 1)}\n`);
        if (html !== undefined) await writeInFolder(html, evaluationHtml(report, commandLine(process.argv)));
        progress.end();
        process.stdout.write(`${evaluationText(report)}\n`);
      } finally {
        progress.end();
        process.removeListener('SIGINT', interrupt);
      }
    });
}

/**
 * @param progress also takes the notes on repairs and skips
 * @throws TRACE_INVALID, MODEL_INVALID, FORECASTER_UNKNOWN, DURATION_INVALID, OPTION_INVALID, NOTHING_TO_SCORE
 */
export async function evaluate(
  flags: EvaluateFlags,
  progress: Pick<Progress, 'note' | 'show'>,
  signal: AbortSignal,
): Promise<EvaluationReport> {
  const horizonsMs = horizonsOf(flags.horizons);
  const maxOrigins = flags.maxOrigins === undefined ? undefined : countOf(flags.maxOrigins);
  const opened = await openModels(
    flags.models.split(',').map((name) => name.trim()),
    {
      clock: systemClock,
      maxOrigins,
      calibrated: flags.calibrated !== false,
    },
  );
  try {
    const traces = await readTraces(flags.data, (line) => progress.note(line), {
      panels: flags.panels === true,
      signal,
    });
    const scenes = traces.map(sceneOf);
    const naive = opened.filter(({ contender }) => contender === undefined).map(({ about }) => about.model);
    const contenders = opened.flatMap(({ contender }) => (contender === undefined ? [] : [contender]));
    const options: ScoreOptions = { horizonsMs, naive, excludeTrained: flags.excludeTrained === true };
    const speed = await speedOf(opened, scenes, signal);
    const results: EvaluationResult[] = [];
    const skipped: EvaluationNote[] = [];
    for (const [i, scene] of scenes.entries()) {
      const what = `${i + 1}/${scenes.length} ${scene.name}`;
      progress.show(what, 0, 1);
      // oxlint-disable-next-line no-await-in-loop -- one after the other: they share the processor
      const scores = await scoreSeries(scene, contenders, options, signal);
      results.push(...scores.results);
      skipped.push(...scores.skipped);
      progress.show(what, 1, 1);
    }
    if (results.length === 0) {
      const [first] = skipped;
      throw new ForesailError(
        'NOTHING_TO_SCORE',
        'terminal',
        `nothing can be scored; ${first?.series ?? ''}: ${first?.reason ?? 'no forecaster'}`,
        { subject: '--data' },
      );
    }
    const report: EvaluationReport = {
      results,
      aggregate: aggregateOf(results),
      speed,
      models: opened.map(({ about }) => about),
      settings: {
        protocol: PROTOCOL,
        horizonSeconds: horizonsMs.map((ms) => ms / 1000),
        levels: TAIL_LEVELS,
        excludeTrained: flags.excludeTrained === true,
      },
      skipped,
    };
    if (flags.scenarios !== true) return report;
    const onScene = (done: number, all: number): void => progress.show('disturbed loads', done, all);
    const few = contenders.map(
      (one): Contender => ({ ...one, maxOrigins: SCENARIO_ORIGINS, calibrated: false }),
    );
    return {
      ...report,
      scenarios: await runScenarios(scenes, few, options, () => seededRandom(1), onScene, signal),
    };
  } finally {
    await closeModels(opened);
  }
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
