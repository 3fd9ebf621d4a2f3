/** What one guard knows of a comparison. */

/**
 * `Breached`: the new version goes back. `Passed`: enough was seen, and it holds. `Waiting`: not enough was seen yet.
 * `Blind`: nothing can be seen, which is no pass and no failure.
 */
export type GuardOutcome = 'Breached' | 'Passed' | 'Waiting' | 'Blind';

export interface Finding {
  /** As `spec.rollout.judge.guards` calls it; a Prometheus guard has its place in that list behind it. */
  readonly name: string;
  readonly outcome: GuardOutcome;
  /** For people. It says no number that moves with every look, because each change of it is a write of the status. */
  readonly message: string;
  /** Requests of either version, the fewer, or answers of a server that were numbers. */
  readonly compared: number;
  /** With `Waiting`: what was seen so far speaks against the new version. */
  readonly suspected?: boolean;
}

export function holding(name: string, message: string, compared: number): Finding {
  return { name, outcome: 'Waiting', message, compared };
}
