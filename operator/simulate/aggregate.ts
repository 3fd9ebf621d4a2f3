/**
 * One line per start-up time, objective and policy over all traces, against HPA on the same traces.
 *
 * Under-provisioned minutes are added up over the traces before the ratio is taken: a minute short is a minute short,
 * and a trace on which HPA was short for three minutes in a month must not count as much as one with a thousand. The
 * replica-hours of a trace depend on its length, so there the ratios are averaged (geometric mean).
 */
import type { BacktestAggregate, BacktestResult, ObjectiveName, PolicyName } from './report-types.ts';

/** @param results of every policy asked for; without those of `hpa` there is nothing to compare with */
export function aggregate(results: readonly BacktestResult[]): BacktestAggregate[] {
  const groups = Map.groupBy(results, groupOf);
  return [...groups.values()].flatMap((own) => {
    const [first] = own;
    if (first === undefined) return [];
    const hpa = groups.get(groupOf({ ...first, policy: 'hpa' })) ?? [];
    return [lineOf(first, own, new Map(hpa.map((result) => [result.trace, result])))];
  });
}

function groupOf({ startUpSeconds, objective, policy }: Group): string {
  return `${startUpSeconds} ${objective} ${policy}`;
}

interface Group {
  readonly startUpSeconds: number;
  readonly objective: ObjectiveName;
  readonly policy: PolicyName;
}

function lineOf(
  { startUpSeconds, objective, policy }: Group,
  own: readonly BacktestResult[],
  hpa: ReadonlyMap<string, BacktestResult>,
): BacktestAggregate {
  const pairs = own.flatMap((result) => {
    const baseline = hpa.get(result.trace);
    return baseline === undefined ? [] : [{ trace: result.trace, result, baseline }];
  });
  const minutes = pairs.map(({ trace, result, baseline }) => ({
    trace,
    value: versus(result.underProvisionedMinutes, baseline.underProvisionedMinutes),
  }));
  const hours = pairs.map(({ trace, result, baseline }) => ({
    trace,
    value: versus(result.replicaHours, baseline.replicaHours),
  }));
  const coverage = own.map(({ trace, coverageAsked, coverageRealised }) => ({
    trace,
    value:
      coverageAsked === null || coverageRealised === null ? null : Math.abs(coverageRealised - coverageAsked),
  }));
  const [worstMinutes, worstHours, worstCoverage] = [worst(minutes), worst(hours), worst(coverage)];
  return {
    startUpSeconds,
    objective,
    policy,
    traces: own.length,
    underProvisionedMinutesVsHpa: versus(
      sum(pairs.map(({ result }) => result.underProvisionedMinutes)),
      sum(pairs.map(({ baseline }) => baseline.underProvisionedMinutes)),
    ),
    replicaHoursVsHpa: geometric(hours.map(({ value }) => value)),
    worstTrace: worstMinutes?.trace ?? null,
    worstUnderProvisionedMinutesVsHpa: worstMinutes?.value ?? null,
    tracesWithoutHpaMinutes: minutes.filter(({ value }) => value === null).length,
    worstReplicaHoursTrace: worstHours?.trace ?? null,
    worstReplicaHoursVsHpa: worstHours?.value ?? null,
    coverageError: mean(coverage.map(({ value }) => value)),
    worstCoverageTrace: worstCoverage?.trace ?? null,
    worstCoverageError: worstCoverage?.value ?? null,
  };
}

/** -0.6 is 60 % less; null against nothing. */
export function versus(own: number, baseline: number): number | null {
  return baseline > 0 ? own / baseline - 1 : null;
}

interface OfTrace {
  readonly trace: string;
  readonly value: number | null;
}

function worst(ratios: readonly OfTrace[]): { trace: string; value: number } | undefined {
  let found: { trace: string; value: number } | undefined;
  for (const { trace, value } of ratios)
    if (value !== null && (found === undefined || value > found.value)) found = { trace, value };
  return found;
}

/** Geometric mean of what the ratios are relative to, as a ratio again; null of nothing. */
function geometric(ratios: readonly (number | null)[]): number | null {
  const logarithm = mean(ratios.map((ratio) => (ratio === null ? null : Math.log1p(ratio))));
  return logarithm === null ? null : Math.expm1(logarithm);
}

function mean(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : sum(known) / known.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
