/**
 * History for a run: of the PredictiveScalers that its selector names, in its own namespace. A run is a tenant's, so
 * this is the place where one tenant must never see another one's load.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ForesailError } from '../errors.ts';
import type { PastCopies, PastCopy } from '../history/past-copy.ts';
import type { PastSeries } from '../history/past-copy-messages.ts';
import type { HistoryStore, SeriesKey } from '../history/types.ts';
import { formatSelector, type Labels, parseSelector } from '../labels.ts';
import { RecentMap } from '../metricsources/recent-map.ts';
import type { AttemptFacts } from './types.ts';

/** A scaler with the loads that history keeps of it. */
export interface ScalerSeries {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels | undefined;
  readonly series: readonly { readonly key: SeriesKey; readonly metric: string }[];
}

/** @param namespace undefined: of every namespace */
export type ScalerLookup = (namespace: string | undefined) => readonly ScalerSeries[];

export interface DataExportOptions {
  readonly history: Pick<HistoryStore, 'span' | 'window'>;
  /** What is on disk, which is more than memory holds; absent: memory is all. */
  readonly past?: PastCopies | undefined;
  readonly scalers: ScalerLookup;
  /** Where alone a run may ask for the history of every namespace. */
  readonly operatorNamespace: string;
  /** Load time, in ms. */
  readonly now: () => number;
  readonly maxSeries: number;
  /** Of one answer. */
  readonly maxPoints: number;
}

/** Times are seconds since 1970, of the start of a step. */
export interface ListedSeries {
  readonly key: string;
  readonly namespace: string;
  readonly scaler: string;
  readonly metric: string;
  readonly stepSeconds: number;
  readonly firstTime: number;
  readonly lastTime: number;
  /** Steps that are known, at most: those before the run's window may be counted too. */
  readonly known: number;
}

export interface SeriesPart {
  readonly key: string;
  readonly t0: number;
  readonly stepSeconds: number;
  /** NaN is unknown. */
  readonly values: Float64Array;
}

export interface DataExport {
  /**
   * @throws ForesailError `DATA_TOO_LARGE`, `DATA_ELSEWHERE` or `DATA_FORBIDDEN`; `DATA_PREPARING` (transient) while the
   * past on disk is being copied
   */
  list(namespace: string, attempt: number, facts: AttemptFacts): Promise<readonly ListedSeries[]>;
  /**
   * Steps that begin in [from, to), of a series by its place in the list.
   *
   * @throws ForesailError as `list`, and `DATA_RANGE_INVALID`
   */
  read(
    namespace: string,
    attempt: number,
    facts: AttemptFacts,
    index: number,
    range: { readonly from?: number | undefined; readonly to?: number | undefined },
  ): Promise<SeriesPart>;
}

/** A list as it was given, and what of the past on disk belongs to it. */
interface Listing {
  readonly series: readonly ListedSeries[];
  /** By the same index; undefined where memory is all. */
  readonly older: readonly PastSeries[] | undefined;
}

const MAX_LISTS = 64;
/** The span of a series is counted step by step: after so many of them others get their turn. */
const SPANS_PER_TURN = 5;

export function createDataExport(options: DataExportOptions): DataExport {
  const { history, past, scalers, operatorNamespace, now, maxSeries, maxPoints } = options;
  /** What the indexes of an attempt mean, though scalers come and go while it reads. */
  const lists = new RecentMap<Listing>(MAX_LISTS);

  function dataOf(namespace: string, { data }: AttemptFacts): NonNullable<AttemptFacts['data']> {
    if (data === undefined)
      throw new ForesailError('DATA_ELSEWHERE', 'terminal', 'data: they do not come from PredictiveScalers');
    if (data.allNamespaces && namespace !== operatorNamespace)
      throw new ForesailError(
        'DATA_FORBIDDEN',
        'terminal',
        'data.predictiveScalers.allNamespaces: only a run in the operator’s namespace may have them',
      );
    return data;
  }

  /** The namespace is compared again: a lookup that returns too much must not be enough. */
  function selected(namespace: string, data: NonNullable<AttemptFacts['data']>): readonly ScalerSeries[] {
    const selector = parseSelector(formatSelector(data.selector));
    return scalers(data.allNamespaces ? undefined : namespace).filter(
      (scaler) =>
        (data.allNamespaces || scaler.namespace === namespace) && selector.matches(scaler.labels ?? {}),
    );
  }

  function listedOf(scaler: ScalerSeries, key: SeriesKey, metric: string, oldestMs: number) {
    const span = history.span(key);
    if (span === undefined || span.lastMs < oldestMs) return undefined;
    // A step that is no whole number of seconds is widened to one.
    const stepMs = Math.ceil(span.stepMs / 1000) * 1000;
    const firstMs = Math.floor(Math.max(span.firstMs, oldestMs) / stepMs) * stepMs;
    const lastMs = Math.floor(span.lastMs / stepMs) * stepMs;
    return {
      key,
      namespace: scaler.namespace,
      scaler: scaler.name,
      metric,
      stepSeconds: stepMs / 1000,
      firstTime: firstMs / 1000,
      lastTime: lastMs / 1000,
      known: Math.min(span.known, (lastMs - firstMs) / stepMs + 1),
    };
  }

  async function list(namespace: string, attempt: number, facts: AttemptFacts): Promise<Listing> {
    const data = dataOf(namespace, facts);
    const all = selected(namespace, data).flatMap((scaler) =>
      scaler.series.map(({ key, metric }) => ({ scaler, key, metric })),
    );
    if (all.length > maxSeries)
      throw new ForesailError(
        'DATA_TOO_LARGE',
        'terminal',
        `data.predictiveScalers.selector: it selects ${all.length} series, at most ${maxSeries} are handed out`,
      );
    const oldestMs = now() - data.windowMs;
    const listed: ListedSeries[] = [];
    for (const [i, { scaler, key, metric }] of all.entries()) {
      // oxlint-disable-next-line no-await-in-loop -- only to let others in
      if (i % SPANS_PER_TURN === SPANS_PER_TURN - 1) await nextTurn();
      const series = listedOf(scaler, key, metric, oldestMs);
      if (series !== undefined) listed.push(series);
    }
    listed.sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)));
    const older = await olderOf(listed, oldestMs);
    const copy = older === undefined ? undefined : copyOf(facts, attempt, older);
    const series = copy === undefined ? listed : listed.map((each, i) => withOlder(each, copy.series[i]));
    const listing = { series, older: copy === undefined ? undefined : older };
    lists.set(idOf(facts, attempt), listing);
    return listing;
  }

  /** What a copy of the disk must hold to go back as far as the window does; undefined when it has no more. */
  async function olderOf(
    listed: readonly ListedSeries[],
    oldestMs: number,
  ): Promise<readonly PastSeries[] | undefined> {
    if (listed.length === 0) return undefined;
    const memoryMs = Math.min(...listed.map(({ firstTime }) => firstTime * 1000));
    if (past === undefined || memoryMs <= oldestMs || !(await past.reachesBefore(memoryMs))) return undefined;
    return listed.map(({ key, stepSeconds, lastTime }) => {
      const stepMs = stepSeconds * 1000;
      const firstMs = Math.ceil(oldestMs / stepMs) * stepMs;
      return { key, stepMs, firstMs, steps: (lastTime * 1000 - firstMs) / stepMs + 1 };
    });
  }

  function copyOf(facts: AttemptFacts, attempt: number, older: readonly PastSeries[]): PastCopy | undefined {
    const state = past?.of(idOf(facts, attempt), () => older);
    if (state?.kind === 'preparing')
      throw new ForesailError('DATA_PREPARING', 'transient', 'data: the past is being read from disk');
    return state?.kind === 'ready' ? state.copy : undefined;
  }

  return {
    list: async (namespace, attempt, facts) => (await list(namespace, attempt, facts)).series,
    async read(namespace, attempt, facts, index, range) {
      dataOf(namespace, facts);
      const listing = lists.get(idOf(facts, attempt)) ?? (await list(namespace, attempt, facts));
      const series = listing.series[index];
      if (series === undefined) throw outOfRange('index', `there are ${listing.series.length} series`);
      const { key, stepSeconds: step, firstTime, lastTime } = series;
      // Nothing before the window of the run, and no step that is not over.
      const overAt = Math.floor(now() / 1000 / step) * step;
      const from = Math.max(firstTime, Math.ceil((range.from ?? firstTime) / step) * step);
      const to = Math.min(Math.ceil((range.to ?? lastTime + step) / step) * step, overAt);
      const count = Math.max(0, (to - from) / step);
      if (count > maxPoints)
        throw outOfRange('to', `${count} points are asked for, at most ${maxPoints} at a time`);
      const part = { key, t0: from, stepSeconds: step };
      if (count === 0) return { ...part, values: new Float64Array(0) };
      const values = history.window(key, (to - step) * 1000, step * 1000, count);
      const copy = listing.older === undefined ? undefined : copyOf(facts, attempt, listing.older);
      // What memory knows is newer.
      const older = await copy?.read(index, from * 1000, count);
      older?.forEach((value, i) => {
        if (Number.isNaN(values[i])) values[i] = value;
      });
      return { ...part, values };
    },
  };
}

function idOf({ uid }: AttemptFacts, attempt: number): string {
  return `${uid}/${attempt}`;
}

function withOlder(series: ListedSeries, copied: PastCopy['series'][number] | undefined): ListedSeries {
  const firstTime = (copied?.knownFromMs ?? Infinity) / 1000;
  if (firstTime >= series.firstTime) return series;
  const steps = (series.lastTime - firstTime) / series.stepSeconds + 1;
  return { ...series, firstTime, known: Math.min(series.known + (copied?.known ?? 0), steps) };
}

function outOfRange(field: string, why: string): ForesailError {
  return new ForesailError('DATA_RANGE_INVALID', 'terminal', `${field}: ${why}`, { subject: field });
}
