/**
 * Which part of the past drove a forecast: by occlusion (Zeiler & Fergus 2014, "Visualizing and Understanding
 * Convolutional Networks", there for pictures). The forecaster is asked again with one part hidden at a time; how far
 * its answer moves is what that part did. It works for any forecaster, costs one batch of ten windows, and is always
 * the same for the same window.
 *
 * What it cannot tell: two parts that say the same each seem to matter little, because the other one is still there.
 * So all seasons together are hidden once more.
 */
import { forecastQuantile } from '../quantiles.ts';
import type { ForecastWindow, QuantileForecast } from '../types.ts';
import { hide, knownIn, type Segment, segmentsOf } from './segments.ts';

export interface AttributionRequest {
  readonly window: ForecastWindow;
  /** 1-based step ahead, and the level of the quantile in (0, 1), whose cause is asked for. */
  readonly step: number;
  readonly level: number;
  /**
   * One answer per window, in order, by the same forecaster; undefined where it cannot forecast from that window.
   * All windows have the key of the first one, which is the true one.
   */
  readonly forecast: (
    windows: readonly ForecastWindow[],
    signal: AbortSignal,
  ) => Promise<readonly (QuantileForecast | undefined)[]>;
}

export interface SegmentEffect extends Segment {
  /** Known values of this part in the window. */
  readonly known: number;
  /**
   * By how much this part raised (above zero) or lowered the quantile, in the load's unit; undefined where the
   * forecaster cannot forecast without it.
   */
  readonly effect: number | undefined;
  /** Of the sizes of all parts' effects, in [0, 1]; 0 for each when nothing had an effect. */
  readonly share: number | undefined;
}

export interface Attribution {
  readonly step: number;
  readonly level: number;
  /** The quantile as it was forecast, before calibration. */
  readonly load: number;
  readonly parts: readonly SegmentEffect[];
  /** What all seasons together did. */
  readonly seasons: number | undefined;
}

/** As it is told of a metric of a scaler: by the operator's HTTP face and by `foresail explain --why-forecast`. */
export interface ForecastReason extends Attribution {
  /** Type and name, for people. */
  readonly metric: string;
  /** Forecaster that served. */
  readonly by: string;
  /** Load time of the newest step that was seen. */
  readonly origin: string;
  readonly stepSeconds: number;
}

/** @returns undefined when there is no forecast from the whole window either */
export async function attribute(
  { window, step, level, forecast }: AttributionRequest,
  signal: AbortSignal,
): Promise<Attribution | undefined> {
  const segments = segmentsOf(window).map((segment) => ({ ...segment, known: knownIn(window, segment) }));
  const asked = segments.filter(({ known }) => known > 0);
  const seasons = asked.filter(({ kind }) => kind === 'season');
  const windows = [window, ...asked.map((segment) => hide(window, [segment])), hide(window, seasons)];
  const answers = await forecast(windows, signal);
  const [whole] = answers;
  if (whole === undefined) return undefined;
  const load = forecastQuantile(whole, step - 1, level);
  const effectOf = (answer: QuantileForecast | undefined): number | undefined =>
    answer === undefined ? undefined : load - forecastQuantile(answer, step - 1, level);
  const effects = new Map(asked.map((segment, i) => [segment.name, effectOf(answers[i + 1])]));
  const sum = [...effects.values()].reduce<number>((total, effect) => total + Math.abs(effect ?? 0), 0);
  const parts = segments.map((segment) => {
    const effect = segment.known === 0 ? 0 : effects.get(segment.name);
    const share = effect === undefined ? undefined : sum === 0 ? 0 : Math.abs(effect) / sum;
    return { ...segment, effect, share };
  });
  return { step, level, load, parts, seasons: effectOf(answers.at(-1)) };
}
