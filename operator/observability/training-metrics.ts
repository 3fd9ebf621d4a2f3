/** Metrics of training runs: where each stands, how it ends, and how often it has to begin again. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { TRAINING_PHASES } from '../api/trainingjob/status.ts';

const PER_RUN = ['namespace', 'name'] as const;
/** One that is `Scheduled` makes runs, and is none. */
const PHASES = TRAINING_PHASES.filter((phase) => phase !== 'Scheduled');
export const RUN_ENDS = ['Complete', 'GateFailed', 'ConfigError', 'BackoffLimitExceeded', 'Other'] as const;

export type RunEnd = (typeof RUN_ENDS)[number];

export interface RunSample {
  readonly namespace: string;
  readonly name: string;
  readonly phase: (typeof PHASES)[number];
  /** Steps done and to do; absent before the first report. */
  readonly progress?: { readonly step: number; readonly total: number } | undefined;
  /** Attempts that ended with this pass, by cause. */
  readonly restarted: Readonly<Record<string, number>>;
  /** When it ended with this pass: how, and how long it took. */
  readonly ended?: { readonly how: RunEnd; readonly seconds: number } | undefined;
}

export interface TrainingMetrics {
  observe(sample: RunSample): void;
  /** Drops every series of a run that no longer exists. */
  forget(namespace: string, name: string): void;
}

const RUN_SECONDS = [60, 300, 900, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 24 * 3600, 72 * 3600];

export function trainingMetrics(registers: Registry[]): TrainingMetrics {
  const phase = new Gauge({
    name: 'foresail_trainingjob_phase',
    help: '1 for the phase that it is in, 0 for the others.',
    labelNames: [...PER_RUN, 'phase'],
    registers,
  });
  const progress = new Gauge({
    name: 'foresail_trainingjob_progress_ratio',
    help: 'Steps done as a share of those to do.',
    labelNames: PER_RUN,
    registers,
  });
  // Of all runs together: one that a schedule made is soon deleted, and what it counted with it.
  const restarts = new Counter({
    name: 'foresail_training_restarts_total',
    help: 'Attempts that ended before their model was trained, by cause.',
    labelNames: ['namespace', 'cause'],
    registers,
  });
  const ends = new Counter({
    name: 'foresail_training_runs_total',
    help: 'Runs by how they ended.',
    labelNames: ['namespace', 'outcome'],
    registers,
  });
  const duration = new Histogram({
    name: 'foresail_training_run_duration_seconds',
    help: 'Time from the first attempt of a run to its end.',
    labelNames: ['outcome'],
    buckets: RUN_SECONDS,
    registers,
  });
  return {
    observe({ namespace, name, ...sample }) {
      const id = { namespace, name };
      for (const each of PHASES) phase.set({ ...id, phase: each }, Number(each === sample.phase));
      if (sample.progress !== undefined && sample.progress.total > 0)
        progress.set(id, sample.progress.step / sample.progress.total);
      // From the first look on: a counter that appears with its first failure cannot be alerted on.
      for (const outcome of RUN_ENDS) ends.inc({ namespace, outcome }, Number(sample.ended?.how === outcome));
      for (const [cause, count] of Object.entries(sample.restarted))
        restarts.inc({ namespace, cause }, count);
      if (sample.ended !== undefined) duration.observe({ outcome: sample.ended.how }, sample.ended.seconds);
    },
    forget(namespace, name) {
      const id = { namespace, name };
      for (const each of PHASES) phase.remove({ ...id, phase: each });
      progress.remove(id);
    },
  };
}
