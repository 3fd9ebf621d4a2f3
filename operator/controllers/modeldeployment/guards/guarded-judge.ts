/**
 * The judge that the reconciler asks: guards beside the forecasts' judge. Looking takes time and asking must not, so
 * guards look by themselves at their own pace, at those pairs of versions that somebody has asked for lately.
 *
 * What they have seen is in memory alone. A new leader counts anew: it may take longer to promote or to send back, and
 * never promotes sooner.
 */
import type { Clock } from '../../../clock.ts';
import type { Logger } from '../../../logger.ts';
import type { Runnable } from '../../../runtime/index.ts';
import type { Compared, FullJudgement, Judge } from '../judge.ts';
import { combine } from './combine.ts';
import { Comparison, type Sources } from './comparison.ts';

export interface GuardedJudgeOptions extends Sources {
  /** Absent: forecasters are held, and generic models are judged by their guards. */
  readonly forecasts?: Judge | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly periodMs?: number;
}

const PERIOD_MS = 15_000;
/** A pair that was not asked for in so many periods is compared no more. */
const FORGOTTEN_AFTER = 20;
/** Pairs that are looked at together. */
const AT_ONCE = 8;

interface Watched {
  readonly comparison: Comparison;
  /** What it was made of: another list of guards is another comparison. */
  readonly guards: string;
  askedAtMs: number;
}

export function createGuardedJudge(options: GuardedJudgeOptions): Judge & Runnable {
  const { clock, forecasts, log, periodMs = PERIOD_MS } = options;
  const watched = new Map<string, Watched>();

  function comparisonOf({ object, candidate, baseline }: Compared): Comparison {
    const { uid = '', namespace, name } = object.metadata;
    const key = `${namespace}/${name}/${uid}/${candidate}/${baseline}`;
    const { guards, minLabels } = object.spec.rollout.judge;
    const made = JSON.stringify([guards, minLabels]);
    const before = watched.get(key);
    const comparison =
      before?.guards === made ? before.comparison : new Comparison(object, { candidate, baseline }, options);
    watched.set(key, { comparison, guards: made, askedAtMs: clock.monotonic() });
    return comparison;
  }

  async function lookAtAll(signal: AbortSignal): Promise<void> {
    const now = clock.monotonic();
    for (const [key, { askedAtMs }] of watched)
      if (now - askedAtMs > FORGOTTEN_AFTER * periodMs) watched.delete(key);
    const queue = [...watched].values();
    const work = async () => {
      for (const [key, { comparison }] of queue)
        try {
          // oxlint-disable-next-line no-await-in-loop -- one after the other in each of the lanes
          await comparison.look(signal);
        } catch (error) {
          signal.throwIfAborted();
          log.error('a guard failed unexpectedly', { pair: key, error });
        }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  return {
    name: 'model guards',
    judgementOf(compared): FullJudgement | undefined {
      const { object, candidate, baseline } = compared;
      const { findings } = comparisonOf(compared);
      return combine(
        { task: object.spec.task, candidate, baseline },
        forecasts?.judgementOf(compared),
        findings,
      );
    },
    async run(signal) {
      while (!signal.aborted) {
        // oxlint-disable-next-line no-await-in-loop -- one round after the other
        await lookAtAll(signal).catch(() => undefined);
        // oxlint-disable-next-line no-await-in-loop
        await clock.sleep(periodMs, signal).catch(() => undefined);
      }
    },
  };
}
