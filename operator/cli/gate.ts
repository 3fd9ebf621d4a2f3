/**
 * `foresail gate`: may a model that was just trained become a version? Runs in a pod of its own, with the run's claim
 * mounted; by hand it takes the same files. Exit code 0: it may; 1: a gate failed; 2: the gate could not be held; 74:
 * a volume has no room for what it writes.
 */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { TRAINING_EXIT } from '../api/index.ts';
import { isNoSpace } from '../artifacts/no-space.ts';
import { systemClock } from '../clock.ts';
import { ForesailError, isForesailError, messageOf } from '../errors.ts';
import { parseGolden } from '../gate/golden.ts';
import { parseLineage } from '../gate/lineage.ts';
import { publishVersion } from '../gate/publish.ts';
import { type GatedFile, type GateReport, reportOf, summaryOf } from '../gate/report.ts';
import { GATE_LIMITS, runGates } from '../gate/run-gates.ts';
import { readSeriesFolder, type SeriesFolder } from '../gate/series-folder.ts';
import { ATTEMPT_OVER, controlOf, errorReport, lastWords, postReport } from '../gate/tell.ts';
import { digestOf } from '../inference/load.ts';
import { openModel } from '../inference/model.ts';
import type { OnnxModel } from '../inference/types.ts';
import { type AddressClass, addressClasses } from '../net/address.ts';
import { apiServersOfPod } from '../net/api-servers.ts';
import { count, duration, listOf, oneOf } from './flag-values.ts';
import { gateText } from './gate-text.ts';
import { interruptible } from './interrupt.ts';
import { writeInFolder } from './output.ts';
import { Progress } from './progress.ts';

const EXIT_FAILED = 1;
const EXIT_NOT_HELD = 2;
/** Beside other work a child is slow, not hung. */
const RUN_DEADLINE_MS = 60_000;

export interface GateFlags {
  readonly candidate: string;
  readonly data: string;
  readonly lineage: string;
  readonly training?: string;
  readonly golden?: string;
  readonly incumbent?: string;
  readonly minImprovement: number;
  readonly maxWindows: number;
  readonly report?: string;
  readonly publish?: string;
  readonly credentials?: string;
  readonly claims: string;
  readonly workloadIdentity?: boolean;
  readonly allowAddress: readonly AddressClass[];
  readonly allowHttp?: boolean;
  readonly post?: boolean;
  readonly terminationLog?: string;
  readonly timeout: number;
}

export function gateCommand(): Command {
  return new Command('gate')
    .description('judge a trained model on data after its training, and publish it if it passes')
    .requiredOption('--candidate <file>', 'the ONNX file; golden.json and card.md lie beside it')
    .requiredOption(
      '--data <folder>',
      'holdout of the run (manifest.json, Parquet), or the folder of the whole run',
    )
    .requiredOption('--lineage <file>', 'lineage.json of the candidate')
    .option('--training <folder>', 'what it was trained on; default: data beside the holdout')
    .option('--golden <file>', 'default: golden.json beside the candidate')
    .option('--incumbent <file>', 'the ONNX file to beat; default: seasonal naive')
    .addOption(
      new Option('--min-improvement <share>', 'by which its loss must be lower')
        .argParser(improvement)
        .default(0.01),
    )
    .addOption(
      new Option('--max-windows <count>', 'that each model forecasts')
        .argParser(count)
        .default(GATE_LIMITS.windows),
    )
    .option('--report <file>', 'write the report as JSON')
    .option(
      '--publish <uri>',
      'folder of s3, gs, pvc, file or a path; each version gets one of its own in it',
    )
    .option('--credentials <folder>', 'a mounted Secret for the store, with the keys of foresail fetch')
    .option('--claims <folder>', 'where claims are mounted', '/mnt/pvc')
    .option('--workload-identity', 'be who the cloud says that this pod is, where the Secret names nobody')
    .addOption(
      new Option('--allow-address <classes>', `also connect to these: ${addressClasses.join(', ')}`)
        .argParser(listOf(oneOf(addressClasses)))
        .default([], 'none'),
    )
    .option('--allow-http', 'write to http:// stores')
    .option('--post', 'tell the operator at FORESAIL_CONTROL_URL, with the token in FORESAIL_TOKEN_FILE')
    .option('--termination-log <file>', 'write the end here too, as JSON of at most 4 KiB')
    .addOption(
      new Option('--timeout <duration>', 'for all of it').argParser(duration).default(7_200_000, '2h'),
    )
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT_NOT_HELD))
    .action(async (flags: GateFlags) => {
      const progress = new Progress(process.stderr);
      process.exitCode = await interruptible((signal) =>
        run(flags, progress, AbortSignal.any([signal, AbortSignal.timeout(flags.timeout)])),
      ).finally(() => progress.end());
    });
}

/** @returns the exit code */
async function run(flags: GateFlags, progress: Progress, signal: AbortSignal): Promise<number> {
  let judged = false;
  try {
    // A wrong setting must show before an hour of work, not after it.
    const control = flags.post === true ? controlOf(process.env) : undefined;
    const report = await gate(flags, progress, signal);
    progress.end();
    // First of all: what comes after it may fail, and the verdict stands.
    await say(flags, 'gate', summaryOf(report));
    judged = true;
    process.stdout.write(`${gateText(report, hasColours())}\n`);
    if (flags.report !== undefined) await writeInFolder(flags.report, `${JSON.stringify(report, null, 1)}\n`);
    if (control !== undefined)
      await postReport(
        control,
        'gate',
        summaryOf(report),
        { clock: systemClock, random: Math.random },
        signal,
      );
    return report.verdict === 'Pass' ? 0 : EXIT_FAILED;
  } catch (error) {
    progress.end();
    process.stderr.write(
      `foresail: ${messageOf(error)}${isForesailError(error) ? ` [${error.code}]` : ''}\n`,
    );
    if (isForesailError(error, ATTEMPT_OVER)) return TRAINING_EXIT.fenced;
    if (!judged) await tellError(flags, error);
    return isNoSpace(error) ? TRAINING_EXIT.full : EXIT_NOT_HELD;
  }
}

async function tellError(flags: GateFlags, error: unknown): Promise<void> {
  const report = errorReport(error);
  await say(flags, 'error', report).catch(() => undefined);
  // An operator that cannot be reached is what went wrong, or reads the last words.
  if (flags.post !== true || report.code.startsWith('CONTROL_')) return;
  const inTime = AbortSignal.timeout(30_000);
  const world = { clock: systemClock, random: Math.random };
  await Promise.resolve()
    .then(() => postReport(controlOf(process.env), 'error', report, world, inTime))
    .catch(() => undefined);
}

async function say({ terminationLog }: GateFlags, ...said: Parameters<typeof lastWords>): Promise<void> {
  if (terminationLog !== undefined) await writeFile(terminationLog, lastWords(...said));
}

function hasColours(): boolean {
  return process.stdout.isTTY && process.env['NO_COLOR'] === undefined;
}

/**
 * @throws DATA_INVALID, LINEAGE_INVALID, FILE_MISSING, FILE_UNREADABLE, INCUMBENT_* when the gate cannot be held;
 *   ARTIFACT_* when a version that passed cannot be published
 */
export async function gate(
  flags: GateFlags,
  progress: Pick<Progress, 'show' | 'note'>,
  signal: AbortSignal,
): Promise<GateReport> {
  const { candidate: path, minImprovement } = flags;
  const limits = { ...GATE_LIMITS, windows: flags.maxWindows };
  const model = await bytesOf(path, '--candidate');
  const lineageText = await bytesOf(flags.lineage, '--lineage');
  const lineage = parseLineage(lineageText.toString('utf8'), flags.lineage);
  const goldenText = await ifThere(readFile(flags.golden ?? join(dirname(path), 'golden.json')));
  const { holdout, training } = await foldersOf(flags, signal);
  const sha256 = digestOf(model);
  const options = { clock: systemClock, runDeadlineMs: RUN_DEADLINE_MS };
  const candidate = await openModel({ path, sha256 }, options);
  let incumbent: OnnxModel | undefined;
  try {
    if (flags.incumbent !== undefined) incumbent = await openIncumbent(flags.incumbent);
    const outcome = await runGates(
      {
        candidate,
        incumbent,
        sha256,
        golden:
          goldenText === undefined ? 'golden.json is missing' : parseGolden(goldenText.toString('utf8')),
        lineage,
        training,
        holdout,
        minImprovement,
        limits,
      },
      (what, done, all) => progress.show(what, done, all),
      signal,
    );
    const report = reportOf(outcome, {
      candidate: fileOf(candidate, sha256),
      incumbent: incumbent === undefined ? null : fileOf(incumbent),
      settings: { minImprovement, validateEnd: lineage.data.validateEnd, limits },
      createdAt: new Date(systemClock.now()).toISOString(),
    });
    if (flags.publish === undefined || report.verdict === 'Fail') return report;
    const card = await ifThere(readFile(join(dirname(path), 'card.md')));
    const files = { model, lineage: lineageText, golden: goldenText, card, scores: scoresOf(report) };
    return {
      ...report,
      published: await publishVersion(flags.publish, files, putOptions(flags, progress), signal),
    };
  } finally {
    await candidate.close();
    await incumbent?.close();
  }
}

/** What stays beside the version: the report without what only this run knows. */
function scoresOf({ published: _, ...report }: GateReport): Buffer {
  return Buffer.from(`${JSON.stringify(report, null, 1)}\n`);
}

/** A candidate that is refused is a verdict; an incumbent that is refused is a fault of whoever asks. */
async function openIncumbent(path: string): Promise<OnnxModel> {
  const model = await openModel({ path }, { clock: systemClock, runDeadlineMs: RUN_DEADLINE_MS });
  const { state } = model;
  if (state.phase === 'ready') return model;
  await model.close();
  throw new ForesailError('INCUMBENT_INVALID', 'terminal', `--incumbent ${path}: ${state.message}`, {
    subject: '--incumbent',
  });
}

function fileOf({ state }: OnnxModel, sha256 = ''): GatedFile {
  if (state.phase !== 'ready') return { sha256, name: null, version: null };
  const { name, version, digest } = state.descriptor;
  return { sha256: digest.replace('sha256:', ''), name, version };
}

interface Folders {
  readonly holdout: SeriesFolder;
  readonly training: SeriesFolder | undefined;
}

async function foldersOf({ data, training }: GateFlags, signal: AbortSignal): Promise<Folders> {
  const whole = await isThere(join(data, 'holdout', 'manifest.json'));
  const holdout = whole ? join(data, 'holdout') : data;
  const beside = join(whole ? data : dirname(data), 'data');
  const trained = training ?? ((await isThere(join(beside, 'manifest.json'))) ? beside : undefined);
  return {
    holdout: await readSeriesFolder(holdout, signal),
    training: trained === undefined ? undefined : await readSeriesFolder(trained, signal),
  };
}

async function isThere(path: string): Promise<boolean> {
  return (await ifThere(stat(path))) !== undefined;
}

/** A disk that fails has not lost its files: what cannot be read must not be held against the candidate. */
function ifThere<T>(found: Promise<T>): Promise<T | undefined> {
  return found.catch((error: unknown) => {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new ForesailError('FILE_UNREADABLE', 'transient', messageOf(error), { cause: error });
  });
}

function bytesOf(path: string, flag: string): Promise<Buffer> {
  return readFile(path).catch((cause: unknown) => {
    throw new ForesailError('FILE_MISSING', 'terminal', `${flag} ${path}: ${messageOf(cause)}`, {
      subject: flag,
      cause,
    });
  });
}

function putOptions(flags: GateFlags, progress: Pick<Progress, 'note'>) {
  return {
    guard: { allowed: new Set(flags.allowAddress), apiServers: apiServersOfPod },
    allowHttp: flags.allowHttp === true,
    allowFile: true,
    claims: flags.claims,
    retries: { note: (text: string) => progress.note(text) },
    ...(flags.credentials === undefined ? {} : { credentials: flags.credentials }),
    ...(flags.workloadIdentity === true ? { identity: process.env } : {}),
  };
}

function improvement(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value > -1 && value < 1) return value;
  throw new InvalidArgumentError(`"${text}" is not a share such as 0.01.`);
}
