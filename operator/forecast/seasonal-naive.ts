/**
 * "As at the same time a day or a week ago": the value of the lag that has matched the window best, with the band of
 * the errors that this very rule made on the steps before the origin and between the older seasons.
 */
import { ForesailError } from '../errors.ts';
import { ANCHORS } from './horizons.ts';
import { fromBands } from './persistence.ts';
import { builtin, MIN_RESIDUALS, residualQuantiles } from './residuals.ts';
import {
  type Forecaster,
  type ForecastWindow,
  MODEL_HORIZON,
  type QuantileForecast,
  SEASON_LAGS_DAYS,
  SEASON_WINDOW,
} from './types.ts';

const MODEL = builtin('seasonal-naive');
const WIDTH = 2 * SEASON_WINDOW;

/** Rows of the seasonal matrix that a rule reads, and the row that is the same rule one season earlier. */
const RULES = [
  { row: SEASON_LAGS_DAYS.indexOf(1), earlier: SEASON_LAGS_DAYS.indexOf(2) },
  { row: SEASON_LAGS_DAYS.indexOf(7), earlier: SEASON_LAGS_DAYS.indexOf(14) },
] as const;

export const seasonalNaive: Forecaster = {
  id: MODEL.name,
  async forecast(windows, signal) {
    signal.throwIfAborted();
    return windows.map(forecastOne);
  },
};

function forecastOne(window: ForecastWindow): QuantileForecast {
  let best: { row: number; errors: Float64Array; loss: number } | undefined;
  for (const rule of RULES) {
    if (!knownAhead(window.seasonal, rule.row)) continue;
    const errors = errorsOf(window, rule.row, rule.earlier);
    if (errors.length < MIN_RESIDUALS) continue;
    const loss = errors.reduce((sum, error) => sum + Math.abs(error), 0) / errors.length;
    if (best === undefined || loss < best.loss) best = { row: rule.row, errors, loss };
  }
  if (best === undefined) {
    throw new ForesailError('FORECAST_NO_HISTORY', 'transient', 'no whole season is known yet', {
      subject: window.key,
    });
  }
  const band = residualQuantiles(best.errors);
  const centre = aheadWithoutGaps(window.seasonal, best.row);
  return fromBands(
    window,
    MODEL,
    ANCHORS.map(() => band),
    (h) => centre[h - 1] ?? Number.NaN,
  );
}

/** Enough of the season ahead is known: three steps of four. */
function knownAhead(seasonal: Float32Array, row: number): boolean {
  let known = 0;
  for (let c = SEASON_WINDOW; c < WIDTH; c++) if (!Number.isNaN(seasonal[row * WIDTH + c])) known++;
  return known * 4 >= MODEL_HORIZON * 3;
}

/** The 64 steps ahead one season earlier; a gap takes the nearest known step before it, else after it. */
function aheadWithoutGaps(seasonal: Float32Array, row: number): Float32Array {
  const ahead = seasonal.slice(row * WIDTH + SEASON_WINDOW, (row + 1) * WIDTH);
  const isGap = (i: number): boolean => Number.isNaN(ahead[i] ?? Number.NaN);
  for (let i = 1; i < ahead.length; i++) if (isGap(i)) ahead[i] = ahead[i - 1] ?? Number.NaN;
  for (let i = ahead.length - 2; i >= 0; i--) if (isGap(i)) ahead[i] = ahead[i + 1] ?? Number.NaN;
  return ahead;
}

/** What the rule missed by: on the 64 steps up to the origin, and by the season before on all 128. */
function errorsOf(window: ForecastWindow, row: number, earlier: number): Float64Array {
  const errors: number[] = [];
  const note = (error: number): void => {
    if (!Number.isNaN(error)) errors.push(error);
  };
  const { context, seasonal } = window;
  for (let c = 0; c < SEASON_WINDOW; c++) {
    const now = context[context.length - SEASON_WINDOW + c] ?? Number.NaN;
    note(now - (seasonal[row * WIDTH + c] ?? Number.NaN));
  }
  for (let c = 0; c < WIDTH; c++) {
    note((seasonal[row * WIDTH + c] ?? Number.NaN) - (seasonal[earlier * WIDTH + c] ?? Number.NaN));
  }
  return Float64Array.from(errors);
}
