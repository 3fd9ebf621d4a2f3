/**
 * All gates of one candidate, each whatever the others say: who reads a report wants to know everything that is wrong,
 * not the first of it. Models come opened: where they run is their opener's matter, and never here.
 */
import { ForesailError, messageOf } from '../errors.ts';
import type { Forecaster } from '../forecast/types.ts';
import type { OnnxModel } from '../inference/types.ts';
import { calibrationGate } from './calibration-gate.ts';
import { contractGate } from './contract-gate.ts';
import { dataGate } from './data-gate.ts';
import { decisionsOn, type SeriesDecisions } from './decisions.ts';
import { decisionsGate } from './decisions-gate.ts';
import { type ForecastVerdict, forecastGate, headline } from './forecast-gate.ts';
import type { GoldenVectors } from './golden.ts';
import { leakageGate } from './leakage-gate.ts';
import type { Lineage } from './lineage.ts';
import { faultOfSeries } from './series-faults.ts';
import type { FolderSeries, SeriesFolder } from './series-folder.ts';
import type { GateName, GateResult, GateScores, SeriesNote } from './types.ts';
import { scoreWindows, type WindowScores } from './window-scores.ts';

export interface GateInput {
  readonly candidate: OnnxModel;
  readonly incumbent: OnnxModel | undefined;
  /** Hex digest of the candidate's file. */
  readonly sha256: string;
  readonly golden: GoldenVectors | string;
  readonly lineage: Lineage;
  readonly training: SeriesFolder | undefined;
  /** History of each series, the test part at its end. */
  readonly holdout: SeriesFolder;
  readonly minImprovement: number;
  readonly limits?: Partial<GateLimits>;
}

/** What the run may cost; series and origins beyond are thinned evenly. */
export interface GateLimits {
  readonly horizonsMs: readonly number[];
  /** Windows that each model forecasts for the scores. */
  readonly windows: number;
  readonly mostOriginsPerSeries: number;
  /** Series whose decisions are simulated. */
  readonly simulatedSeries: number;
  /** Steps that each model forecasts for the decisions. */
  readonly simulatedSteps: number;
}

export const GATE_LIMITS: GateLimits = {
  horizonsMs: [900_000, 3_600_000],
  windows: 100_000,
  mostOriginsPerSeries: 2000,
  simulatedSeries: 12,
  simulatedSteps: 120_000,
};

export interface GateOutcome {
  readonly verdict: 'Pass' | 'Fail';
  readonly failed: readonly GateName[];
  readonly gates: readonly GateResult[];
  readonly scores: GateScores | undefined;
  readonly windows: readonly WindowScores[];
  readonly decisions: readonly SeriesDecisions[];
  /** Series that were not scored, or not simulated. */
  readonly skipped: readonly SeriesNote[];
}

export type OnGateProgress = (what: string, done: number, all: number) => void;

/** @throws the signal's reason; INCUMBENT_FAILED (transient) when the incumbent stops answering: that is no verdict */
export async function runGates(
  input: GateInput,
  onProgress: OnGateProgress,
  signal: AbortSignal,
): Promise<GateOutcome> {
  const limits = { ...GATE_LIMITS, ...input.limits };
  const { candidate, incumbent, sha256, golden, lineage, training, holdout, minImprovement } = input;
  const validateEndMs = Date.parse(lineage.data.validateEnd);
  const data = dataGate({ training, holdout, validateEndMs });
  const contract = await contractGate({ candidate, golden, sha256 }, signal);
  const skipped: SeriesNote[] = [];
  const usable = holdout.series.filter((one) => {
    const reason = faultOfSeries(one);
    if (reason !== undefined) skipped.push({ series: one.name, reason });
    return reason === undefined;
  });
  const rival = incumbent && watched(incumbent);
  const models = { candidate, incumbent: rival?.model };
  const answers = candidate.state.phase === 'ready';
  const run = { models, limits, validateEndMs, skipped, onProgress, signal };
  const scored = answers ? await guarded(() => scoreAll(usable, run), signal) : [];
  const decided = answers ? await guarded(() => decideAll(usable, run), signal) : [];
  rival?.throwIfFailed();
  const windows = Array.isArray(scored) ? scored : [];
  const decisions = Array.isArray(decided) ? decided : [];
  const forecast = forecastGate({ scores: windows, hasIncumbent: incumbent !== undefined, minImprovement });
  const against = incumbent === undefined ? 'HPA' : 'incumbent';
  const lossVsSimple = forecast.vsSimple;
  const gates: GateResult[] = [
    data,
    leakageGate({ lineage, sha256, training, holdout, lossVsSimple }),
    contract,
    notMeasured(forecast.result, answers, scored),
    notMeasured(calibrationGate(windows), answers, scored),
    notMeasured(decisionsGate({ decisions, skipped, against }), answers, decided),
  ];
  return verdictOf(gates, { forecast, windows, decisions, skipped });
}

interface Run {
  readonly models: { readonly candidate: Forecaster; readonly incumbent: Forecaster | undefined };
  readonly limits: GateLimits;
  readonly validateEndMs: number;
  readonly skipped: SeriesNote[];
  readonly onProgress: OnGateProgress;
  readonly signal: AbortSignal;
}

async function scoreAll(
  series: readonly FolderSeries[],
  { models, limits, validateEndMs, skipped, onProgress, signal }: Run,
): Promise<WindowScores[]> {
  const mostOrigins = Math.max(
    Math.min(Math.floor(limits.windows / Math.max(series.length, 1)), limits.mostOriginsPerSeries),
    50,
  );
  const options = { validateEndMs, horizonsMs: limits.horizonsMs, mostOrigins };
  const all: WindowScores[] = [];
  for (const [i, one] of series.entries()) {
    onProgress('scoring', i, series.length);
    // oxlint-disable-next-line no-await-in-loop -- one processor
    const scores = await scoreWindows(one, models, options, signal);
    if (scores.length === 0)
      skipped.push({ series: one.name, reason: 'no window of its test part can be scored' });
    all.push(...scores);
  }
  onProgress('scoring', series.length, series.length);
  return all;
}

async function decideAll(
  series: readonly FolderSeries[],
  { models, limits, validateEndMs, skipped, onProgress, signal }: Run,
): Promise<SeriesDecisions[]> {
  const decisions: SeriesDecisions[] = [];
  if (limits.simulatedSeries === 0) return decisions;
  const stride = Math.max(1, Math.ceil(series.length / limits.simulatedSeries));
  let steps = 0;
  for (let i = 0; i < series.length; i += stride) {
    const one = series[i];
    if (
      one === undefined ||
      steps + one.values.length > limits.simulatedSteps + one.values.length * Number(steps === 0)
    )
      continue;
    onProgress('deciding', i, series.length);
    // oxlint-disable-next-line no-await-in-loop -- one processor
    const decided = await decisionsOn(one, models, validateEndMs, signal);
    if (typeof decided === 'string') skipped.push({ series: one.name, reason: `not simulated: ${decided}` });
    else {
      decisions.push(decided);
      steps += one.values.length;
    }
  }
  onProgress('deciding', series.length, series.length);
  return decisions;
}

/** Its failure is remembered, for simulations go on without a model that fails: they would judge the candidate by it. */
function watched(model: OnnxModel): { readonly model: Forecaster; throwIfFailed(): void } {
  let failure: ForesailError | undefined;
  return {
    model: {
      id: model.id,
      forecast: async (windows, signal) => {
        try {
          return await model.forecast(windows, signal);
        } catch (cause) {
          signal.throwIfAborted();
          failure ??= new ForesailError(
            'INCUMBENT_FAILED',
            'transient',
            `the incumbent stopped answering: ${messageOf(cause)}`,
            { cause },
          );
          throw failure;
        }
      },
    },
    throwIfFailed() {
      if (failure !== undefined) throw failure;
    },
  };
}

/** What a candidate throws in the middle of a run is its own fault, and told as such. */
async function guarded<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T | string> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    return messageOf(error);
  }
}

function notMeasured(result: GateResult, answers: boolean, measured: unknown): GateResult {
  if (!answers) return { ...result, verdict: 'Skip', message: 'not measured: the candidate is refused' };
  if (typeof measured === 'string')
    return { ...result, verdict: 'Fail', message: `a model stopped answering: ${measured}` };
  return result;
}

function verdictOf(
  gates: readonly GateResult[],
  rest: Pick<GateOutcome, 'windows' | 'decisions' | 'skipped'> & { readonly forecast: ForecastVerdict },
): GateOutcome {
  const { forecast, windows, decisions, skipped } = rest;
  const failed = gates.filter(({ verdict }) => verdict === 'Fail').map(({ name }) => name);
  return {
    verdict: failed.length === 0 ? 'Pass' : 'Fail',
    failed,
    gates,
    scores: windows.length === 0 ? undefined : headline(windows, forecast),
    windows,
    decisions,
    skipped,
  };
}
