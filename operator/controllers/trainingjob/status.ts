/** Phase "report": the whole status of a run, in one place. */
import { API_VERSION, TRAINING_JOB, type TrainingJob, type TrainingJobStatus } from '../../api/index.ts';
import {
  createStatusWriter,
  type EventTarget,
  type NewCondition,
  type StatusCondition,
  type StatusWriter,
  setCondition,
  type Writer,
} from '../../runtime/index.ts';
import { runFolder } from './objects/names.ts';
import { wordsOf } from './plan/gate-stage.ts';
import type { Now, Observed, RunState } from './plan/types.ts';
import { statusOfState } from './state.ts';

/** Its times are memory: that a run was due is news, though nothing else has changed. */
export function createRunStatusWriter(client: Pick<Writer, 'patchStatus'>): StatusWriter {
  return createStatusWriter(client, (key) => key === 'lastTransitionTime');
}

export interface RunReport {
  readonly object: TrainingJob;
  readonly state: RunState;
  readonly now: Now;
  readonly seen: Pick<Observed, 'attempts'> | undefined;
  /** It asked for GPUs and may have them. */
  readonly gpu: boolean;
  readonly nowMs: number;
}

/** Conditions of a run; a repeating one has Ready alone (schedule). */
export function runStatus(report: RunReport): TrainingJobStatus {
  const { object, state, now, seen } = report;
  const { generation: observedGeneration } = object.metadata;
  const path = `pvc://${object.spec.checkpoint.claimName}/${runFolder(object.metadata)}/out`;
  const current = seen?.attempts.find(({ number }) => number === state.attempt?.number);
  const pods = current?.pods ?? [];
  return {
    ...(observedGeneration === undefined ? {} : { observedGeneration }),
    phase: now.phase,
    ...statusOfState(state, path),
    workers:
      state.attempt === undefined || state.result !== undefined || state.outcome !== undefined
        ? undefined
        : { nodes: state.attempt.nodes, ready: pods.filter(({ running }) => running).length },
    conditions: mergeConditions(object, conditionsOf(report), report.nowMs),
  };
}

export function mergeConditions(
  { metadata: { generation }, status }: Pick<TrainingJob, 'metadata' | 'status'>,
  wanted: readonly NewCondition[],
  nowMs: number,
): StatusCondition[] {
  const named = new Set(wanted.map(({ type }) => type));
  const before = ((status?.conditions ?? []) as readonly StatusCondition[]).filter(({ type }) =>
    named.has(type),
  );
  const merged = wanted.reduce<readonly StatusCondition[]>(
    (list, condition) =>
      setCondition(
        list,
        { ...condition, ...(generation === undefined ? {} : { observedGeneration: generation }) },
        nowMs,
      ),
    before,
  );
  return [...merged];
}

function conditionsOf({ state, now, gpu }: RunReport): NewCondition[] {
  const { phase, reason, message } = now;
  if (phase === 'Complete' || phase === 'Failed')
    return [{ type: phase, status: 'True', reason, message }, ...gatePassed(state)];
  const moves = phase === 'Searching' || phase === 'Training' || phase === 'Gating';
  return [
    { type: 'Progressing', status: moves ? 'True' : 'False', reason, message },
    phase === 'Suspended' || phase === 'Queued'
      ? { type: 'Suspended', status: 'True', reason, message }
      : { type: 'Suspended', status: 'False', reason: 'NotSuspended', message: 'nothing holds it back' },
    ...(gpu && state.attempt !== undefined ? [accelerated(state.attempt.onCpu, reason)] : []),
    ...gatePassed(state),
  ];
}

function gatePassed({ gate }: RunState): NewCondition[] {
  if (gate === undefined) return [];
  const type = 'GatePassed';
  return gate.verdict === 'Pass'
    ? [{ type, status: 'True', reason: 'Passed', message: wordsOf(gate) }]
    : [{ type, status: 'False', reason: 'NotPassed', message: wordsOf(gate) }];
}

function accelerated(onCpu: boolean, reason: string): NewCondition {
  const type = 'Accelerated';
  if (onCpu)
    return {
      type,
      status: 'False',
      reason: 'CpuFallback',
      message: 'no node with GPUs had room in time; it trains by CPU',
    };
  if (reason === 'WaitingForGpu')
    return { type, status: 'Unknown', reason, message: 'no node with GPUs has room yet' };
  return { type, status: 'True', reason: 'Gpu', message: 'its pods ask for GPUs' };
}

export function eventTarget({ metadata }: Pick<TrainingJob, 'metadata'>): EventTarget {
  const { name, namespace, uid = '' } = metadata;
  return { apiVersion: API_VERSION, kind: TRAINING_JOB.kind, metadata: { name, namespace, uid } };
}
