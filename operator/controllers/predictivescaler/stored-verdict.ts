/** A verdict as a scaler remembers it, as a checkpoint keeps it and as a user sees it. */
import { z } from 'zod';
import type { PredictiveScalerStatus } from '../../api/index.ts';
import type { MetricPlan } from '../../decision/types.ts';
import { formatDuration } from '../../duration.ts';
import type { Replay } from '../../simulate/replay.ts';
import type { VerdictState } from '../../simulate/verdict.ts';
import { isForecastable } from './load.ts';
import type { OwnCondition } from './status.ts';

export interface StoredVerdict {
  /** Of which load and which spec it tells. */
  readonly of: string;
  readonly state: VerdictState;
  /** The last replay in one sentence, and in numbers. */
  readonly message: string;
  readonly replay: Replay;
}

const amount = z.number().min(0).max(1e12);
const share = z.number().min(-1e9).max(1e9);
const time = z.number().min(-8.64e15).max(8.64e15);
const side = z.object({ underProvisionedMinutes: amount, replicaHours: amount, tauU: amount });

const stored = z.object({
  of: z.string().min(1).max(64),
  state: z.object({
    recommendation: z.enum(['Active', 'Shadow', 'Undecided']),
    sinceMs: time,
    reason: z.enum([
      'BetterThanHpa',
      'WorseThanHpa',
      'TooDear',
      'NotPredictable',
      'NothingToGain',
      'CoverageMissed',
      'NotBetter',
      'TunedHpaIsCheaper',
    ]),
    good: z.int().min(0).max(1000),
    weak: z.int().min(0).max(1000),
    losses: z.int().min(0).max(1e6),
  }),
  message: z.string().max(1024),
  replay: z.object({
    fromMs: time,
    toMs: time,
    ours: side,
    hpa: side,
    tunedHpaReplicaHours: amount.nullable(),
    coverage: z.object({ asked: share, realised: share.nullable() }),
    skill: share.nullable(),
  }),
});

/** Undefined when it makes no sense: the proof then begins anew, in mode Shadow. */
export function parseVerdict(value: unknown): StoredVerdict | undefined {
  const parsed = stored.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

type StatusVerdict = NonNullable<PredictiveScalerStatus['verdict']>;

export function verdictStatus(verdict: StoredVerdict | undefined): StatusVerdict {
  if (verdict === undefined) return { recommendation: 'Undecided', reason: 'LowConfidence' };
  const { state, replay } = verdict;
  const { ours, hpa, coverage, fromMs, toMs } = replay;
  return {
    recommendation: state.recommendation,
    reason: state.reason,
    since: `${new Date(state.sinceMs).toISOString().slice(0, 19)}Z`,
    window: formatDuration(toMs - fromMs),
    underProvisionedMinutes: rounded(ours.underProvisionedMinutes),
    replicaHours: rounded(ours.replicaHours),
    hpaUnderProvisionedMinutes: rounded(hpa.underProvisionedMinutes),
    hpaReplicaHours: rounded(hpa.replicaHours),
    ...(coverage.realised === null ? {} : { coverage: coverage.realised.toFixed(4) }),
    againstHpa: `${change(ours.underProvisionedMinutes, hpa.underProvisionedMinutes)} short minutes at ${change(ours.replicaHours, hpa.replicaHours)} replica-hours`,
  };
}

/** Whether the forecast has proven itself, whatever the mode is: the mode of tomorrow may be Auto. */
export function provenCondition(
  verdict: StoredVerdict | undefined,
  metrics: readonly MetricPlan[],
): OwnCondition {
  const type = 'ForecastProven';
  if (!metrics.some(isForecastable))
    return {
      type,
      status: 'False',
      reason: 'NoForecastableMetric',
      message: 'every metric has a target of type Value',
    };
  if (verdict === undefined)
    return {
      type,
      status: 'Unknown',
      reason: 'LowConfidence',
      message: 'less than a day of this load is known, or it was not replayed yet',
    };
  const { state, message } = verdict;
  if (state.recommendation === 'Undecided')
    return {
      type,
      status: 'Unknown',
      reason: 'LowConfidence',
      message: `one replay is no proof yet; ${message}`,
    };
  const status = state.recommendation === 'Active' ? 'True' : 'False';
  return { type, status, reason: state.reason, message };
}

function rounded(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** "-62 %"; without a base there is no ratio. */
function change(ours: number, theirs: number): string {
  if (theirs === 0) return ours === 0 ? 'as few' : 'more';
  const percent = Math.round((100 * (ours - theirs)) / theirs);
  return `${percent > 0 ? '+' : ''}${percent} %`;
}
