/** From scores per series to one line per forecaster and horizon, the worst series named. */
import { geometricMean, TAIL_LEVELS, told } from './metrics.ts';
import type { ByLevel, EvaluationAggregate, EvaluationResult } from './report-types.ts';

/** In order of horizon, then of first appearance. Geometric means of the ratios; plain means of coverages. */
export function aggregateOf(results: readonly EvaluationResult[]): EvaluationAggregate[] {
  const groups = Map.groupBy(
    results.filter(({ inAggregate }) => inAggregate),
    ({ model, horizonSeconds }) => `${horizonSeconds} ${model}`,
  );
  return [...groups.values()].map(aggregateOne).sort((a, b) => a.horizonSeconds - b.horizonSeconds);
}

function aggregateOne(rows: readonly EvaluationResult[]): EvaluationAggregate {
  const [first] = rows;
  const worst = rows.reduce<EvaluationResult | undefined>(
    (most, row) => ((row.relWql ?? 0) > (most?.relWql ?? 0) ? row : most),
    undefined,
  );
  const byLevel = <T>(of: (key: string, level: number) => T): ByLevel<T> =>
    Object.fromEntries(TAIL_LEVELS.map((level) => [String(level), of(String(level), level)]));
  const missBy = (row: EvaluationResult, key: string, level: number): number =>
    Math.abs((row.coverage[key] ?? Number.NaN) - level);
  return {
    model: first?.model ?? '',
    horizonSeconds: first?.horizonSeconds ?? 0,
    series: rows.length,
    relMase: told(geometricMean(rows.map((row) => row.relMase))),
    relWql: told(geometricMean(rows.map((row) => row.relWql))),
    worstSeries: worst?.series ?? null,
    worstRelWql: worst?.relWql ?? null,
    betterThanNaive: rows.filter((row) => (row.relWql ?? Number.POSITIVE_INFINITY) < 1).length,
    wape: told(geometricMean(rows.map((row) => row.wape))),
    relPinball: byLevel((key) => told(geometricMean(rows.map((row) => row.relPinball?.[key] ?? null)))),
    coverage: byLevel((key) => mean(rows.map((row) => row.coverage[key] ?? Number.NaN))),
    coverageTopDecile: byLevel((key) =>
      told(mean(rows.map((row) => row.coverageTopDecile[key] ?? Number.NaN).filter((x) => !Number.isNaN(x)))),
    ),
    coverageError: byLevel((key, level) => mean(rows.map((row) => missBy(row, key, level)))),
    worstCoverage: byLevel((key, level) => {
      const row = rows.reduce<EvaluationResult | undefined>(
        (most, one) =>
          most === undefined || missBy(one, key, level) > missBy(most, key, level) ? one : most,
        undefined,
      );
      return { series: row?.series ?? '', realised: row?.coverage[key] ?? Number.NaN };
    }),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
