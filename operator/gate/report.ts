/** The report of a gate: what is kept of a run when everything else is gone. */
import type { GateReport as ToldReport } from '../training/types.ts';
import type { SeriesDecisions } from './decisions.ts';
import type { GateLimits, GateOutcome } from './run-gates.ts';
import type { GateName, GateResult, GateScores, SeriesNote } from './types.ts';

export interface GatedFile {
  readonly sha256: string;
  readonly name: string | null;
  readonly version: string | null;
}

export interface Published {
  /** Of model.onnx. */
  readonly storageUri: string;
  readonly sha256: string;
  readonly lineageUri: string;
}

export interface GateReport {
  readonly schema: 1;
  readonly verdict: 'Pass' | 'Fail';
  readonly failed: readonly GateName[];
  readonly gates: readonly GateResult[];
  readonly scores: GateScores | null;
  readonly candidate: GatedFile;
  readonly incumbent: GatedFile | null;
  readonly settings: {
    readonly minImprovement: number;
    readonly validateEnd: string;
    readonly limits: GateLimits;
  };
  readonly series: readonly ReportedSeries[];
  readonly decisions: readonly SeriesDecisions[];
  readonly skipped: readonly SeriesNote[];
  /** Null until it is in its store, and for ever after a failure. */
  readonly published: Published | null;
  readonly createdAt: string;
}

/** One series at one lead time. */
export interface ReportedSeries {
  readonly series: string;
  readonly horizonSeconds: number;
  readonly windows: number;
  readonly lossVsIncumbent: number | null;
  readonly lossVsNaive: number | null;
  readonly relMase: number | null;
  readonly relWql: number | null;
  readonly coverage: Readonly<Record<string, number>>;
}

export function reportOf(
  outcome: GateOutcome,
  about: Pick<GateReport, 'candidate' | 'incumbent' | 'settings' | 'createdAt'>,
): GateReport {
  const { verdict, failed, gates, scores, windows, decisions, skipped } = outcome;
  return {
    schema: 1,
    verdict,
    failed,
    gates,
    scores: scores ?? null,
    ...about,
    series: windows.map(({ series, horizonSeconds, windows: count, losses, mae, wql, coverage }) => ({
      series,
      horizonSeconds,
      windows: count,
      lossVsIncumbent: over(losses.candidate, losses.incumbent),
      lossVsNaive: over(losses.candidate, losses.naive),
      relMase: told(mae.candidate / mae.naive),
      relWql: told(wql.candidate / wql.naive),
      coverage: coverage.candidate,
    })),
    decisions,
    skipped,
    published: null,
  };
}

/** What the operator is told of it: small enough for a status and for a container's last words. */
export function summaryOf({ verdict, failed, scores, published }: GateReport): ToldReport {
  const { storageUri, sha256 } = published ?? {};
  return {
    verdict,
    failed,
    scores: { ...scores },
    published: storageUri === undefined || sha256 === undefined ? null : { storageUri, sha256 },
  };
}

function over(own: Float64Array | undefined, other: Float64Array | undefined): number | null {
  if (own === undefined || other === undefined) return null;
  return told(sum(own) / sum(other));
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

function told(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
