/**
 * Gate `Data`: could anything be learned from what was trained on, and can anything be told on what is tested? A
 * degenerate set (constant, unknown, shuffled in time, too little) never passes, however well the candidate scores.
 */

import { faultOfSeries, percent } from './series-faults.ts';
import type { FolderSeries, SeriesFolder } from './series-folder.ts';
import { timeOrder } from './time-order.ts';
import type { GateResult, SeriesNote } from './types.ts';

export interface DataGateInput {
  /** Undefined when the training folder is not there. */
  readonly training: SeriesFolder | undefined;
  readonly holdout: SeriesFolder;
  /** Nothing from here on may have been seen in training, where a source has no bound of its own. */
  readonly validateEndMs: number;
}

/** A set of which more than this is no load is refused; single bad series are the trainer's to drop. */
const MOST_FAULTY = 0.5;
/** Series whose training part is rough where their test part is smooth. */
const MOST_ROUGHER = 0.1;
/** Values of one training series that differ from the history at the same times: both folders are made of the same. */
const MOST_DIFFERENT = 0.01;
const SAME = 1e-4;
/** Of a test part. */
const LEAST_TEST_STEPS = 100;
const MINUTE_MS = 60_000;
const LEAST_TEST_MINUTES = 360;

export function dataGate({ training, holdout, validateEndMs }: DataGateInput): GateResult {
  const tested = holdout.series.map((one) => part(one, endOf(one, validateEndMs), Number.POSITIVE_INFINITY));
  const testable = tested.filter((one) => faultOfSeries(one) === undefined && isLong(one));
  const trained = training?.series ?? [];
  const faulty = notesOf(trained);
  const rougher = training === undefined ? [] : rougherThanTest(training, tested);
  const different = training === undefined ? undefined : differing(training, holdout);
  const faultyShare = share(faulty.length, trained.length);
  const rougherShare = share(rougher.length, trained.length);
  const measured = {
    trainingSeries: trained.length,
    faultyShare,
    rougherShare,
    differentShare: different?.share ?? null,
    testableSeries: testable.length,
  };
  const required = {
    trainingSeries: 1,
    faultyShare: MOST_FAULTY,
    rougherShare: MOST_ROUGHER,
    differentShare: MOST_DIFFERENT,
    testableSeries: 1,
  };
  const complaints = [
    training === undefined ? 'the training folder is missing' : undefined,
    training !== undefined && trained.length === 0 ? 'the training folder has no series' : undefined,
    (faultyShare ?? 0) > MOST_FAULTY
      ? `${faulty.length} of ${trained.length} training series cannot teach anything: ${told(faulty)}`
      : undefined,
    (rougherShare ?? 0) > MOST_ROUGHER
      ? `the times of ${rougher.length} of ${trained.length} training series look shuffled beside what came after: ${told(rougher)}`
      : undefined,
    (different?.share ?? 0) > MOST_DIFFERENT
      ? `${percent(different?.share ?? 0)} of the training values of ${different?.series ?? ''} differ from the history at the same times`
      : undefined,
    testable.length === 0
      ? `nothing can be tested after ${iso(validateEndMs)}: ${told(notesOf(tested, isLong))}`
      : undefined,
  ].filter((one) => one !== undefined);
  return {
    name: 'Data',
    verdict: complaints.length === 0 ? 'Pass' : 'Fail',
    measured,
    required,
    message:
      complaints.length === 0
        ? `${trained.length - faulty.length} of ${trained.length} training series are sound, ${testable.length} can be tested`
        : complaints.join('; '),
  };
}

/** Where the test part of a series begins. */
export function endOf(series: FolderSeries, validateEndMs: number): number {
  return series.validateEndMs ?? validateEndMs;
}

/** Steps of a series inside [fromMs, toMs). */
export function part(series: FolderSeries, fromMs: number, toMs: number): FolderSeries {
  const { startMs, stepMs, values } = series;
  const index = (ms: number): number =>
    Math.min(Math.max(Math.ceil((ms - startMs) / stepMs), 0), values.length);
  const from = index(fromMs);
  return { ...series, startMs: startMs + from * stepMs, values: values.subarray(from, index(toMs)) };
}

function isLong({ values, stepMs }: FolderSeries): boolean {
  return values.length >= LEAST_TEST_STEPS && values.length * stepMs >= LEAST_TEST_MINUTES * MINUTE_MS;
}

function notesOf(
  all: readonly FolderSeries[],
  also: (one: FolderSeries) => boolean = () => true,
): SeriesNote[] {
  return all.flatMap((one) => {
    const reason = faultOfSeries(one) ?? (also(one) ? undefined : `${one.values.length} steps are too few`);
    return reason === undefined ? [] : [{ series: one.name, reason }];
  });
}

/** Shuffled times make a smooth load rough; a load that is rough by nature is as rough afterwards. */
function rougherThanTest(training: SeriesFolder, tested: readonly FolderSeries[]): SeriesNote[] {
  const later = new Map(tested.map((one) => [one.name, one]));
  return training.series.flatMap((one) => {
    const other = later.get(one.name);
    if (other === undefined || !isLong(other)) return [];
    const [before, after] = [timeOrder(one.values), timeOrder(other.values)];
    const suspicious = before.roughness > 0.25 + 4 * after.roughness;
    const reason = `roughness ${before.roughness.toFixed(2)}, later ${after.roughness.toFixed(2)}`;
    return suspicious ? [{ series: one.name, reason }] : [];
  });
}

/**
 * Of the series of which it is the most: share of steps, known in both folders at the same time, whose values are not
 * the same. The holdout repeats the history before the test part, so a training folder that was changed afterwards is
 * found out. Undefined where the folders share nothing.
 */
function differing(training: SeriesFolder, holdout: SeriesFolder): Differing | undefined {
  const whole = new Map(holdout.series.map((one) => [one.name, one]));
  let worst: Differing | undefined;
  for (const one of training.series) {
    const other = whole.get(one.name);
    const different = other === undefined ? undefined : differentShare(one, other);
    if (different === undefined || different < (worst?.share ?? 0)) continue;
    worst = { series: one.name, share: different };
  }
  return worst;
}

interface Differing {
  readonly series: string;
  readonly share: number;
}

function differentShare(one: FolderSeries, other: FolderSeries): number | undefined {
  const shift = (one.startMs - other.startMs) / one.stepMs;
  if (one.fault !== undefined || other.fault !== undefined) return undefined;
  if (one.stepMs !== other.stepMs || !Number.isInteger(shift)) return undefined;
  let both = 0;
  let unlike = 0;
  for (let i = 0; i < one.values.length; i++) {
    const a = one.values[i] ?? Number.NaN;
    const b = other.values[i + shift] ?? Number.NaN;
    if (Number.isNaN(a) || Number.isNaN(b)) continue;
    both++;
    if (Math.abs(a - b) > SAME * Math.max(Math.abs(a), Math.abs(b))) unlike++;
  }
  return both === 0 ? undefined : unlike / both;
}

function share(some: number, all: number): number | null {
  return all === 0 ? null : some / all;
}

/** The reasons, the commonest first, each with a series to look at. */
export function told(notes: readonly SeriesNote[]): string {
  const groups = [...Map.groupBy(notes, ({ reason }) => reason)].sort(([, a], [, b]) => b.length - a.length);
  return groups
    .slice(0, 3)
    .map(
      ([reason, some]) =>
        `${reason} (${some[0]?.series ?? ''}${some.length > 1 ? ` and ${some.length - 1} more` : ''})`,
    )
    .join(', ');
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
