/** A small made-up evaluation: two forecasters, two horizons, one series that is left out. */
import type {
  EvaluationAggregate,
  EvaluationReport,
  EvaluationResult,
} from '../../../simulate/accuracy/report-types.ts';

const COVERAGE = { '0.9': 0.897, '0.95': 0.941, '0.99': 0.985 };

export function accuracyOf(parts: Partial<EvaluationAggregate> = {}): EvaluationAggregate {
  return {
    model: 'loadcast',
    horizonSeconds: 900,
    series: 12,
    relMase: 0.74,
    relWql: 0.46,
    worstSeries: 'burst',
    worstRelWql: 1.08,
    betterThanNaive: 11,
    wape: 0.12,
    coverage: COVERAGE,
    coverageTopDecile: { '0.9': 0.81, '0.95': null, '0.99': 0.93 },
    coverageError: { '0.9': 0.004, '0.95': 0.009, '0.99': 0.005 },
    worstCoverage: { '0.99': { series: 'burst', realised: 0.961 } },
    ...parts,
  };
}

export function scoreOf(parts: Partial<EvaluationResult> = {}): EvaluationResult {
  return {
    series: 'wave',
    model: 'loadcast',
    horizonSeconds: 900,
    stepSeconds: 60,
    days: 28,
    n: 12_096,
    stride: 1,
    unanswered: 0,
    season: 'day',
    mase: 0.9,
    wql: 0.08,
    relMase: 0.7,
    relWql: 0.44,
    wape: 0.11,
    bias: -0.01,
    mae: 12.34,
    rmse: 18.9,
    mape: 14.2,
    r2: 0.93,
    underRate: 0.48,
    overRate: 0.52,
    pinball: COVERAGE,
    coverage: COVERAGE,
    coverageTopDecile: COVERAGE,
    trained: false,
    inAggregate: true,
    leftOut: null,
    ...parts,
  };
}

export function madeUpEvaluation(parts: Partial<EvaluationReport> = {}): EvaluationReport {
  const naive = { model: 'seasonal-naive', relMase: 1, relWql: 1, worstRelWql: 1, coverage: { '0.9': 0.7 } };
  return {
    results: [
      scoreOf(),
      scoreOf({ series: 'seen', trained: true, inAggregate: false, leftOut: 'trained on it' }),
    ],
    aggregate: [
      accuracyOf(naive),
      accuracyOf(),
      accuracyOf({ ...naive, horizonSeconds: 3600 }),
      accuracyOf({ horizonSeconds: 3600, relWql: 0.52 }),
    ],
    speed: [
      {
        model: 'loadcast',
        p50Ms: 1.1,
        p99Ms: 1.7,
        batch: 64,
        seriesPerSecond: 21_000,
        fileBytes: 2_400_000,
        memoryMiB: null,
      },
    ],
    models: [{ model: 'loadcast', summary: 'patch mixer', digest: 'sha256:0123', trainingSources: ['borg'] }],
    settings: {
      protocol: 'Rolling origin over the last 30 %.',
      horizonSeconds: [900, 3600],
      levels: [0.9, 0.95, 0.99],
      excludeTrained: true,
    },
    skipped: [{ series: 'short', reason: 'fewer than 14 days' }],
    ...parts,
  };
}
