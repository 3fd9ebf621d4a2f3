/** What the HTTP face must know of an attempt, out of the caches. */
import { parseTrainingJob, TRAINING_ANNOTATIONS, type TrainingJob } from '../../api/index.ts';
import { parseDurationMs } from '../../duration.ts';
import type { KubeObject, Store } from '../../runtime/index.ts';
import type { AttemptLookup } from '../../training/types.ts';
import { isOwned } from '../owned-objects.ts';
import type { WatchedJob } from './informers.ts';
import { attemptName } from './objects/names.ts';

export function createAttemptLookup(
  objects: Pick<Store<KubeObject>, 'get'>,
  jobs: Pick<Store<WatchedJob>, 'get'>,
  operatorNamespace: string,
): AttemptLookup {
  // Asked for each request: parsing is done once for each version of an object.
  const parsed = new WeakMap<KubeObject, TrainingJob>();
  const parse = (stored: KubeObject): TrainingJob | undefined => {
    try {
      const run = parsed.get(stored) ?? parseTrainingJob(stored);
      parsed.set(stored, run);
      return run;
    } catch {
      return undefined;
    }
  };
  return (namespace, name, attempt) => {
    const stored = objects.get(`${namespace}/${name}`);
    const job = jobs.get(`${namespace}/${attemptName(name, attempt)}`);
    const tokenSha256 = job?.metadata.annotations?.[TRAINING_ANNOTATIONS.tokenSha256];
    if (stored === undefined || job === undefined || tokenSha256 === undefined) return undefined;
    if (!isOwned(job, stored)) return undefined;
    const run = parse(stored);
    if (run === undefined) return undefined;
    const { metadata, spec, status } = run;
    const { predictiveScalers, window } = spec.data;
    const current = status?.attempt;
    return {
      uid: metadata.uid ?? '',
      tokenSha256,
      stage: current?.number === attempt ? (current.stage ?? 'train') : 'train',
      live:
        current?.number === attempt &&
        current.ended === undefined &&
        status?.completionTime === undefined &&
        metadata.deletionTimestamp === undefined,
      ...(predictiveScalers === undefined
        ? {}
        : {
            data: {
              selector: predictiveScalers.selector,
              allNamespaces: predictiveScalers.allNamespaces && namespace === operatorNamespace,
              windowMs: parseDurationMs(window),
            },
          }),
    };
  };
}
