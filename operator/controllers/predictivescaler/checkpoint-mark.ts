/**
 * What of a scaler's memory is worth a write. Every look moves some digit of what was learned, so "it has changed" would
 * mean a write per scaler every ten minutes for ever. The mark is a coarse picture: it differs when a restart from
 * the old checkpoint would decide otherwise in a way that somebody could notice.
 */
import type { DecisionMemory } from '../../decision/types.ts';
import type { LearnedState } from './learned.ts';
import type { StoredVerdict } from './stored-verdict.ts';

const DAY_MS = 86_400_000;

export function markOf(
  learned: LearnedState,
  decision: DecisionMemory | undefined,
  target: string,
  verdict?: StoredVerdict,
): string {
  return JSON.stringify([
    target,
    learned.leadTime.witnessed,
    learned.metrics.map(metricMark),
    memoryMark(decision),
    verdict && [verdict.of, verdict.state.recommendation, verdict.state.losses],
  ]);
}

function metricMark({ key, capacity, learner, drift }: LearnedState['metrics'][number]): unknown {
  return [
    key,
    capacity && [scale(capacity.borne.length), scale(median(capacity.borne)), capacity.ceiling],
    learner && [
      learner.contest.leader,
      learner.calibrations.map(({ by, state: { coverage, horizons } }) => [
        by,
        coverage,
        horizons.map(({ shift = 0, settled, scores }) => [
          Math.round(shift),
          scale(settled),
          scale(upperTenth(scores)),
        ]),
      ]),
    ],
    drift && [
      drift.by,
      drift.digest,
      Object.values(drift.monitor.signs).map(({ upSinceMs }) => upSinceMs),
      // A day of errors more to compare with.
      Math.floor((drift.monitor.lastMs ?? 0) / DAY_MS),
    ],
  ];
}

function memoryMark(memory: DecisionMemory | undefined): unknown {
  return (
    memory && [
      memory.recommendations.map(({ replicas }) => replicas),
      memory.scaleUps,
      memory.scaleDowns,
      memory.unknownSinceMs,
      Object.entries(memory.outliers).map(([key, { acceptedMilli }]) => [key, scale(acceptedMilli)]),
    ]
  );
}

/** In steps of about 40 %. */
function scale(value: number): number {
  return Math.sign(value) * Math.round(2 * Math.log2(1 + Math.abs(value)));
}

function median(values: readonly number[]): number {
  return sorted(values)[Math.floor(values.length / 2)] ?? 0;
}

/** In tenths, since scores are of the order of one. */
function upperTenth(scores: readonly number[]): number {
  return 10 * (sorted(scores)[Math.floor(0.9 * scores.length)] ?? 0);
}

function sorted(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}
