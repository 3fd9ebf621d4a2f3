/**
 * A label on the pod that leads, so that a Service can lead there: only the leader knows attempts and history, and a
 * request that a follower refuses costs its sender a second. The label is a help, not a proof: whoever is asked and
 * does not lead still refuses.
 */
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';
import {
  type Client,
  isNotFound,
  type KubeObject,
  type ResourceRef,
  type Runnable,
} from '../runtime/index.ts';

export const LEADER_LABEL = 'foresail.io/leader';

/** Another release in the same namespace has a leader of its own. */
const INSTANCE = 'app.kubernetes.io/instance';

const PODS: ResourceRef = { group: '', version: 'v1', plural: 'pods', namespaced: true };
const RETRY_MS = 5_000;
/** While the lease is still ours. */
const LAST_WRITE_MS = 2_000;

export interface LeaderMarkOptions {
  /** Fenced. */
  readonly client: Pick<Client, 'list' | 'mergePatch'>;
  readonly namespace: string;
  /** Name of the operator's own pod. */
  readonly pod: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** To run on the leader alone. */
export function createLeaderMark({ client, namespace, pod, clock, log }: LeaderMarkOptions): Runnable {
  /** @returns the pod with it; undefined: a process outside of the cluster has no pod, and another one's may be gone */
  async function label(
    name: string,
    value: 'true' | null,
    signal: AbortSignal,
  ): Promise<KubeObject | undefined> {
    try {
      const patch = { metadata: { labels: { [LEADER_LABEL]: value } } };
      return await client.mergePatch<KubeObject>(PODS, { namespace, name }, patch, {}, signal);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** One that led before and was killed could not take it off. */
  async function take(signal: AbortSignal): Promise<void> {
    const { items } = await client.list<KubeObject>(PODS, { namespace, labelSelector: LEADER_LABEL }, signal);
    const own = await label(pod, 'true', signal);
    const before = items.filter(
      ({ metadata }) =>
        metadata.name !== pod &&
        (own === undefined || metadata.labels?.[INSTANCE] === own.metadata.labels?.[INSTANCE]),
    );
    // oxlint-disable-next-line no-await-in-loop -- there is hardly ever more than one
    for (const { metadata } of before) await label(metadata.name, null, signal);
  }

  return {
    name: 'leader mark',
    async run(signal) {
      for (let marked = false; !marked && !signal.aborted; ) {
        try {
          // oxlint-disable-next-line no-await-in-loop -- again only after a failure
          await take(signal);
          marked = true;
        } catch (error) {
          if (signal.aborted) break;
          log.warn('the pod that leads could not be marked', { error: messageOf(error) });
          // oxlint-disable-next-line no-await-in-loop
          await clock.sleep(RETRY_MS, signal).catch(() => undefined);
        }
      }
      await aborted(signal);
      await label(pod, null, AbortSignal.timeout(LAST_WRITE_MS)).catch(() => undefined);
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
