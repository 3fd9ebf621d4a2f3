/** The parts of the past that a forecast sees, as people speak of them, and a window with one of them hidden. */
import { CONTEXT_LENGTH, type ForecastWindow, SEASON_LAGS_DAYS, SEASON_WINDOW } from '../types.ts';
import { seasonLagSteps } from '../window.ts';

export interface Segment {
  /** Stable name: `last 8 steps`, `9 to 32 steps ago`, `1 day ago`. */
  readonly name: string;
  readonly kind: 'recent' | 'season';
  /** Starts of its first and its last step, load time. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** Ends of the recent parts in steps before the origin, the origin being the first. */
const RECENT = [8, 32, 128, CONTEXT_LENGTH] as const;

/** Recent parts from the newest to the oldest, then the seasons from the nearest to the farthest. */
export function segmentsOf({ originMs, stepMs }: Pick<ForecastWindow, 'originMs' | 'stepMs'>): Segment[] {
  const recent = RECENT.map((last, i): Segment => {
    const first = i === 0 ? 1 : (RECENT[i - 1] ?? 0) + 1;
    return {
      name: first === 1 ? `last ${last} steps` : `${first} to ${last} steps ago`,
      kind: 'recent',
      fromMs: originMs - (last - 1) * stepMs,
      toMs: originMs - (first - 1) * stepMs,
    };
  });
  const seasons = seasonLagSteps(stepMs).map((lag, i): Segment => {
    const days = SEASON_LAGS_DAYS[i] ?? 0;
    return {
      name: `${days} ${days === 1 ? 'day' : 'days'} ago`,
      kind: 'season',
      fromMs: originMs - (lag + SEASON_WINDOW - 1) * stepMs,
      // Where the step is coarse a lag reaches beyond the origin, of which nothing is known.
      toMs: Math.min(originMs - (lag - SEASON_WINDOW) * stepMs, originMs),
    };
  });
  return [...recent, ...seasons];
}

/**
 * The window as if nothing were known of some times, wherever they stand in it: with coarse steps yesterday is part of
 * the last 512 steps too. Unknown is the forecaster's own word for it; no value is made up.
 */
export function hide(window: ForecastWindow, hidden: readonly Segment[]): ForecastWindow {
  const { context, seasonal, originMs, stepMs, past } = window;
  const covers = (atMs: number): boolean => hidden.some(({ fromMs, toMs }) => atMs >= fromMs && atMs <= toMs);
  const width = 2 * SEASON_WINDOW;
  const lags = seasonLagSteps(stepMs);
  return {
    ...window,
    context: context.map((value, i) =>
      covers(originMs - (context.length - 1 - i) * stepMs) ? Number.NaN : value,
    ),
    seasonal: seasonal.map((value, i) => {
      const column = (i % width) + 1 - SEASON_WINDOW;
      const lag = lags[Math.floor(i / width)] ?? 0;
      return covers(originMs + (column - lag) * stepMs) ? Number.NaN : value;
    }),
    ...(past === undefined
      ? {}
      : {
          past: (count) =>
            past(count).map((value, i) => (covers(originMs - (count - 1 - i) * stepMs) ? Number.NaN : value)),
        }),
  };
}

/** Known values of a part in the window; those that stand in it twice count twice. */
export function knownIn(window: ForecastWindow, segment: Segment): number {
  const rest = hide(window, [segment]);
  return known(window) - known(rest);
}

function known({ context, seasonal }: ForecastWindow): number {
  let count = 0;
  for (const value of context) if (!Number.isNaN(value)) count++;
  for (const value of seasonal) if (!Number.isNaN(value)) count++;
  return count;
}
