/** The status out of a plan, in the order in which people read it. */
import {
  LABELS,
  MODEL_DEPLOYMENT,
  type ModelDeployment,
  type ModelDeploymentStatus,
} from '../../api/index.ts';
import { stepsOf } from '../../rollout/course.ts';
import type { Pods, RolloutPlan, RolloutSettings } from '../../rollout/types.ts';
import { type NewCondition, type StatusCondition, setCondition } from '../../runtime/index.ts';
import { type FullJudgement, judgeStatus } from './judge.ts';
import { statusOfState } from './state.ts';

export interface StatusInput {
  readonly object: ModelDeployment;
  readonly plan: RolloutPlan | undefined;
  readonly settings: RolloutSettings | undefined;
  readonly pods: ReadonlyMap<number, Pods>;
  /** Pods that exist of each version, ready or not. */
  readonly replicas: ReadonlyMap<number, number>;
  readonly judgement: FullJudgement | undefined;
  /** What an alias was found to mean. */
  readonly resolved: ModelDeploymentStatus['resolved'];
  readonly conditions: readonly NewCondition[];
  readonly nowMs: number;
}

/** What a plan says nothing about (none was made, or a phase failed before it) keeps what it was. */
export function buildStatus(input: StatusInput): ModelDeploymentStatus {
  const { object, plan, settings, pods, judgement } = input;
  const { generation: observedGeneration, name } = object.metadata;
  const before = object.status ?? {};
  const conditions = mergeConditions((before.conditions ?? []) as readonly StatusCondition[], input);
  if (plan === undefined || settings === undefined)
    return { ...before, ...(observedGeneration === undefined ? {} : { observedGeneration }), conditions };
  return {
    ...(observedGeneration === undefined ? {} : { observedGeneration }),
    phase: plan.phase,
    resolved: input.resolved,
    ...statusOfState(plan.state, pods, stepsOf(plan.state, { settings }).length),
    judge: judgement === undefined ? undefined : judgeStatus(judgement),
    ...scaleOf(name, plan.state, input.replicas),
    conditions,
  };
}

/**
 * What a scaler sees, and sums up to what the traffic needs: the pods that answer it. Those of a shadow and of a version
 * that is kept for the watch work on copies or on nothing; counted with the others, they would double the order or hide
 * that stable is full.
 */
function scaleOf(
  name: string,
  { traffic }: RolloutPlan['state'],
  replicas: ReadonlyMap<number, number>,
): Pick<ModelDeploymentStatus, 'replicas' | 'selector'> {
  const answering = traffic.filter(({ weight }) => weight > 0).map(({ version }) => version);
  const counted = answering.length === 0 ? [...replicas.keys()] : answering;
  const all = `${LABELS.deployment}=${name}`;
  return {
    replicas: counted.reduce((sum, version) => sum + (replicas.get(version) ?? 0), 0),
    selector:
      answering.length === 0
        ? all
        : `${all},${LABELS.version} in (${answering.sort((a, b) => a - b).join(',')})`,
  };
}

function mergeConditions(
  before: readonly StatusCondition[],
  { conditions, object, nowMs, plan }: StatusInput,
): StatusCondition[] {
  const { generation } = object.metadata;
  const named = new Set(conditions.map(({ type }) => type));
  // A condition that a whole plan does not name any more does not hold any more.
  const kept = plan === undefined ? before : before.filter(({ type }) => named.has(type));
  const merged = conditions.reduce<readonly StatusCondition[]>(
    (list, condition) =>
      setCondition(
        list,
        { ...condition, ...(generation === undefined ? {} : { observedGeneration: generation }) },
        nowMs,
      ),
    kept,
  );
  return [...merged];
}

export const REF = {
  group: MODEL_DEPLOYMENT.group,
  version: MODEL_DEPLOYMENT.version,
  plural: MODEL_DEPLOYMENT.plural,
  namespaced: true,
} as const;
