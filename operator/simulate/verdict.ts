/**
 * May the forecast act? The judgement of one replay, and the verdict over many of them.
 *
 * Active takes proof: a forecast that knows something, keeps its coverage, does better than HPA at the same target, and
 * is not what a lower target of HPA would give for less. It takes several replays in a row, more after each
 * loss, so that a load at the border does not swing. A clear loss ends it at once, a lasting lack of proof soon.
 */
import type { Objective, VerdictOnForecast } from '../decision/types.ts';
import type { Replay } from './replay.ts';

export type JudgementReason =
  | 'BetterThanHpa'
  /** Clear losses. */
  | 'WorseThanHpa'
  | 'TooDear'
  /** No proof. */
  | 'NotPredictable'
  | 'NothingToGain'
  | 'CoverageMissed'
  | 'NotBetter'
  | 'TunedHpaIsCheaper';

export interface Judgement {
  readonly kind: 'good' | 'weak' | 'bad';
  readonly reason: JudgementReason;
  /** For people, one sentence. */
  readonly message: string;
}

export const VERDICT_RULES = {
  /** Least skill (skill.ts): estimates of one and the same quantile differ by less by chance. */
  skill: 0.1,
  /** Realised coverage may miss the asked one by so much. */
  coverage: 0.03,
  /** Availability: our short minutes as a share of HPA's, at most. */
  minutes: 0.8,
  /** Availability: our replica-hours as a multiple of HPA's; above the second one it is a loss. */
  hours: 1.25,
  ruinousHours: 1.5,
  /** Efficiency: our replica-hours as a share of HPA's, at most. */
  efficientHours: 0.97,
  /** What noise makes of equal things. */
  slack: 0.02,
  /** Minutes per day that nobody notices. */
  minutesPerDay: 2,
  /** Replays in a row that prove it the first time; doubled with each loss up to the last number. */
  proofs: 2,
  mostProofs: 16,
  /** Replays in a row without proof that end it. */
  patience: 3,
  /** Losses are forgiven after so long in mode Active. */
  forgivenMs: 7 * 86_400_000,
} as const;

const R = VERDICT_RULES;

export function judge(replay: Replay, objective: Objective): Judgement {
  const { ours, hpa, coverage, skill, tunedHpaReplicaHours: tuned } = replay;
  const days = (replay.toMs - replay.fromMs) / 86_400_000;
  const unnoticed = R.minutesPerDay * days;
  const numbers = comparison(replay);
  const say = (kind: Judgement['kind'], reason: JudgementReason, why: string): Judgement => ({
    kind,
    reason,
    message: `${why}: ${numbers}`,
  });

  const longerShort = ours.underProvisionedMinutes > hpa.underProvisionedMinutes * 1.1 + unnoticed;
  if (objective === 'Availability') {
    if (longerShort) return say('bad', 'WorseThanHpa', 'short for longer than HPA');
    if (ours.replicaHours > hpa.replicaHours * R.ruinousHours)
      return say('bad', 'TooDear', 'far dearer than HPA');
  } else {
    const promised = 100 * (1 - coverage.asked);
    if (longerShort && ours.tauU > 2 * promised)
      return say('bad', 'WorseThanHpa', 'short for longer than HPA and than the asked coverage allows');
    if (!longerShort && ours.replicaHours > hpa.replicaHours * (1 + R.slack) && ours.tauU >= hpa.tauU)
      return say('bad', 'TooDear', 'dearer than HPA and no better');
  }

  if (skill === null || skill < R.skill)
    return say('weak', 'NotPredictable', 'the forecast knows no more than the range of the last day');
  if (coverage.realised === null || coverage.realised < coverage.asked - R.coverage)
    return say(
      'weak',
      'CoverageMissed',
      `coverage of ${percent(coverage.realised)} instead of ${percent(coverage.asked)}`,
    );
  if (objective === 'Availability') {
    if (hpa.underProvisionedMinutes <= unnoticed / 2)
      return say('weak', 'NothingToGain', 'HPA is hardly ever short on this load');
    if (ours.underProvisionedMinutes > hpa.underProvisionedMinutes * R.minutes)
      return say('weak', 'NotBetter', 'hardly less short than HPA');
    if (ours.replicaHours > hpa.replicaHours * R.hours)
      return say('weak', 'TooDear', 'less short than HPA, but dear');
  } else {
    // Efficiency holds the asked coverage with the fewest replicas. An HPA that does not hold it is no measure of cost.
    const promised = 100 * (1 - coverage.asked);
    const repairs =
      hpa.tauU > promised && ours.tauU <= promised && ours.replicaHours <= hpa.replicaHours * R.hours;
    if (!repairs && ours.replicaHours > hpa.replicaHours * R.efficientHours)
      return say('weak', 'NotBetter', 'hardly cheaper than HPA');
  }
  if (tuned !== null && ours.replicaHours > tuned * (1 + R.slack))
    return say('weak', 'TunedHpaIsCheaper', 'an HPA with another target would do as well for less');
  return say('good', 'BetterThanHpa', 'better than HPA');
}

/** "12 min short instead of 80, 103.0 replica-hours instead of 98.5, over 72 h". */
export function comparison({ ours, hpa, fromMs, toMs }: Replay): string {
  return (
    `${minutes(ours.underProvisionedMinutes)} min short instead of ${minutes(hpa.underProvisionedMinutes)}, ` +
    `${ours.replicaHours.toFixed(1)} replica-hours instead of ${hpa.replicaHours.toFixed(1)}, ` +
    `over ${Math.round((toMs - fromMs) / 3_600_000)} h`
  );
}

function minutes(value: number): string {
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}

function percent(share: number | null): string {
  return share === null ? 'nothing' : `${(100 * share).toFixed(1)} %`;
}

/** Plain data that survives JSON; belongs to one load and one spec. */
export interface VerdictState {
  readonly recommendation: VerdictOnForecast;
  /** When the recommendation became what it is. */
  readonly sinceMs: number;
  readonly reason: JudgementReason;
  /** Good ones, and ones without proof, in a row. */
  readonly good: number;
  readonly weak: number;
  /** How often Active ended; each makes the next proof longer. */
  readonly losses: number;
}

/** Good replays in a row that Active takes. */
export function proofsNeeded(losses: number): number {
  return Math.min(R.proofs * 2 ** losses, R.mostProofs);
}

/** @param before undefined when this load was never judged */
export function revise(
  before: VerdictState | undefined,
  { kind, reason }: Judgement,
  nowMs: number,
): VerdictState {
  const was = before ?? { recommendation: 'Undecided', sinceMs: nowMs, reason, good: 0, weak: 0, losses: 0 };
  const forgiven = was.recommendation === 'Active' && nowMs - was.sinceMs >= R.forgivenMs;
  const losses = forgiven ? 0 : was.losses;
  const good = kind === 'good' ? was.good + 1 : 0;
  const weak = kind === 'weak' ? was.weak + 1 : 0;
  const next = recommendationAfter(was, kind, good, weak, losses);
  const lost = was.recommendation === 'Active' && next !== 'Active';
  return {
    recommendation: next,
    sinceMs: next === was.recommendation ? was.sinceMs : nowMs,
    reason,
    // Counted no further than they matter, so that a state at rest stays the same.
    good: Math.min(good, R.mostProofs),
    weak: Math.min(weak, R.patience),
    losses: lost ? losses + 1 : losses,
  };
}

function recommendationAfter(
  was: VerdictState | { readonly recommendation: VerdictOnForecast },
  kind: Judgement['kind'],
  good: number,
  weak: number,
  losses: number,
): VerdictOnForecast {
  if (was.recommendation === 'Active') return kind === 'bad' || weak >= R.patience ? 'Shadow' : 'Active';
  if (kind !== 'good') return 'Shadow';
  return good >= proofsNeeded(losses) ? 'Active' : was.recommendation;
}
