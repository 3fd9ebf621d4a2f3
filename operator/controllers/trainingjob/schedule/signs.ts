/** What PredictiveScalers say of their forecasts that a new model may mend. Pure. */
import type { PredictiveScalerStatus, TrainingRun, Triggers } from '../../../api/index.ts';
import type { KubeObject } from '../../../runtime/index.ts';

export type SignCause = Extract<TrainingRun['cause'], 'Drift' | 'ScoreBreach'>;

export interface Sign {
  readonly cause: SignCause;
  /** Without numbers that move: it goes into a condition. */
  readonly message: string;
}

export type WatchedScaler = KubeObject & { readonly status?: PredictiveScalerStatus };

/** The first by name, of those that `triggers` asks for; a drift before a breach. */
export function signOf(
  scalers: readonly WatchedScaler[],
  { drift, scoreBreach, breachFactor }: Pick<Triggers, 'drift' | 'scoreBreach' | 'breachFactor'>,
): Sign | undefined {
  const sorted = scalers
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .toSorted((a, b) => nameOf(a).localeCompare(nameOf(b)));
  const drifting = drift ? sorted.filter(drifts) : [];
  const breaching = scoreBreach ? sorted.filter((each) => breaches(each, breachFactor)) : [];
  const [first] = drifting;
  if (first !== undefined) {
    const reason = driftOf(first)?.reason ?? '';
    return {
      cause: 'Drift',
      message: `${nameOf(first)} reports ForecastDrift (${reason})${others(drifting)}`,
    };
  }
  const [missing] = breaching;
  if (missing === undefined) return undefined;
  const asked = missing.status?.coverage?.asked ?? '';
  return {
    cause: 'ScoreBreach',
    message: `the forecast of ${nameOf(missing)} misses more than ${breachFactor} times as often as its coverage of ${asked} allows${others(breaching)}`,
  };
}

export function drifts(scaler: WatchedScaler): boolean {
  return driftOf(scaler)?.status === 'True';
}

function breaches(scaler: WatchedScaler, factor: number): boolean {
  return missedTenths(scaler) > Math.round(10 * factor);
}

/**
 * How many tenths of what its coverage allows a forecast misses, rounded up: no factor with one decimal tells two apart
 * that round to the same. By the realised coverage of the newest observations; of few of them it says nothing, so it
 * counts from when drift is judged too, after a day of forecasts, and is 0 before.
 */
export function missedTenths(scaler: WatchedScaler): number {
  const { asked, realised } = scaler.status?.coverage ?? {};
  const judged = driftOf(scaler);
  if (asked === undefined || realised === undefined) return 0;
  if (judged === undefined || judged.status === 'Unknown') return 0;
  const share = (1 - Number(realised)) / (1 - Number(asked));
  // Nines have no exact form: what is just allowed is not missed by the last bit.
  return Math.ceil(10 * share - 1e-6);
}

function driftOf({ status }: WatchedScaler) {
  return status?.conditions?.find(({ type }) => type === 'ForecastDrift');
}

function others({ length }: readonly unknown[]): string {
  return length > 1 ? ', and others' : '';
}

function nameOf({ metadata: { namespace, name } }: KubeObject): string {
  return `${namespace}/${name}`;
}
