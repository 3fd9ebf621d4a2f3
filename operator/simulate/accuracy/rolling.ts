/**
 * Forecasts from one origin after the other, and the band that the operator's own calibration makes of them on the
 * way: of one forecaster, or of several among which a contest is held as the operator holds it. Only the asked horizons
 * are kept: a year of minutes would not fit into memory otherwise.
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
export const MIN_KNOWN = 16;
/** Steps before the first scored origin in which calibration and contest learn, as in an operator that runs for a while. */
export const WARM_UP_STEPS = 1500;

export interface RollingPlan {
  /** Increasing; a calibrated run needs every step between them. */
  readonly origins: readonly number[];
  /** Steps ahead. */
  readonly leads: readonly number[];
  /** Windows per call of the first forecaster; one that fits per series takes one. */
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

/** @param forecasters the first is preferred until another has earned the lead; others than the first take one window a call */
export async function rollForecasts(
  scene: Scene,
  forecasters: readonly Forecaster[],
  plan: RollingPlan,
  signal: AbortSignal,
): Promise<Rolled> {
  const { origins, leads, batch } = plan;
  const quantiles = leads.map(() => new Float64Array(origins.length * WIDTH).fill(Number.NaN));
  const calibrated = plan.calibrated ? quantiles.map((matrix) => matrix.slice()) : undefined;
  const levels = plan.calibrated ? TAIL_LEVELS : forecasters.length > 1 ? TAIL_LEVELS.slice(0, 1) : [];
  const learning = new Learning(scene, levels, forecasters[0]?.id ?? '');
  const warm = levels.length > 0 ? warmUp(origins) : [];
  const all = [...warm, ...origins];
  let unanswered = 0;
  let complaint: string | undefined;
  for (let first = 0; first < all.length; first += batch) {
    signal.throwIfAborted();
    const part = all.slice(first, first + batch);
    const windows = part.map((origin) => windowAt(scene, origin));
    // oxlint-disable-next-line no-await-in-loop -- in the order of time
    const answers = await askAll(forecasters, windows, signal);
    part.forEach((origin, i) => {
      const row = first + i - warm.length;
      learning.settle(origin);
      const said = forecasters.flatMap(({ id }, k): Said[] => {
        const forecast = answers[k]?.[i];
        return typeof forecast === 'object' ? [{ by: id, forecast }] : [];
      });
      const served = learning.enter(said);
      if (row < 0) return;
      if (served === undefined) {
        unanswered++;
        const answer = answers[0]?.[i];
        if (typeof answer === 'string') complaint ??= answer;
        return;
      }
      leads.forEach((lead, l) => {
        write(served.forecast, lead, quantiles[l], row);
        write(served.forecast, lead, calibrated?.[l], row);
        learning.write(served, lead, calibrated?.[l], row);
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

interface Said {
  readonly by: string;
  readonly forecast: QuantileForecast;
}

/** Per forecaster an answer per window. */
async function askAll(
  [first, ...others]: readonly Forecaster[],
  windows: readonly ForecastWindow[],
  signal: AbortSignal,
): Promise<(QuantileForecast | string)[][]> {
  const answers = first === undefined ? [] : [await ask(first, windows, signal)];
  for (const forecaster of others) {
    const own: (QuantileForecast | string)[] = [];
    // oxlint-disable-next-line no-await-in-loop -- a window without enough history must not cost the others theirs
    for (const window of windows) own.push(...(await ask(forecaster, [window], signal)));
    answers.push(own);
  }
  return answers;
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

/** The operator's learner at each of these levels, fed as the operator feeds it: settle, issue, read. */
class Learning {
  readonly #scene: Scene;
  readonly #levels: readonly number[];
  readonly #learners: readonly ForecastLearner[];

  constructor(scene: Scene, levels: readonly number[], preferred: string) {
    this.#scene = scene;
    this.#levels = levels;
    this.#learners = levels.map(
      (coverage) => new ForecastLearner({ stepMs: scene.stepMs, coverage, preferred }),
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

  /** @returns what serves: of the one that leads, else of the next in line; undefined when nobody said anything */
  enter(said: readonly Said[]): Said | undefined {
    // The levels do not differ in who leads: the contest knows nothing of them.
    const order = this.#learners[0]?.order() ?? [];
    const rank = ({ by }: Said): number => (order.includes(by) ? order.indexOf(by) : order.length);
    const [served, ...others] = said.toSorted((a, b) => rank(a) - rank(b));
    if (served === undefined) return undefined;
    for (const learner of this.#learners) {
      learner.issue(served.by, served.forecast);
      for (const { by, forecast } of others) learner.compete(by, forecast);
    }
    return served;
  }

  write({ by, forecast }: Said, lead: number, matrix: Float64Array | undefined, row: number): void {
    if (matrix === undefined || lead > forecast.horizon) return;
    this.#learners.forEach((learner, i) => {
      const fromMs = forecast.originMs + lead * forecast.stepMs;
      const path = learner.upperPath(by, forecast, { fromMs, windowMs: 0 });
      matrix[row * WIDTH + LEVELS.indexOf(this.#levels[i] ?? 0.9)] =
        (path?.loadMilli[0] ?? Number.NaN) / 1000;
    });
  }
}
