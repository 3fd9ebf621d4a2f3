/**
 * Gate `Calibration`: the operator buys replicas by upper quantiles. Its own calibration lifts a band that is a little
 * too low; one that has collapsed (a constant training set makes such) it cannot save. Widths are paid for in
 * `ForecastScore`, so here only too little coverage fails.
 */
import { meanCoverage } from './forecast-gate.ts';
import type { GateResult } from './types.ts';
import type { WindowScores } from './window-scores.ts';

const LEVELS = ['0.9', '0.95', '0.99'] as const;
/** Points below the level at which a band counts as collapsed. */
const MOST_BELOW = 0.15;
/** Points below the incumbent's coverage, where that one is below its level too. */
const MOST_BELOW_INCUMBENT = 0.05;

export function calibrationGate(scores: readonly WindowScores[]): GateResult {
  const rows = LEVELS.map((level) => {
    const own = meanCoverage(scores, 'candidate', level);
    const other = meanCoverage(scores, 'incumbent', level);
    const least = Math.max(
      Number(level) - MOST_BELOW,
      other === null ? 0 : Math.min(other, Number(level)) - MOST_BELOW_INCUMBENT,
    );
    return { level, name: `coverage${level.slice(2).padEnd(2, '0')}`, own, least };
  });
  const low = rows.filter(({ own, least }) => own !== null && own < least);
  const unknown = rows.every(({ own }) => own === null);
  return {
    name: 'Calibration',
    verdict: unknown ? 'Skip' : low.length === 0 ? 'Pass' : 'Fail',
    measured: Object.fromEntries(rows.map(({ name, own }) => [name, own])),
    required: Object.fromEntries(rows.map(({ name, least }) => [name, least])),
    message: unknown
      ? 'no window could be scored'
      : low.length === 0
        ? `of the loads ${rows.map(({ own, level }) => `${percent(own)} are below the ${level} quantile`).join(', ')}`
        : low
            .map(
              ({ own, level, least }) =>
                `${percent(own)} of the loads are below the ${level} quantile, asked are ${percent(least)}`,
            )
            .join('; '),
  };
}

function percent(share: number | null): string {
  return share === null ? '-' : `${(100 * share).toFixed(1)} %`;
}
