/**
 * The rung below the last forecast: when nothing newer is known, the load that this time of day has usually had. It is
 * built only when it is needed, from the history that is there, and kept for a while.
 */
import type { LoadPath, LoadWindow } from '../../decision/types.ts';
import { profileAt, type SeasonalProfile, seasonalProfile } from '../../forecast/profile.ts';
import type { HistoryStore, SeriesKey } from '../../history/types.ts';

export interface Season {
  /** Load at the asked coverage over the window, or undefined when too little of a day is known. */
  path(request: SeasonRequest): LoadPath | undefined;
  forget(seriesKey: SeriesKey): void;
}

export interface SeasonRequest {
  readonly seriesKey: SeriesKey;
  readonly stepMs: number;
  readonly spanMs: number;
  readonly window: LoadWindow;
  readonly coverage: number;
}

const KEEP_MS = 6 * 3_600_000;
/** "Too little is known" is asked again soon: the past may be on its way. */
const KEEP_UNKNOWN_MS = 5 * 60_000;

export function createSeason(history: HistoryStore): Season {
  const profiles = new Map<
    SeriesKey,
    { readonly profile: SeasonalProfile | undefined; readonly untilMs: number }
  >();

  function profileOf({
    seriesKey,
    stepMs,
    spanMs,
    window: { fromMs },
  }: SeasonRequest): SeasonalProfile | undefined {
    const kept = profiles.get(seriesKey);
    if (kept !== undefined && fromMs < kept.untilMs) return kept.profile;
    const past = history.window(seriesKey, fromMs, stepMs, Math.ceil(spanMs / stepMs));
    const profile = seasonalProfile(past, Math.floor(fromMs / stepMs) * stepMs, stepMs);
    const keepMs = profile === undefined ? KEEP_UNKNOWN_MS : KEEP_MS;
    profiles.set(seriesKey, { profile, untilMs: fromMs + keepMs });
    return profile;
  }

  return {
    path(request) {
      const profile = profileOf(request);
      if (profile === undefined) return undefined;
      const { stepMs, window, coverage } = request;
      const originMs = Math.floor(window.fromMs / stepMs) * stepMs;
      const loadMilli = new Float64Array(Math.ceil((window.toMs - originMs) / stepMs));
      for (let i = 0; i < loadMilli.length; i++) {
        const load = profileAt(profile, originMs + i * stepMs, coverage);
        if (load === undefined) return undefined;
        loadMilli[i] = load * 1000;
      }
      return { originMs, stepMs, loadMilli };
    },
    forget: (seriesKey) => profiles.delete(seriesKey),
  };
}
