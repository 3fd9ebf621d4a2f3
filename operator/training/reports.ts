/** The newest reports of the attempts that live, in memory and bounded. */
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { RecentMap } from '../metricsources/recent-map.ts';
import type { ReportKind, Reports } from './bodies.ts';
import type { AttemptReports, ProgressReport, RunKey, RunReports } from './types.ts';

/** An attempt before the newest one has nothing to say any more, but its last words may still be on their way. */
const ATTEMPTS_KEPT = 2;

export interface RunReportsStore extends RunReports {
  take<K extends ReportKind>(key: RunKey, kind: K, report: Reports[K]): void;
}

export interface RunReportsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** The runs heard of least recently are forgotten beyond it; default 1,000. */
  readonly maxRuns?: number;
}

type Kept = { -readonly [K in keyof AttemptReports]: AttemptReports[K] };

export function createRunReports({ clock, log, maxRuns = 1000 }: RunReportsOptions): RunReportsStore {
  const runs = new RecentMap<Map<number, Kept>>(maxRuns);
  const listeners = new Set<(key: RunKey) => void>();

  function keptOf({ uid, attempt }: RunKey): Kept {
    const attempts = runs.get(uid) ?? new Map<number, Kept>();
    const kept = attempts.get(attempt) ?? { at: clock.now() };
    attempts.set(attempt, kept);
    const old = [...attempts.keys()].sort((a, b) => b - a).slice(ATTEMPTS_KEPT);
    for (const number of old) attempts.delete(number);
    runs.set(uid, attempts);
    return kept;
  }

  return {
    latest: (uid, attempt) => runs.get(uid)?.get(attempt),
    onReport(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    forget: (uid) => runs.delete(uid),
    take(key, kind, report) {
      const kept = keptOf(key);
      kept.at = clock.now();
      if (kind === 'progress') {
        const progress = report as Reports['progress'];
        // Ranks report on their own, and requests may overtake each other: progress never goes back.
        const further = comparing(progress, kept.progress);
        if (further < 0) return;
        if (further > 0) kept.advancedAt = kept.at;
      }
      Object.assign(kept, { [kind]: report });
      for (const listener of listeners) {
        try {
          listener(key);
        } catch (error) {
          log.error('a listener of run reports failed', { error: messageOf(error) });
        }
      }
    },
  };
}

/** By steps, and before the first one by series that are prepared. */
function comparing(now: ProgressReport, before: ProgressReport | undefined): number {
  if (before === undefined) return 1;
  return now.step - before.step || (now.prepared ?? 0) - (before.prepared ?? 0);
}
