/** Scores one series: every contender at every horizon, beside the reference of all ratios. */
import type { Forecaster } from '../../forecast/types.ts';
import { naiveForecasts } from './naive.ts';
import { leadOf, protocolOf } from './protocol.ts';
import { CALIBRATED, type EvaluationNote, type EvaluationResult } from './report-types.ts';
import { type Lead, resultOf, type Scored } from './result.ts';
import { rollForecasts } from './rolling.ts';
import type { Scene } from './scene.ts';

const DAY_MS = 86_400_000;

export interface Contender {
  readonly model: string;
  /**
   * For this series alone; what they fit belongs to it. Of several the first is preferred and the others compete with it,
   * as in the operator: what the leader says is scored.
   */
  readonly open: () => readonly Forecaster[];
  /** Windows per call of the first. */
  readonly batch: number;
  /** Origins per series at most, spread evenly; Infinity for every step. */
  readonly maxOrigins: number;
  /** Adds the contender MODEL + CALIBRATED; needs every step. */
  readonly calibrated: boolean;
  /** The series, or its source, is named among the model's training data. */
  readonly trainedOn: (series: string) => boolean;
}

/** Contenders that need no forecaster: lags in steps of a day, a week, and the last value. */
export const NAIVE: readonly { readonly model: string; readonly summary: string; readonly days: number }[] = [
  { model: 'naive-last', summary: 'the last value, with the quantiles of its errors in training', days: 0 },
  {
    model: 'naive-day',
    summary: 'the value a day ago, with the quantiles of its errors in training',
    days: 1,
  },
  {
    model: 'naive-week',
    summary: 'the value a week ago, with the quantiles of its errors in training',
    days: 7,
  },
];

export interface SeriesScores {
  readonly results: readonly EvaluationResult[];
  readonly skipped: readonly EvaluationNote[];
}

export interface ScoreOptions {
  readonly horizonsMs: readonly number[];
  readonly naive: readonly string[];
  /** Leave a series that a model was trained on out of that model's aggregate. */
  readonly excludeTrained: boolean;
}

export async function scoreSeries(
  scene: Scene,
  contenders: readonly Contender[],
  options: ScoreOptions,
  signal: AbortSignal,
): Promise<SeriesScores> {
  const series = scene.name;
  const protocol = protocolOf(scene);
  if (typeof protocol === 'string') return { results: [], skipped: [{ series, reason: protocol }] };
  const scored: Scored = { scene, protocol, excludeTrained: options.excludeTrained };
  const outcomes: Outcome[] = [];
  const leads: Lead[] = [];
  for (const horizonMs of options.horizonsMs) {
    const horizonSeconds = horizonMs / 1000;
    const steps = leadOf(horizonMs, scene.stepMs);
    if (typeof steps === 'string') outcomes.push({ series, horizonSeconds, reason: steps });
    else if (steps <= scene.truth.length - protocol.split) leads.push({ horizonSeconds, steps });
    else outcomes.push({ series, horizonSeconds, reason: 'the horizon is longer than the test part' });
  }
  if (leads.length > 0) {
    outcomes.push(...scoreNaive(scored, options.naive, leads));
    for (const contender of contenders) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other: they share the processor
      outcomes.push(...(await scoreContender(scored, contender, leads, signal)));
    }
  }
  return {
    results: outcomes.filter((outcome) => 'n' in outcome),
    skipped: outcomes.filter((outcome) => 'reason' in outcome),
  };
}

type Outcome = EvaluationResult | EvaluationNote;

function scoreNaive(scored: Scored, models: readonly string[], leads: readonly Lead[]): Outcome[] {
  const { scene, protocol } = scored;
  const origins = originsOf(scene, protocol.split, Number.POSITIVE_INFINITY);
  return NAIVE.filter(({ model }) => models.includes(model)).flatMap(({ model, days }): Outcome[] => {
    const season = days === 0 ? 1 : days * Math.round(DAY_MS / scene.stepMs);
    if (season < 1 || protocol.split <= 2 * season) {
      return [{ series: scene.name, model, reason: 'no two seasons in the training part' }];
    }
    const run = { model, trained: false, unanswered: 0, ...origins };
    return leads.map((lead) => {
      const { point, quantiles } = naiveForecasts(scene, protocol.split, origins.at, lead.steps, season);
      return resultOf(scored, run, lead, quantiles, point) ?? noForecast(scored, model, lead);
    });
  });
}

async function scoreContender(
  scored: Scored,
  { model, open, batch, maxOrigins, calibrated, trainedOn }: Contender,
  leads: readonly Lead[],
  signal: AbortSignal,
): Promise<Outcome[]> {
  const { scene, protocol } = scored;
  const origins = originsOf(scene, protocol.split, maxOrigins);
  const plan = {
    origins: origins.at,
    leads: leads.map(({ steps }) => steps),
    batch,
    calibrated: calibrated && origins.stride === 1,
  };
  const rolled = await rollForecasts(scene, open(), plan, signal);
  const run = { model, trained: trainedOn(scene.name), unanswered: rolled.unanswered, ...origins };
  return leads.flatMap((lead, l): Outcome[] => {
    const [own, band] = [rolled.quantiles[l], rolled.calibrated?.[l]];
    const result = own && resultOf(scored, run, lead, own);
    if (result === undefined) return [noForecast(scored, model, lead, rolled.complaint)];
    const lifted = band && resultOf(scored, { ...run, model: model + CALIBRATED }, lead, band);
    return lifted === undefined ? [result] : [result, lifted];
  });
}

function noForecast({ scene }: Scored, model: string, lead: Lead, complaint?: string): EvaluationNote {
  const { horizonSeconds, steps } = lead;
  return {
    series: scene.name,
    model,
    horizonSeconds,
    reason: complaint ?? `no forecast ${steps} steps ahead`,
  };
}

/** Every step of the test part has its origin one step before; the last step is nobody's origin. */
function originsOf({ truth }: Scene, split: number, most: number): { at: number[]; stride: number } {
  const count = truth.length - split;
  const stride = Math.max(Math.ceil(count / most), 1);
  return { at: Array.from({ length: Math.ceil(count / stride) }, (_, i) => split - 1 + i * stride), stride };
}
