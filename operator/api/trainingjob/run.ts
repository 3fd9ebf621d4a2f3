/** A run as a TrainingJob that repeats makes it: with its own spec, less what makes runs. */
import { API_VERSION } from '../schema/kind.ts';
import { TRAINING_JOB, type TrainingJob } from './kind.ts';
import { TRAINING_ANNOTATIONS, TRAINING_LABELS } from './labels.ts';
import { RUN_CAUSES, type TrainingRun } from './status.ts';

const MINUTE_MS = 60_000;

export type RunCause = TrainingRun['cause'];

const OF_THE_SCHEDULE = [
  'schedule',
  'timeZone',
  'startingDeadlineSeconds',
  'jitter',
  'triggers',
  'coolDown',
  'concurrencyPolicy',
  'successfulHistoryLimit',
  'failedHistoryLimit',
  'suspend',
] as const;

export function runOf(object: Pick<TrainingJob, 'metadata' | 'spec'>, name: string, cause: RunCause) {
  const spec: Partial<TrainingJob['spec']> = { ...object.spec };
  for (const field of OF_THE_SCHEDULE) delete spec[field];
  return {
    apiVersion: API_VERSION,
    kind: TRAINING_JOB.kind,
    metadata: {
      name,
      namespace: object.metadata.namespace,
      labels: { [TRAINING_LABELS.job]: object.metadata.name },
      annotations: { [TRAINING_ANNOTATIONS.cause]: cause },
      ownerReferences: [
        {
          apiVersion: API_VERSION,
          kind: TRAINING_JOB.kind,
          name: object.metadata.name,
          uid: object.metadata.uid ?? '',
          // No blockOwnerDeletion: some clusters grant it only to whoever may write finalizers of the owner.
          controller: true,
        },
      ],
    },
    spec,
  };
}

/** What started it; a schedule where nothing else is said. */
export function runCauseOf({
  metadata,
}: {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> | undefined };
}): RunCause {
  const said = metadata.annotations?.[TRAINING_ANNOTATIONS.cause];
  return RUN_CAUSES.find((cause) => cause === said) ?? 'Schedule';
}

/** Of a run that is due at this time: making it twice makes one. */
export function runName(name: string, dueMs: number): string {
  return `${name}-${Math.floor(dueMs / MINUTE_MS)}`;
}

/** What `runName` was given, to the minute. */
export function runDueMs(name: string): number {
  return Number(/-([0-9]+)$/.exec(name)?.[1] ?? 0) * MINUTE_MS;
}
