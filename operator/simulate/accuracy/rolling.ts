/**
 * Forecasts of one forecaster from one origin after the other, and the band that the operator's own calibration makes
 * of them on the way. Only the asked horizons are kept: a year of minutes would not fit into memory otherwise.
 */
import { isForesailError } from '../../errors.ts';
import { faultOf } from '../../forecast/guard.ts';
import { ForecastLearner } from '../../forecast/learner.ts';
import { forecastQuantile } from '../../forecast/quantiles.ts';
import type { Forecaster, ForecastWindow, QuantileForecast } from '../../forecast/types.ts';
import { knownSteps } from '../../forecast/window.ts';
import { LEVELS, TAIL_LEVELS, WIDTH } from './metrics.ts';
import { type Scene, windowAt } from './scene.ts';

/** Known steps that the operator asks for before it trusts a model with a window. */
const MIN_KNOWN = 16;
/** Steps before the first scored origin in which calibration learns, as it has in an operator that runs for a while. */
export const WARM_UP_STEPS = 1500;

export interface RollingPlan {
  /** Increasing; a calibrated run needs every step between them. */
  readonly origins: readonly number[];
  /** Steps ahead. */
  readonly leads: readonly number[];
  /** Windows per call; a forecaster that fits per series takes one. */
  readonly batch: number;
  readonly calibrated: boolean;
}

export interface Rolled {
  /** Per lead [origins, LEVELS], NaN where there is no forecast. Not negative. */
  readonly quantiles: readonly Float64Array[];
  /** The same with the upper levels as calibrated; undefined when not asked for. */
  readonly calibrated: readonly Float64Array[] | undefined;
  /** Origins without a forecast, and what the first of them was told. */
  readonly unanswered: number;
  readonly complaint: string | undefined;
}

export async function rollForecasts(
  scene: Scene,
  forecaster: Forecaster,
  plan: RollingPlan,
  signal: AbortSignal,
): Promise<Rolled> {
  const { origins, leads, batch } = plan;
  const quantiles = leads.map(() => new Float64Array(origins.length * WIDTH).fill(Number.NaN));
  const bands = plan.calibrated ? new CalibratedBands(scene, leads) : undefined;
  const calibrated = bands === undefined ? undefined : quantiles.map((matrix) => matrix.slice());
  const warm = plan.calibrated ? warmUp(origins) : [];
  const all = [...warm, ...origins];
  let unanswered = 0;
  let complaint: string | undefined;
  for (let first = 0; first < all.length; first += batch) {
    signal.throwIfAborted();
    const part = all.slice(first, first + batch);
    const windows = part.map((origin) => windowAt(scene, origin));
    // oxlint-disable-next-line no-await-in-loop -- one forecaster, in the order of time
    const answers = await ask(forecaster, windows, signal);
    part.forEach((origin, i) => {
      const answer = answers[i];
      const row = first + i - warm.length;
      if (typeof answer !== 'object') {
        bands?.settle(origin);
        if (row < 0) return;
        unanswered++;
        complaint ??= answer;
        return;
      }
      if (row >= 0) leads.forEach((lead, l) => write(answer, lead, quantiles[l], row));
      if (bands === undefined) return;
      bands.settle(origin);
      bands.issue(answer);
      if (row < 0) return;
      leads.forEach((lead, l) => {
        write(answer, lead, calibrated?.[l], row);
        bands.write(answer, lead, calibrated?.[l], row);
      });
    });
  }
  return { quantiles, calibrated, unanswered, complaint };
}

function warmUp(origins: readonly number[]): number[] {
  const first = origins[0] ?? 0;
  const count = Math.min(first, WARM_UP_STEPS);
  return Array.from({ length: count }, (_, i) => first - count + i);
}

/** A forecast per window, or what was wrong with it. One that the operator would refuse is none. */
async function ask(
  forecaster: Forecaster,
  windows: readonly ForecastWindow[],
  signal: AbortSignal,
): Promise<(QuantileForecast | string)[]> {
  const usable = windows.filter((window) => knownSteps(window) >= MIN_KNOWN);
  let forecasts: readonly QuantileForecast[] = [];
  try {
    if (usable.length > 0) forecasts = await forecaster.forecast(usable, signal);
  } catch (error) {
    if (!isForesailError(error, 'FORECAST_NO_HISTORY')) throw error;
    return windows.map(() => error.message);
  }
  let next = 0;
  return windows.map((window) => {
    if (usable[next] !== window) return `fewer than ${MIN_KNOWN} known values in the window`;
    const forecast = forecasts[next++];
    if (forecast === undefined) return 'no answer';
    const fault = faultOf(forecast, window);
    return fault === undefined ? forecast : `the forecast ${fault}`;
  });
}

function write(
  forecast: QuantileForecast,
  lead: number,
  matrix: Float64Array | undefined,
  row: number,
): void {
  if (matrix === undefined || lead > forecast.horizon) return;
  for (let k = 0; k < WIDTH; k++) {
    matrix[row * WIDTH + k] = Math.max(forecastQuantile(forecast, lead - 1, LEVELS[k] ?? 0.5), 0);
  }
}

/** The operator's calibration at each of TAIL_LEVELS, fed as the operator feeds it: settle, issue, read. */
class CalibratedBands {
  readonly #scene: Scene;
  readonly #learners: readonly ForecastLearner[];
  readonly #by = 'scored';

  constructor(scene: Scene, leads: readonly number[]) {
    this.#scene = scene;
    this.#learners =
      leads.length === 0
        ? []
        : TAIL_LEVELS.map(
            (coverage) => new ForecastLearner({ stepMs: scene.stepMs, coverage, preferred: this.#by }),
          );
  }

  /** Tells what is known at the origin, whose own step is complete. */
  settle(origin: number): void {
    const { startMs, stepMs, seen } = this.#scene;
    const read = (atMs: number): number => {
      const i = Math.round((atMs - startMs) / stepMs);
      return i <= origin ? (seen[i] ?? Number.NaN) : Number.NaN;
    };
    for (const learner of this.#learners) learner.settle(startMs + origin * stepMs, read);
  }

  issue(forecast: QuantileForecast): void {
    for (const learner of this.#learners) learner.issue(this.#by, forecast);
  }

  write(forecast: QuantileForecast, lead: number, matrix: Float64Array | undefined, row: number): void {
    if (matrix === undefined || lead > forecast.horizon) return;
    this.#learners.forEach((learner, i) => {
      const fromMs = forecast.originMs + lead * forecast.stepMs;
      const path = learner.upperPath(this.#by, forecast, { fromMs, windowMs: 0 });
      matrix[row * WIDTH + LEVELS.indexOf(TAIL_LEVELS[i] ?? 0.9)] = (path?.loadMilli[0] ?? Number.NaN) / 1000;
    });
  }
}
