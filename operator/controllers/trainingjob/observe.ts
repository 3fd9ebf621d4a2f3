/** Phase "observe": what the cache has of a run, as the plan reads it. */
import { TRAINING_LABELS, type TrainingJob } from '../../api/index.ts';
import type { Store } from '../../runtime/index.ts';
import { isOwned } from '../owned-objects.ts';
import { BY_OWNER, LAUNCHED, type WatchedJob } from './informers.ts';
import type { Observed, SeenAttempt, SeenJob, SeenPod } from './plan/types.ts';
import { seenPod, type WatchedPod } from './watched-pod.ts';

export interface Caches {
  readonly jobs: Pick<Store<WatchedJob>, 'byIndex' | 'get'>;
  readonly pods: Pick<Store<WatchedPod>, 'byIndex'>;
}

export function observe(
  { metadata }: Pick<TrainingJob, 'metadata'>,
  { jobs, pods }: Caches,
): Pick<Observed, 'attempts' | 'gate' | 'strangers'> {
  const key = `${metadata.namespace}/${metadata.name}`;
  const owned = jobs.byIndex(BY_OWNER, key).filter((job) => isOwned(job, { metadata }));
  const ours = new Map(owned.map((job) => [job.metadata.uid, job]));
  const attempts = new Map<number, { job?: SeenJob; pods: SeenPod[] }>();
  const gate: { job?: SeenJob; pods: SeenPod[] } = { pods: [] };
  const strangers: SeenPod[] = [];
  const partOf = (labels: Readonly<Record<string, string>> | undefined) => {
    if (labels?.[TRAINING_LABELS.stage] === 'gate') return gate;
    const number = Number(labels?.[TRAINING_LABELS.attempt]);
    if (!Number.isSafeInteger(number)) return undefined;
    const found = attempts.get(number) ?? { pods: [] };
    attempts.set(number, found);
    return found;
  };
  for (const job of owned) {
    const part = partOf(job.metadata.labels);
    if (part !== undefined) part.job = seenJob(job, part === gate ? GATE_RULES : RULES);
  }
  for (const pod of pods.byIndex(BY_OWNER, key)) {
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true)?.uid;
    // Of a Job that is gone already too: its label says which attempt it was.
    const foreign = owner !== undefined && !ours.has(owner) && jobOfAnother(pod, jobs, owner);
    const part = foreign ? undefined : partOf(pod.metadata.labels);
    const seen = seenPod(pod);
    // Anybody may give a pod our labels; only those of our Jobs are believed.
    const known = owner !== undefined && ours.has(owner);
    (part?.pods ?? strangers).push(known ? seen : { ...seen, told: {} });
  }
  return {
    attempts: [...attempts]
      .map(([number, each]): SeenAttempt => ({ number, ...each }))
      .sort((a, b) => a.number - b.number),
    gate,
    strangers,
  };
}

/** A Job that has the name now and another uid: the pod is one of its namesake's before it. */
function jobOfAnother({ metadata }: WatchedPod, jobs: Caches['jobs'], owner: string): boolean {
  const name = metadata.ownerReferences?.find(({ uid }) => uid === owner)?.name;
  const job = jobs.get(`${metadata.namespace}/${name}`);
  return job !== undefined && job.metadata.uid !== owner;
}

function seenJob({ metadata, spec, status }: WatchedJob, rules: Rules): SeenJob {
  const ended = status.conditions?.find(
    ({ type, status: value }) => value === 'True' && (type === 'Complete' || type === 'Failed'),
  );
  const doneAtMs = Date.parse(ended?.lastTransitionTime ?? '');
  return {
    deleting: metadata.deletionTimestamp !== undefined,
    launched: metadata.annotations?.[LAUNCHED] !== undefined,
    suspended: spec.suspend === true,
    done: ended?.type as SeenJob['done'],
    doneAtMs: Number.isNaN(doneAtMs) ? undefined : doneAtMs,
    message: ended?.message,
    failedOn: ended?.reason === 'PodFailurePolicy' ? ruleOf(ended.message, rules) : undefined,
  };
}

/** What the rules of a podFailurePolicy mean, in their order. */
type Rules = readonly SeenJob['failedOn'][];
/** objects/gang.ts */
const RULES: Rules = ['ConfigError', 'Disruption'];
/** objects/gate-job.ts */
const GATE_RULES: Rules = ['VolumeFull'];

function ruleOf(message: string | undefined, rules: Rules): SeenJob['failedOn'] {
  return rules[Number(/rule at index ([0-9])/.exec(message ?? '')?.[1] ?? Number.NaN)];
}
