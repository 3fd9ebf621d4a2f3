/** The sweep of a trace at each of its start-up times. */
import type { BacktestOptions, TracePlan } from './backtest.ts';
import { COVERAGES, HPA_TARGETS, type SweepRun, sweep } from './frontier.ts';
import { hpaPolicy } from './policies/decided.ts';
import { taped } from './policies/taped.ts';
import type { FrontierSweep } from './report-types.ts';
import type { Run, Runner } from './runner.ts';
import { type Policy, simulate } from './simulate.ts';

export interface SweepOptions extends Pick<BacktestOptions, 'target' | 'coverage'> {
  /** Runs that are made at least; refinement adds some. */
  readonly onProgress?: (done: number, all: number) => void;
}

/** @param runner that the backtest used: it keeps what was run before. */
export function sweepTrace(
  { trace, startUpMs }: TracePlan,
  runner: Runner,
  { target, coverage: defaultCoverage, onProgress = () => {} }: SweepOptions,
): FrontierSweep[] {
  const all = startUpMs.length * (HPA_TARGETS.length + COVERAGES.length);
  let done = 0;
  const progress = (): void => onProgress(Math.min(++done, all), all);
  const ours = (startUp: number, coverage: number): Run => ({
    policy: 'foresail',
    objective: 'efficiency',
    startUpMs: startUp,
    target,
    coverage,
  });
  // A band may serve more than one start-up time and is costly to make, so coverages go outside.
  for (const coverage of COVERAGES)
    for (const startUp of startUpMs) {
      runner.run(ours(startUp, coverage));
      progress();
    }
  const hpa = new Map<number, Policy>();
  return startUpMs.map((startUp) => {
    const run: SweepRun = (policy, parameter) => {
      if (policy === 'foresail') return runner.run(ours(startUp, parameter));
      progress();
      const decided = hpa.get(parameter) ?? taped(hpaPolicy({ target: parameter }));
      hpa.set(parameter, decided);
      return simulate(trace, decided, { ...runner.options, startUpMs: startUp });
    };
    const { steps } = runner.run(ours(startUp, defaultCoverage));
    return sweep({ trace: trace.name, startUpSeconds: startUp / 1000, steps, defaultCoverage }, run);
  });
}
