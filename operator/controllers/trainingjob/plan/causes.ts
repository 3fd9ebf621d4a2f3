/**
 * Why a gang ended, out of what its pods have left. One rank that goes takes the others with it, and theirs are the
 * errors that are seen first: so the whole gang is looked at, and what explains the rest wins.
 */
import { TRAINING_EXIT as EXIT } from '../../../api/index.ts';
import type { Finding, SeenAttempt, SeenPod, Told } from './types.ts';

export function isAway({ exit }: SeenPod): boolean {
  return exit?.code === EXIT.away;
}

/** The pod that found no room on a volume. */
export function fullOf(pods: readonly SeenPod[]): SeenPod | undefined {
  return pods.find(({ exit }) => exit?.code === EXIT.full);
}

/** Undefined while nothing has gone wrong, or nothing is left that tells what. */
export function causeOf({ job, pods }: Pick<SeenAttempt, 'job' | 'pods'>, said: Told): Finding | undefined {
  const config = pods.find(({ exit }) => exit?.code === EXIT.config);
  if (config !== undefined)
    return { cause: 'ConfigError', message: wordsOf(config, config.told.error ?? said.error) };

  const disrupted = pods.find((pod) => pod.disrupted !== undefined);
  if (disrupted !== undefined)
    return { cause: 'Disruption', message: `${nameOf(disrupted)}: ${disrupted.disrupted}` };

  const full = fullOf(pods);
  if (full !== undefined)
    return { cause: 'VolumeFull', message: wordsOf(full, full.told.error ?? said.error) };

  const away = pods.find(isAway);
  if (away !== undefined) return { cause: 'StorageAway', message: wordsOf(away, away.told.error) };

  const failed = pods.filter(({ exit }) => exit !== undefined && exit.code !== 0);
  const own = failed
    .filter(({ exit }) => exit?.code !== EXIT.stopped && exit?.code !== EXIT.fenced)
    // Those that were told to go failed because another one had.
    .sort((a, b) => Number(a.goneByMs !== undefined) - Number(b.goneByMs !== undefined))[0];
  if (own !== undefined) return { cause: 'Error', message: wordsOf(own, own.told.error ?? said.error) };
  const [first] = failed;
  if (first !== undefined)
    return first.exit?.code === EXIT.fenced
      ? { cause: 'Fenced', message: `${nameOf(first)}: a newer attempt has the run’s folder` }
      : // It ends so when it is told to, which we did not.
        { cause: 'Disruption', message: `${nameOf(first)} was stopped from outside` };
  const leaving = pods.find(({ goneByMs, done }) => goneByMs !== undefined && !done);
  if (leaving !== undefined && job?.done === undefined)
    return { cause: 'Disruption', message: `${nameOf(leaving)} was deleted` };
  if (job?.failedOn !== undefined)
    return { cause: job.failedOn, message: job.message ?? 'a pod that is gone took its Job along' };
  return undefined;
}

function nameOf({ index, name }: SeenPod): string {
  return index === undefined ? `pod ${name}` : `node ${index}`;
}

export function wordsOf(pod: SeenPod, error: Told['error']): string {
  const { code, reason, message } = pod.exit ?? { code: 1 };
  const killed =
    reason === 'OOMKilled' ? 'out of memory, raise the limit of the runtime' : `exit code ${code}`;
  const words = error === undefined ? message : `${error.code}: ${error.message}`;
  return `${nameOf(pod)}: ${killed}${words === undefined ? '' : `: ${words}`}`;
}
