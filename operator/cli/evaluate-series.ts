/** All that an evaluation makes of one series. Plain data goes in and comes out, so that it can run in another process. */
import type { EvaluationNote, EvaluationResult } from '../simulate/accuracy/report-types.ts';
import { type DisturbedScores, scoreDisturbed } from '../simulate/accuracy/scenarios.ts';
import type { Scene } from '../simulate/accuracy/scene.ts';
import { type Contender, type ScoreOptions, scoreSeries } from '../simulate/accuracy/score.ts';
import { seededRandom } from '../simulate/generated.ts';
import type { OpenOptions } from './evaluate-models.ts';
import type { OnProgress } from './farm/serve-jobs.ts';

export interface EvaluateJob {
  readonly scene: Scene;
  /** Of forecasters, as `openModels` takes them. */
  readonly names: readonly string[];
  readonly open: Omit<OpenOptions, 'clock'>;
  readonly options: ScoreOptions;
  /** Score disturbed loads too. */
  readonly scenarios: boolean;
}

export interface EvaluateDone {
  readonly results: readonly EvaluationResult[];
  readonly skipped: readonly EvaluationNote[];
  readonly disturbed: DisturbedScores | undefined;
}

/** Origins per series of a scenario: six runs of each forecaster instead of one. */
const SCENARIO_ORIGINS = 200;
/** Code, the runtime of the models, their files. */
const BASE_BYTES = 300e6;
/** The load itself, its quantiles, what forecasters keep of it. */
const BYTES_PER_STEP = 1500;

/** Memory that a job takes at its height, roughly. */
export function bytesOf({ scene }: EvaluateJob): number {
  return BASE_BYTES + BYTES_PER_STEP * scene.seen.length;
}

/** @param given contenders: those that the job names, opened */
export async function evaluateSeries(
  { scene, options, scenarios }: EvaluateJob,
  given: readonly Contender[],
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<EvaluateDone> {
  const contenders = given.map(
    (one, i): Contender => ({
      ...one,
      open() {
        onProgress('scoring', i, given.length);
        return one.open();
      },
    }),
  );
  const scores = await scoreSeries(scene, contenders, options, signal);
  if (!scenarios) return { ...scores, disturbed: undefined };
  const few = contenders.map(
    (one): Contender => ({ ...one, maxOrigins: SCENARIO_ORIGINS, calibrated: false }),
  );
  return { ...scores, disturbed: await scoreDisturbed(scene, few, options, () => seededRandom(1), signal) };
}
