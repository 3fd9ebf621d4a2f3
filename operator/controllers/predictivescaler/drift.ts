/** What users are told when the forecasts of a scaler are worse than they used to be: the condition ForecastDrift. */
import type { DriftReport } from '../../forecast/drift/monitor.ts';
import type { DriftSign } from '../../forecast/drift/signs.ts';
import type { OwnCondition } from './status.ts';

export interface Drift {
  readonly condition: OwnCondition;
  /** Signs that are up on any metric; undefined while no metric can be judged. */
  readonly signs: readonly DriftSign[] | undefined;
}

const REASONS: Readonly<Record<DriftSign, string>> = {
  Adwin: 'ErrorsGrew',
  Psi: 'ErrorsChanged',
  Pinned: 'CalibrationPinned',
};

/** Of all metrics that are forecast; undefined when there is none. The one that drifts longest is named. */
export function driftOf(reports: readonly DriftReport[]): Drift | undefined {
  if (reports.length === 0) return undefined;
  const drifting = reports
    .filter((report) => report.drifting)
    .sort((a, b) => (a.sinceMs ?? 0) - (b.sinceMs ?? 0));
  const judged = reports.some((report) => report.judged);
  const [first] = drifting;
  const signs = [...new Set(drifting.flatMap((report) => report.signs))];
  return {
    condition: first === undefined ? quiet(judged) : drifts(first),
    signs: judged || first !== undefined ? signs : undefined,
  };
}

function quiet(judged: boolean): OwnCondition {
  return judged
    ? condition('False', 'NoDrift', 'the forecast misses by no more than it used to')
    : condition('Unknown', 'TooEarly', 'a day of forecasts has to be compared with what came first');
}

function drifts({ by = 'Adwin', sinceMs = 0, error, psi }: DriftReport): OwnCondition {
  const since = `since ${new Date(sinceMs).toISOString().slice(0, 16)}Z (load time)`;
  const sizes =
    error.recent === undefined || error.reference === undefined
      ? ''
      : `: ${error.recent.toFixed(2)} widths of its band on the last day, ${error.reference.toFixed(2)} in the week before`;
  switch (by) {
    case 'Psi':
      return condition(
        'True',
        REASONS.Psi,
        `the forecast misses in another way than it used to ${since}, PSI ${psi?.toFixed(2) ?? 'unknown'}${sizes}`,
      );
    case 'Pinned':
      return condition(
        'True',
        REASONS.Pinned,
        `the forecast misses more often than any allowed band repairs ${since}`,
      );
    case 'Adwin':
      return condition('True', REASONS.Adwin, `the forecast misses by more than it used to ${since}${sizes}`);
  }
}

function condition(status: OwnCondition['status'], reason: string, message: string): OwnCondition {
  return { type: 'ForecastDrift', status, reason, message };
}
