/** Conditions as the API conventions want them: lastTransitionTime moves only when the status does. */
import { formatTime } from './micro-time.ts';
import type { StatusCondition } from './types.ts';

export interface NewCondition {
  readonly type: string;
  readonly status: StatusCondition['status'];
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
}

/** The API server's own limit on the length of a condition's message. */
const MAX_MESSAGE = 32_768;

/** A new list in which `next` stands in the place of its type, or at the end. */
export function setCondition(
  conditions: readonly StatusCondition[],
  next: NewCondition,
  nowMs: number,
): readonly StatusCondition[] {
  const before = findCondition(conditions, next.type);
  const lastTransitionTime =
    before !== undefined && before.status === next.status ? before.lastTransitionTime : formatTime(nowMs);
  const condition = { ...next, message: next.message.slice(0, MAX_MESSAGE), lastTransitionTime };
  if (before === undefined) return [...conditions, condition];
  return conditions.map((each) => (each.type === next.type ? condition : each));
}

export function removeCondition(
  conditions: readonly StatusCondition[],
  type: string,
): readonly StatusCondition[] {
  return conditions.filter((each) => each.type !== type);
}

export function findCondition(
  conditions: readonly StatusCondition[],
  type: string,
): StatusCondition | undefined {
  return conditions.find((each) => each.type === type);
}
