/** Ready sums up the other conditions for `kubectl wait`, the column and the alert. */
import type { ConditionPlan } from '../../decision/types.ts';
import type { OwnCondition } from './status.ts';

export function notReady(reason: string, message: string): OwnCondition {
  return { type: 'Ready', status: 'False', reason, message };
}

/** What a phase said itself counts first, then a rival, then what keeps the target from being scaled. */
export function readiness(conditions: readonly (ConditionPlan | OwnCondition)[]): OwnCondition {
  const last = (type: string) => conditions.findLast((condition) => condition.type === type);
  const own = last('Ready');
  if (own !== undefined) return own as OwnCondition;
  const conflict = last('ConflictingScaler');
  if (conflict?.status === 'True') return notReady('ConflictingScaler', conflict.message);
  const blocked = ['AbleToScale', 'ScalingActive']
    .map(last)
    .find((condition) => condition?.status === 'False');
  if (blocked !== undefined) return notReady(blocked.reason, blocked.message);
  return {
    type: 'Ready',
    status: 'True',
    reason: 'Scaling',
    message: 'metrics are read and the target can be scaled',
  };
}
