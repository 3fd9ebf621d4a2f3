/**
 * Step "act" of a reconcile: one merge-patch on the target's scale with the version that was seen, and whoever wants to
 * know of it is told: the user by an event, the administrator by a metric and a line of the log.
 */
import { failedUpdateScale, succeededRescale } from '../../decision/conditions.ts';
import type { ConditionPlan, Decision } from '../../decision/types.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { Metrics } from '../../observability/metrics.ts';
import { type EventRecorder, type EventTarget, isConflict, type Writer } from '../../runtime/index.ts';
import type { Fleet } from './ports.ts';
import type { Target } from './target.ts';

export interface ScaleWriterOptions {
  /** Fenced: an ex-leader writes nothing. */
  readonly client: Pick<Writer, 'patchScale'>;
  readonly events: EventRecorder;
  readonly metrics: Metrics;
  readonly fleet: Fleet;
  readonly log: Logger;
}

export interface ScaleOrder {
  /** `namespace/name` of the scaler. */
  readonly key: string;
  readonly regarding: EventTarget;
  readonly target: Target;
  readonly decision: Decision;
}

export type ScaleOutcome =
  | { readonly kind: 'written'; readonly resourceVersion: string; readonly condition: ConditionPlan }
  /** A conflict has no condition: it is looked at again at once. */
  | { readonly kind: 'failed'; readonly error: unknown; readonly condition?: ConditionPlan };

/** Rejects with the signal's reason alone. */
export type WriteScale = (order: ScaleOrder, signal: AbortSignal) => Promise<ScaleOutcome>;

export function createScaleWriter({ client, events, metrics, fleet, log }: ScaleWriterOptions): WriteScale {
  return async ({ key, regarding, target, decision }, signal) => {
    const { id, boundBy, rescaleReason: reason } = decision;
    const [from, to] = [target.specReplicas, decision.desiredReplicas];
    const annotations = { 'foresail.io/decision-id': id };
    const { ref, namespace, name, resourceVersion } = target;
    const seen = resourceVersion === undefined ? {} : { resourceVersion };
    let written: string;
    try {
      const scale = await client.patchScale(ref, { namespace, name }, to, seen, signal);
      written = scale.metadata.resourceVersion ?? '';
    } catch (error) {
      fleet.spend(-decision.creations);
      signal.throwIfAborted();
      metrics.scaleWrite(isConflict(error) ? 'conflict' : 'failed');
      if (isConflict(error)) return { kind: 'failed', error };
      const message = `New size: ${to}; reason: ${reason}; error: ${messageOf(error)}`;
      events.event(regarding, 'Warning', 'FailedRescale', message, annotations);
      return { kind: 'failed', error, condition: failedUpdateScale(messageOf(error)) };
    }
    metrics.scaleWrite('written');
    events.event(regarding, 'Normal', 'SuccessfulRescale', `New size: ${to}; reason: ${reason}`, annotations);
    log.info('scaled', { scaler: key, decision: id, from, to, boundBy, reason });
    return { kind: 'written', resourceVersion: written, condition: succeededRescale(to) };
  };
}
