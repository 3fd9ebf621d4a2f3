/** How many pods the whole operator may create per minute: a token bucket as plain data. */

export interface CreationBudget {
  readonly tokens: number;
  readonly atMs: number;
}

export function fullBudget(perMinute: number, nowMs: number): CreationBudget {
  return { tokens: perMinute, atMs: nowMs };
}

/** The budget now. A clock that went back refills nothing. */
export function refill(budget: CreationBudget, perMinute: number, nowMs: number): CreationBudget {
  const earned = (Math.max(0, nowMs - budget.atMs) / 60_000) * perMinute;
  return { tokens: Math.min(perMinute, budget.tokens + earned), atMs: Math.max(nowMs, budget.atMs) };
}

/** After a write that creates `pods`. Pods that bounds force may overdraw it; then nothing else is left for a while. */
export function spend(budget: CreationBudget, pods: number): CreationBudget {
  return { ...budget, tokens: budget.tokens - pods };
}

export function creationsLeft(budget: CreationBudget): number {
  return Math.max(0, Math.floor(budget.tokens));
}
