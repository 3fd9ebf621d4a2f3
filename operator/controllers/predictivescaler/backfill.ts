/**
 * Fetches the past of a metric once, in the background: a scaler of five minutes' age then forecasts with two weeks of
 * history, and a slow Prometheus delays nobody's decision. What the forecaster would have said about that past seeds
 * the calibration, so that the first band is already a measured one.
 */
import type { MetricSpec } from '../../api/index.ts';
import type { Calendar, Clock } from '../../clock.ts';
import type { ForecastLearner } from '../../forecast/learner.ts';
import { buildWindow } from '../../forecast/window.ts';
import type { HistoryStore, SeriesKey } from '../../history/types.ts';
import type { ChainLink } from '../../inference/chain.ts';
import type { ForecastService } from '../../inference/types.ts';
import type { Logger } from '../../logger.ts';
import type { MetricSources } from '../../metricsources/types.ts';

export interface PastRequest {
  readonly seriesKey: SeriesKey;
  readonly stepMs: number;
  readonly namespace: string;
  readonly metric: MetricSpec;
  readonly podSelector: string;
  /** How far back, load time. */
  readonly spanMs: number;
  /** As the series was declared. */
  readonly retainMs: number;
  readonly nowMs: number;
  readonly learner: ForecastLearner;
  /** The scaler's own model. */
  readonly own?: ChainLink | undefined;
}

export interface Backfill {
  /**
   * Begins to fetch what is missing. `ready` is false while the past is on its way for the first time; forecasting
   * without it would be a guess that we can spare. A failure makes it ready too: then what was seen has to do.
   */
  ensure(request: PastRequest): { readonly ready: boolean };
  forget(seriesKey: SeriesKey): void;
}

export interface BackfillOptions {
  readonly sources: Pick<MetricSources, 'backfill' | 'canBackfill'>;
  readonly history: HistoryStore;
  readonly service: ForecastService;
  readonly clock: Clock;
  readonly calendar: Calendar;
  readonly log: Logger;
  readonly random?: () => number;
  /** Ends what is under way at shutdown. */
  readonly signal: AbortSignal;
}

const RETRY = { firstMs: 60_000, longestMs: 30 * 60_000, jitter: 0.25 };
/** Forecasts of the past that seed a calibration: some more than its scores at 0.99 need. */
const REPLAYED = 400;
const AT_ONCE = 64;
/** The other forecasters join in at every so many of them: a record to choose by, at a quarter of its price. */
const COMPETING = 4;

interface Entry {
  readonly stepMs: number;
  readonly spanMs: number;
  /** What is there was stretched from a coarser step: stairs that nobody should learn from. */
  readonly stretched: boolean;
  ready: boolean;
  done: boolean;
  retryAt: number;
  failures: number;
  running: boolean;
}

export function createBackfill(options: BackfillOptions): Backfill {
  const { sources, history, service, clock, calendar, log, signal, random = Math.random } = options;
  const entries = new Map<SeriesKey, Entry>();

  /** The entry of this request; another step or a longer past begins anew, on what is there already. */
  function entryOf({ seriesKey, stepMs, spanMs }: PastRequest): Entry {
    const before = entries.get(seriesKey);
    if (before !== undefined && before.stepMs === stepMs && before.spanMs >= spanMs) return before;
    const stretched = before !== undefined && (before.stepMs > stepMs || (before.stretched && !before.done));
    const ready = before?.ready ?? false;
    const entry = { stepMs, spanMs, stretched, ready, done: false, retryAt: 0, failures: 0, running: false };
    entries.set(seriesKey, entry);
    return entry;
  }

  function retryLater(entry: Entry): void {
    const waitMs = Math.min(RETRY.firstMs * 2 ** entry.failures, RETRY.longestMs);
    entry.failures += 1;
    entry.retryAt = clock.monotonic() + waitMs * (1 + RETRY.jitter * (2 * random() - 1));
  }

  async function fetchPast(entry: Entry, request: PastRequest): Promise<void> {
    const { seriesKey, stepMs, nowMs, spanMs, retainMs, namespace, metric, podSelector } = request;
    const realStep = stepMs / calendar.factor;
    const [from, to] = [calendar.toReal(nowMs - spanMs), calendar.toReal(nowMs)];
    const past = await sources.backfill({ namespace, metric, podSelector }, from, to, realStep, signal);
    if (past.kind === 'unknown') {
      log.warn('history could not be fetched', {
        series: seriesKey,
        reason: past.reason,
        detail: past.message,
      });
      retryLater(entry);
      return;
    }
    // Forgotten, or asked for in another way, while it was on its way.
    if (entries.get(seriesKey) !== entry) return;
    const { startMs, values } = past.value;
    if (entry.stretched) {
      history.forget(seriesKey);
      history.declare(seriesKey, { stepMs, retainMs });
    }
    const filled = history.fill(seriesKey, { startMs: calendar.fromReal(startMs), stepMs, values });
    log.info('history fetched', { series: seriesKey, steps: filled });
    await replay(request);
    entry.done = true;
  }

  /** What would have been forecast from each of the last steps, compared with what came. */
  async function replay({ seriesKey, stepMs, nowMs, learner, own }: PastRequest): Promise<void> {
    const past = (endMs: number, step: number, count: number) =>
      history.window(seriesKey, endMs, step, count);
    const read = (atMs: number) => past(atMs, stepMs, 1)[0] ?? Number.NaN;
    const last = Math.floor(nowMs / stepMs) * stepMs - stepMs;
    const origins = Array.from({ length: REPLAYED }, (_, i) => last - (REPLAYED - 1 - i) * stepMs);
    for (let i = 0; i < origins.length; i += AT_ONCE) {
      const batch = origins.slice(i, i + AT_ONCE);
      const windows = batch.map((origin) => buildWindow(seriesKey, origin, stepMs, past));
      const order = learner.order();
      const asked = windows.map((window, k) =>
        service.contest(window, { order, everyone: k % COMPETING === 0, own }, signal),
      );
      // oxlint-disable-next-line no-await-in-loop -- in order, and one batch at a time leaves room for live forecasts
      for (const [k, { outcome, others }] of (await Promise.all(asked)).entries()) {
        learner.settle(batch[k] as number, read);
        for (const { by, forecast } of others) learner.compete(by, forecast);
        if (outcome.kind === 'forecast') learner.issue(outcome.by, outcome.forecast);
      }
    }
  }

  return {
    ensure(request) {
      if (!sources.canBackfill(request.metric)) return { ready: true };
      const current = entryOf(request);
      if (!current.done && !current.running && clock.monotonic() >= current.retryAt && !signal.aborted) {
        current.running = true;
        fetchPast(current, request)
          .catch((error: unknown) => {
            if (signal.aborted) return;
            log.error('history could not be fetched', { series: request.seriesKey, error });
            retryLater(current);
          })
          .finally(() => {
            current.running = false;
            current.ready = true;
          });
      }
      return { ready: current.ready };
    },
    forget: (seriesKey) => entries.delete(seriesKey),
  };
}
