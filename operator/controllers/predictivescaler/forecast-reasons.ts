/**
 * Why the newest forecast of a scaler is what it is, on request: remembers from where each metric was last forecast,
 * and asks the forecaster that served again with parts of the past hidden. Ten forecasts per metric, two requests at a
 * time in the whole operator; nothing is computed while nobody asks.
 */
import { ForesailError } from '../../errors.ts';
import { attribute, type ForecastReason } from '../../forecast/attribution/attribution.ts';
import { buildWindow } from '../../forecast/window.ts';
import type { HistoryStore, SeriesKey } from '../../history/types.ts';
import type { ChainLink } from '../../inference/chain.ts';
import type { ForecastService } from '../../inference/types.ts';

/** Of one metric's newest forecast. */
export interface ForecastBasis {
  /** Type and name, for people. */
  readonly metric: string;
  readonly seriesKey: SeriesKey;
  readonly stepMs: number;
  readonly originMs: number;
  /** Forecaster that served. */
  readonly by: string;
  /** The scaler's own model. */
  readonly own?: ChainLink | undefined;
  /** Step at the end of the lead window, 1-based, and the asked coverage. */
  readonly step: number;
  readonly level: number;
}

export interface ForecastReasons {
  note(uid: string, bases: readonly ForecastBasis[]): void;
  forget(uid: string): void;
  /**
   * One per metric whose forecast can be made again; undefined when nothing was forecast.
   * @throws ATTRIBUTION_BUSY
   */
  of(uid: string, signal: AbortSignal): Promise<readonly ForecastReason[] | undefined>;
}

const AT_ONCE = 2;

export function createForecastReasons(
  history: Pick<HistoryStore, 'window'>,
  service: Pick<ForecastService, 'contest'>,
): ForecastReasons {
  const basesOf = new Map<string, readonly ForecastBasis[]>();
  let running = 0;

  async function reasonOf(
    { metric, seriesKey, stepMs, originMs, by, own, step, level }: ForecastBasis,
    signal: AbortSignal,
  ): Promise<ForecastReason | undefined> {
    const past = (endMs: number, ms: number, count: number) => history.window(seriesKey, endMs, ms, count);
    // A key of its own: what a forecaster keeps per series must not come from a past with holes in it.
    const window = buildWindow(`${seriesKey} explained`, originMs, stepMs, past);
    const attribution = await attribute(
      {
        window,
        step,
        level,
        forecast: (windows) =>
          Promise.all(
            windows.map(async (each) => {
              const { outcome } = await service.contest(each, { order: [by], everyone: false, own }, signal);
              return outcome.kind === 'forecast' && outcome.by === by ? outcome.forecast : undefined;
            }),
          ),
      },
      signal,
    );
    if (attribution === undefined) return undefined;
    return {
      metric,
      by,
      origin: new Date(originMs).toISOString(),
      stepSeconds: stepMs / 1000,
      ...attribution,
    };
  }

  return {
    note: (uid, bases) => void basesOf.set(uid, bases),
    forget: (uid) => void basesOf.delete(uid),
    async of(uid, signal) {
      const bases = basesOf.get(uid);
      if (bases === undefined || bases.length === 0) return undefined;
      if (running >= AT_ONCE)
        throw new ForesailError('ATTRIBUTION_BUSY', 'transient', `${running} forecasts are being explained`);
      running++;
      try {
        const reasons = await Promise.all(bases.map((basis) => reasonOf(basis, signal)));
        return reasons.filter((reason) => reason !== undefined);
      } finally {
        running--;
      }
    },
  };
}
