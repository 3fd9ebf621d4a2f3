/** Metrics of ModelDeployments: where each stands, how its rollouts end, and how long their steps take. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { PHASES } from '../api/modeldeployment/status.ts';

const PER_MODEL = ['namespace', 'name'] as const;
const ROLES = ['stable', 'canary'] as const;
const VERDICTS = ['Promote', 'Rollback', 'Inconclusive'] as const;
export const ROLLOUT_ENDS = ['Promoted', 'Aborted', 'Superseded', 'Undone', 'RolledBack'] as const;
const STEPS = ['shadow', 'setWeight', 'pause', 'analysis'] as const;

export type RolloutEnd = (typeof ROLLOUT_ENDS)[number];
export type StepKind = (typeof STEPS)[number];

export interface RolloutSample {
  readonly namespace: string;
  readonly name: string;
  readonly phase: (typeof PHASES)[number];
  readonly versions: Partial<
    Readonly<
      Record<
        (typeof ROLES)[number],
        { readonly version: number; readonly weight: number; readonly readyReplicas: number }
      >
    >
  >;
  /** Absent while nothing is judged. */
  readonly verdict?: (typeof VERDICTS)[number] | undefined;
  /** Of this pass. */
  readonly ended: readonly RolloutEnd[];
  readonly steps: readonly { readonly kind: StepKind; readonly seconds: number }[];
}

export interface RolloutMetrics {
  observe(sample: RolloutSample): void;
  /** Drops every series of an object that no longer exists. */
  forget(namespace: string, name: string): void;
}

/** From a step that need not be waited for to one of days. */
const STEP_SECONDS = [
  1,
  10,
  60,
  300,
  900,
  1800,
  3600,
  4 * 3600,
  12 * 3600,
  24 * 3600,
  48 * 3600,
  7 * 24 * 3600,
];

export function rolloutMetrics(registers: Registry[]): RolloutMetrics {
  const gauge = (name: string, help: string, label: string) =>
    new Gauge({
      name: `foresail_modeldeployment_${name}`,
      help,
      labelNames: [...PER_MODEL, label],
      registers,
    });
  const phase = gauge('phase', '1 for the phase that it is in, 0 for the others.', 'phase');
  const verdict = gauge(
    'judge_verdict',
    '1 for what the judge says; no series while nothing is judged.',
    'verdict',
  );
  const weight = gauge('weight', 'Per cent of the traffic.', 'role');
  const version = gauge('version', 'Number of the version.', 'role');
  const ready = gauge('ready_replicas', 'Ready pods.', 'role');
  const ends = new Counter({
    name: 'foresail_modeldeployment_rollouts_total',
    help: 'Rollouts by how they ended; RolledBack is after a promotion.',
    labelNames: [...PER_MODEL, 'outcome'],
    registers,
  });
  const steps = new Histogram({
    name: 'foresail_modeldeployment_step_duration_seconds',
    help: 'Time from the begin of a step to its end.',
    labelNames: ['step'],
    buckets: STEP_SECONDS,
    registers,
  });
  return {
    observe({ namespace, name, versions, ...sample }) {
      const id = { namespace, name };
      for (const each of PHASES) phase.set({ ...id, phase: each }, Number(each === sample.phase));
      for (const each of VERDICTS)
        if (sample.verdict === undefined) verdict.remove({ ...id, verdict: each });
        else verdict.set({ ...id, verdict: each }, Number(each === sample.verdict));
      for (const role of ROLES) {
        const of = versions[role];
        for (const [metric, value] of [
          [weight, of?.weight],
          [version, of?.version],
          [ready, of?.readyReplicas],
        ] as const)
          if (value === undefined) metric.remove({ ...id, role });
          else metric.set({ ...id, role }, value);
      }
      // From the first look on: a counter that appears with its first failure cannot be alerted on.
      for (const outcome of ROLLOUT_ENDS)
        ends.inc({ ...id, outcome }, sample.ended.filter((each) => each === outcome).length);
      for (const { kind, seconds } of sample.steps) steps.observe({ step: kind }, seconds);
    },
    forget(namespace, name) {
      const id = { namespace, name };
      for (const each of PHASES) phase.remove({ ...id, phase: each });
      for (const each of VERDICTS) verdict.remove({ ...id, verdict: each });
      for (const metric of [weight, version, ready]) for (const role of ROLES) metric.remove({ ...id, role });
      for (const outcome of ROLLOUT_ENDS) ends.remove({ ...id, outcome });
    },
  };
}
