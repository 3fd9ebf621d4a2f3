/**
 * What the operator would have decided by each model on the test part: the backtest's own simulator, the model alone
 * (no rival helps it out), objective Efficiency, where the forecast decides most.
 */
import type { Forecaster } from '../forecast/types.ts';
import { planOf } from '../simulate/backtest.ts';
import { parseCapacity } from '../simulate/protocol.ts';
import { createRunner } from '../simulate/runner.ts';
import { recordTape } from '../simulate/tape.ts';
import type { Trace } from '../simulate/trace.ts';
import { endOf } from './data-gate.ts';
import type { FolderSeries } from './series-folder.ts';

export interface SeriesDecisions {
  readonly series: string;
  readonly startUpSeconds: number;
  readonly days: number;
  readonly candidate: Decided;
  /** The incumbent, or HPA where there is none. */
  readonly other: Decided;
}

export interface Decided {
  readonly replicaHours: number;
  readonly shortMinutes: number;
  /** Per cent of the time. */
  readonly tauU: number;
}

/** The first that a series is fine enough for. */
const START_UP_MS = [120_000, 600_000] as const;
const METRIC_DELAY_MS = 60_000;
const TARGET = 0.7;
const COVERAGE = 0.99;
/** Steps before the test part that are lived through: calibration learns there. */
const LEARNING_STEPS = 3000;
const OPTIONS = {
  startUpMs: START_UP_MS,
  metricDelayMs: METRIC_DELAY_MS,
  objectives: ['efficiency'],
  policies: ['foresail'],
  target: TARGET,
  capacity: parseCapacity('p95/20'),
  coverage: COVERAGE,
} as const;

/** @returns why it cannot be simulated, as text */
export async function decisionsOn(
  series: FolderSeries,
  { candidate, incumbent }: { readonly candidate: Forecaster; readonly incumbent: Forecaster | undefined },
  validateEndMs: number,
  signal: AbortSignal,
): Promise<SeriesDecisions | string> {
  const { values, startMs, stepMs, name } = series;
  const split = Math.ceil((endOf(series, validateEndMs) - startMs) / stepMs);
  if (split < 1 || split >= values.length) return 'it does not reach into the test part';
  // Its replica-hours are no number, and in a mean one such hides what all others say.
  if (values.subarray(split).every(Number.isNaN)) return 'nothing of its test part is known';
  const trace: Trace = { name, startMs, stepMs, values };
  const plan = planOf(trace, OPTIONS);
  const [startUpMs] = plan.startUpMs;
  if (startUpMs === undefined) return plan.skipped[0]?.reason ?? 'its step is too long';
  const scored = { from: split, to: values.length };
  const origins = { from: Math.max(split - LEARNING_STEPS, 0), to: values.length };
  const options = { metricDelayMs: METRIC_DELAY_MS, capacity: plan.capacity, scored };
  const run = { startUpMs, target: TARGET, objective: 'efficiency', coverage: COVERAGE } as const;
  const byModel = async (model: Forecaster): Promise<Decided> => {
    const tape = await recordTape(trace, [model], { horizon: plan.horizon, origins }, signal);
    return numbersOf(createRunner(trace, tape, options).run({ ...run, policy: 'foresail' }));
  };
  return {
    series: name,
    startUpSeconds: startUpMs / 1000,
    days: ((scored.to - scored.from) * stepMs) / 86_400_000,
    candidate: await byModel(candidate),
    other:
      incumbent === undefined
        ? numbersOf(createRunner(trace, undefined, options).run({ ...run, policy: 'hpa' }))
        : await byModel(incumbent),
  };
}

function numbersOf(outcome: {
  readonly replicaHours: number;
  readonly underProvisionedMinutes: number;
  readonly tauU: number;
}): Decided {
  const { replicaHours, underProvisionedMinutes, tauU } = outcome;
  return { replicaHours, shortMinutes: underProvisionedMinutes, tauU };
}
