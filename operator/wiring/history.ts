/** The history as the configuration asks for it: in memory, or on a disk that may fill up, fail or be new. */
import type { Calendar, Clock } from '../clock.ts';
import type { OperatorConfig } from '../config.ts';
import { MemoryHistory } from '../history/memory-store.ts';
import { ParquetHistory } from '../history/parquet-store.ts';
import type { HistoryStore } from '../history/types.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Runnable } from '../runtime/index.ts';

const DAY_MS = 86_400_000;
/** Long enough that every scaler has been looked at since the start, and has claimed its series. */
const CLAIMED_AFTER_MS = 15 * 60_000;

export interface HistoryParts {
  readonly store: HistoryStore;
  /** Runs everywhere. */
  readonly flusher: Runnable;
  /** Runs on the leader: nobody else knows which series are still wanted. Absent without a disk. */
  readonly cleaner: Runnable | undefined;
}

export function openHistory(
  { history }: OperatorConfig,
  calendar: Calendar,
  clock: Clock,
  log: Logger,
  metrics: Metrics,
): HistoryParts {
  const now = () => calendar.fromReal(clock.now());
  const every = (ms: number, work: (until: AbortSignal) => Promise<void>) => async (until: AbortSignal) => {
    while (!until.aborted) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await clock.sleep(ms, until).catch(() => undefined);
      // oxlint-disable-next-line no-await-in-loop
      if (!until.aborted) await work(until).catch(() => undefined);
    }
  };
  const flusherOf = (store: HistoryStore): Runnable => ({
    name: 'history',
    run: every(history.flushEvery, (until) => store.flush(until)),
  });
  if (history.directory === undefined) {
    const store = new MemoryHistory({ now });
    return { store, flusher: flusherOf(store), cleaner: undefined };
  }
  const store = new ParquetHistory({
    now,
    folder: history.directory,
    clock,
    retention: { days: Math.ceil(history.retain / DAY_MS), bytes: history.maxBytes },
    onHealth: ({ persistent, reason, message }) => {
      metrics.historyHealthy(persistent);
      log[persistent ? 'info' : 'warn']('history state', { reason, detail: message });
    },
    onQuarantine: ({ path, reason }) => log.warn('history file set aside', { path, reason }),
  });
  const clean = async () => {
    const series = store.forgetUnclaimed();
    if (series > 0) log.info('history of former scalers dropped from memory', { series });
  };
  return {
    store,
    flusher: flusherOf(store),
    cleaner: { name: 'history cleaner', run: every(CLAIMED_AFTER_MS, clean) },
  };
}
