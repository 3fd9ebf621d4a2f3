/**
 * How far ahead an order made now has to look. The operator and the simulator ask here, so that what a backtest proves
 * is what a cluster gets.
 *
 * A metric tells of a load late: it is a mean over a step (a rate over a minute sees the last minute), which is whole
 * when the step has ended, and then it has a delay. What is forecast is the metric as it will be read, so the load of a
 * moment stands a step and the delay behind it. An order serves from its start-up on until the next decision's order is
 * ready; the last load that it serves alone is that of the step that begins just before then.
 *
 *   ready = now + start-up + step + delay
 *   end   = ready + decision interval
 */

export interface LeadConditions {
  /** Time that one value of the metric is a mean of: a step of the forecast. */
  readonly stepMs: number;
  /** From the end of a step to the moment at which its load can be read. */
  readonly metricDelayMs: number;
  /** From the order of a replica until it serves. */
  readonly leadMs: number;
  /** Until the next decision. */
  readonly decisionMs: number;
}

/** Times at which the metric will be read. */
export interface LeadWindow {
  readonly fromMs: number;
  /** From here on the metric tells of loads that replicas ordered now serve. */
  readonly readyMs: number;
  /** A step that begins here or later is served by the next order. */
  readonly toMs: number;
}

/** All in load time. */
export function leadWindow(nowMs: number, conditions: LeadConditions): LeadWindow {
  const { stepMs, metricDelayMs, leadMs, decisionMs } = conditions;
  const readyMs = nowMs + stepMs + metricDelayMs + leadMs;
  return { fromMs: nowMs, readyMs, toMs: readyMs + decisionMs };
}

/** Steps from a load that has just been read to the first one that replicas ordered on it serve whole. */
export function readySteps(
  { fromMs, readyMs }: Pick<LeadWindow, 'fromMs' | 'readyMs'>,
  stepMs: number,
): number {
  return Math.ceil((readyMs - fromMs) / stepMs);
}
