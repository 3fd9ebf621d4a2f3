/**
 * Gate `Leakage`: what a candidate is tested on must not have been seen in its training. Looked at: whether the
 * lineage speaks of this very file and data, the times of the training points, copies of the test part among them, and
 * a score that no honest forecaster reaches.
 */
import { copiesOf } from './copies.ts';
import { endOf, part } from './data-gate.ts';
import type { Lineage } from './lineage.ts';
import { percent } from './series-faults.ts';
import type { FolderSeries, SeriesFolder } from './series-folder.ts';
import type { GateResult } from './types.ts';

export interface LeakageGateInput {
  readonly lineage: Lineage;
  /** Of the candidate's file as it was found. */
  readonly sha256: string;
  readonly training: SeriesFolder | undefined;
  readonly holdout: SeriesFolder;
  /**
   * Loss of the candidate to that of the better of seasonal naive and the last value, geometric mean over series;
   * undefined where it was not measured.
   */
  readonly lossVsSimple: number | undefined;
}

/** Of stretches of 24 steps; by chance there are none. */
const MOST_COPIED = 0.005;
/** Below this share of the better simple forecast's loss a score is not believed: what ships reaches 0.7. */
export const LEAST_VS_SIMPLE = 0.2;

export function leakageGate(input: LeakageGateInput): GateResult {
  const { lineage, sha256, training, holdout, lossVsSimple } = input;
  const { data } = lineage;
  const validateEndMs = Date.parse(data.validateEnd);
  // What the holdout says holds for both: the training folder is what is under suspicion.
  const bounds = new Map(holdout.series.map((one) => [one.name, endOf(one, validateEndMs)]));
  const boundOf = (one: FolderSeries): number => bounds.get(one.name) ?? endOf(one, validateEndMs);
  const late = training?.series.map((one) => part(one, boundOf(one), Number.POSITIVE_INFINITY)) ?? [];
  const latePoints = late.reduce((sum, { values }) => sum + known(values), 0);
  const copies = copiesOf(
    holdout.series.map((one) => part(one, boundOf(one), Number.POSITIVE_INFINITY)),
    holdout.series.map((one) => part(one, Number.NEGATIVE_INFINITY, boundOf(one))),
    training?.series ?? [],
  );
  const copied = copies.stretches === 0 ? null : copies.found / copies.stretches;
  const firstLate = late.find(({ values }) => known(values) > 0);
  const complaints = [
    lineage.sha256 === sha256
      ? undefined
      : `the lineage is of another file: its sha256 is ${lineage.sha256.slice(0, 12)}, the candidate's ${sha256.slice(0, 12)}`,
    data.sha256 === undefined || training === undefined || data.sha256 === training.sha256
      ? undefined
      : 'the training folder is not the one of the lineage: the digests of their manifests differ',
    Date.parse(data.trainEnd) <= validateEndMs
      ? undefined
      : `the lineage trains until ${data.trainEnd}, after its validateEnd ${data.validateEnd}`,
    [...bounds.values()].every((end) => end <= validateEndMs)
      ? undefined
      : `a source of the holdout is validated after the lineage's validateEnd ${data.validateEnd}`,
    latePoints === 0
      ? undefined
      : `${latePoints} training points lie in the test part (${firstLate?.name ?? ''})`,
    copied === null || copied <= MOST_COPIED ? undefined : copyText(copied, copies.example),
    lossVsSimple === undefined || lossVsSimple >= LEAST_VS_SIMPLE
      ? undefined
      : `its loss is ${percent(lossVsSimple)} of the better simple forecast's: no honest forecaster is that good`,
  ].filter((one) => one !== undefined);
  return {
    name: 'Leakage',
    verdict: complaints.length === 0 ? 'Pass' : 'Fail',
    measured: { latePoints, copiedShare: copied, lossVsSimple: lossVsSimple ?? null },
    required: { latePoints: 0, copiedShare: MOST_COPIED, lossVsSimple: LEAST_VS_SIMPLE },
    message:
      complaints.length === 0 ? 'nothing of the test part was seen in training' : complaints.join('; '),
  };
}

function copyText(share: number, example: ReturnType<typeof copiesOf>['example']): string {
  const hours = ((example?.aheadMs ?? 0) / 3_600_000).toFixed(1).replace(/\.0$/, '');
  return `${percent(share)} of the test part stands among the training data (${example?.series ?? ''} in ${example?.training ?? ''}, moved by ${hours} h)`;
}

function known(values: Float64Array): number {
  let count = 0;
  for (const value of values) if (!Number.isNaN(value)) count++;
  return count;
}
