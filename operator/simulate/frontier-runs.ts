/** The sweep of a trace at each of its start-up times, by the runner that the backtest used. */
import type { BacktestOptions, TracePlan } from './backtest.ts';
import { COVERAGES, HPA_TARGETS, type SweepRun, sweep } from './frontier.ts';
import type { FrontierSweep } from './report-types.ts';
import type { Run, Runner } from './runner.ts';

export interface SweepOptions extends Pick<BacktestOptions, 'target' | 'coverage'> {
  /** Runs that are made at least; refinement adds some. */
  readonly onProgress?: (done: number, all: number) => void;
}

export function sweepTrace(
  { trace, startUpMs }: TracePlan,
  runner: Runner,
  { target, coverage: defaultCoverage, onProgress = () => {} }: SweepOptions,
): FrontierSweep[] {
  const all = startUpMs.length * (HPA_TARGETS.length + COVERAGES.length);
  let done = 0;
  const ours = (startUp: number, coverage: number): Run => ({
    policy: 'foresail',
    objective: 'efficiency',
    startUpMs: startUp,
    target,
    coverage,
  });
  // A band serves all start-up times and is costly to make, so coverages go outside; the runner keeps what was run.
  for (const coverage of COVERAGES)
    for (const startUp of startUpMs) {
      runner.run(ours(startUp, coverage));
      onProgress(++done, all);
    }
  return startUpMs.map((startUp) => {
    const untouched = ours(startUp, defaultCoverage);
    const run: SweepRun = (policy, parameter) => {
      if (policy === 'foresail') return runner.run(ours(startUp, parameter));
      onProgress(Math.min(++done, all), all);
      return runner.run({ ...untouched, policy: 'hpa', target: parameter });
    };
    const { steps } = runner.run(untouched);
    return sweep({ trace: trace.name, startUpSeconds: startUp / 1000, steps, defaultCoverage }, run);
  });
}
