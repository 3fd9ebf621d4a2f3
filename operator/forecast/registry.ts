/** Every forecaster that is code, by id: what an evaluation compares and what a scaler may fall back on. */
import { ForesailError } from '../errors.ts';
import { arima } from './arima.ts';
import { ensemble } from './ensemble.ts';
import { holtWinters } from './holt-winters.ts';
import { persistence } from './persistence.ts';
import { ridge } from './ridge.ts';
import { seasonalNaive } from './seasonal-naive.ts';
import { seasonalProfileForecaster } from './seasonal-profile.ts';
import { theta } from './theta.ts';
import { trendFourier } from './trend-fourier.ts';
import type { Forecaster } from './types.ts';

export interface CreateOptions {
  /** Fits per origin; give Infinity where no decision waits for the answer. Default: a bounded number. */
  readonly fitsPerStep?: number;
}

export interface ForecasterEntry {
  readonly id: string;
  /** For people, one line. */
  readonly summary: string;
  /** A new one: what it has fitted belongs to it alone. */
  create(options?: CreateOptions): Forecaster;
}

export const FORECASTERS: readonly ForecasterEntry[] = [
  { id: persistence.id, summary: 'the last value', create: () => persistence },
  {
    id: seasonalNaive.id,
    summary: 'the same time a day or a week ago, whichever fitted better',
    create: () => seasonalNaive,
  },
  {
    id: 'ridge',
    summary: 'linear regression on recent moves, yesterday and the time of day',
    create: (options) => ridge(options),
  },
  {
    id: 'seasonal-profile',
    summary: 'quantiles of this half hour over four weeks, weekends apart',
    create: seasonalProfileForecaster,
  },
  {
    id: 'holt-winters',
    summary: 'exponential smoothing with a day season and a damped trend, ETS(A,Ad,A)',
    create: holtWinters,
  },
  { id: 'theta', summary: 'the Theta method on the load without its day', create: theta },
  {
    id: 'arima',
    summary: 'ARIMA of small order by AICc on the load without its day',
    create: arima,
  },
  {
    id: 'trend-fourier',
    summary: 'trend, Fourier terms of day and week, holidays; what is left over carried on (after Prophet)',
    create: trendFourier,
  },
  {
    id: 'ensemble',
    summary: 'the others that are code and look at the present, weighed by their rolling pinball loss',
    create: (options) =>
      ensemble(
        'ensemble',
        [
          ridge(options),
          arima(options),
          holtWinters(options),
          trendFourier(options),
          seasonalNaive,
          persistence,
        ],
        { mode: 'blend' },
      ),
  },
];

/** Those that compete with the model for a load in the operator, in the order in which they serve where it cannot. */
export function modelRivals(): Forecaster[] {
  return [ridge(), seasonalNaive, persistence];
}

/** @throws FORECASTER_UNKNOWN with the ids that there are */
export function createForecaster(id: string, options?: CreateOptions): Forecaster {
  const entry = FORECASTERS.find((candidate) => candidate.id === id);
  if (entry !== undefined) return entry.create(options);
  const ids = FORECASTERS.map((candidate) => candidate.id).join(', ');
  throw new ForesailError(
    'FORECASTER_UNKNOWN',
    'terminal',
    `no forecaster is called ${id}; there are ${ids}`,
    {
      subject: id,
    },
  );
}
