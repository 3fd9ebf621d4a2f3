/**
 * `status` of a TrainingJob. It is the run's memory too: a new leader goes on from it. Pods report to the operator,
 * which writes here what changed; nothing in it is a secret.
 */
import { z } from 'zod';
import { conditionsSchema } from '../schema/condition.ts';
import { MOST_BUDGET_RUNS } from './triggers.ts';

const count = () => z.int().min(0);
const shortText = () => z.string().max(1024);
const uriText = () => z.string().max(2048);
const time = () => z.string().max(64).meta({ format: 'date-time' });
const digest = () => z.string().max(64);

/** Numbers of no fixed unit, as decimal text; by name. */
const scores = () => z.record(z.string(), z.string().max(64)).meta({ maxProperties: 64 });

export const TRAINING_PHASES = [
  'Pending',
  'Queued',
  'Suspended',
  'Searching',
  'Training',
  'Gating',
  'Complete',
  'Failed',
  'Scheduled',
] as const;

/** Why a gang was started again, with what the reference says of it. */
const RESTARTS = {
  error: 'A process ended with an error. Counts against `backoffLimit`.',
  stalled: 'No step was made within `progressDeadline`. Counts against `backoffLimit`.',
  volumeFull: 'The claim had no room.',
  storageAway: 'The database of `search.storage` could not be reached.',
  disruption: 'A pod was evicted, or its node was lost.',
  resized: 'More or fewer nodes had room.',
  fallback: 'No GPU had room in time.',
  suspended: 'Somebody had suspended the run.',
  fenced: 'A newer attempt had the run’s folder.',
  cutOff: 'The operator ended before the attempt had begun.',
} as const;

export type RestartCause = keyof typeof RESTARTS;
export const RESTART_CAUSES = Object.keys(RESTARTS) as [RestartCause, ...RestartCause[]];

export const RUN_CAUSES = ['Schedule', 'Drift', 'ScoreBreach', 'Manual'] as const;

const progressSchema = z.object({
  step: count().describe('Steps done.'),
  total: count().describe('Steps to do.'),
  eta: shortText().optional().describe('Time that the rest will take, as a duration.'),
  checkpointStep: count().optional().describe('Step of the newest checkpoint.'),
  loss: shortText().optional().describe('Loss of the newest step.'),
  score: shortText().optional().describe('Score on the data for validation; lower is better.'),
  samplesPerSecond: shortText().optional().describe('Samples of all workers together.'),
  device: shortText().optional().describe('`cpu` or `cuda`.'),
  updatedAt: time().optional().describe('When the workers said so.'),
});

const attemptSchema = z.object({
  number: count().describe('Number of the attempt; grows with each restart. Its Job ends with it.'),
  stage: z
    .enum(['search'])
    .optional()
    .describe('Set where its pods search hyperparameters; any other trains.'),
  nodes: count().describe('Pods of the attempt.'),
  accelerator: z.enum(['cpu', 'nvidia']).describe('What they train on.'),
  cause: z.enum(RESTART_CAUSES).optional().describe('Why the one before it ended.'),
  startedAt: time().describe('When it was decided on.'),
  launchedAt: time()
    .optional()
    .describe('When its Job was ready to go; with a queue it may wait after that.'),
  runningAt: time().optional().describe('When its pods were let go.'),
  roomSince: time()
    .optional()
    .describe('Since when its pods wait for room and nothing else; before that they waited for a volume.'),
  failures: count()
    .optional()
    .describe('Pods of a search that failed by themselves; each was started again, alone.'),
  ended: z
    .object({
      cause: z.enum([...RESTART_CAUSES, 'config', 'searched']).describe('Why, one word for programs.'),
      message: shortText().describe('Why, for people.'),
      time: time().describe('When that was seen.'),
      restartAt: time().optional().describe('Nothing of it is left, and the next one is not started before.'),
      nodes: count().optional().describe('Pods of the next one, where not all of them had room.'),
    })
    .optional()
    .describe('Set when it has ended. The next one starts when none of its pods is left.'),
});

const lineageSchema = z.object({
  codeDigest: digest().optional().describe('sha256 of the trainer’s sources.'),
  package: shortText().optional().describe('Version of the trainer.'),
  seed: count().optional().describe('Seed of the run.'),
  dataDigest: digest().optional().describe('sha256 of the data’s manifest.'),
  series: count().optional().describe('Series that were learned from.'),
  points: count().optional().describe('Known values of them.'),
  firstTime: time().optional().describe('Oldest value.'),
  trainEnd: time().optional().describe('The model has learned from what lies before it.'),
  validateEnd: time()
    .optional()
    .describe('Settings were chosen by what lies before it; the gate judges by the rest.'),
  lastTime: time().optional().describe('Newest value.'),
});

const producedSchema = z.object({
  registry: shortText().describe('Name of the registered model.'),
  version: z.int().min(1).describe('Number of the version there.'),
  digest: digest().describe('sha256 of its file.'),
  storageUri: uriText().describe('Where its file lies.'),
  alias: shortText().optional().describe('Alias that was set to it.'),
  time: time().describe('When it was registered.'),
});

const runSchema = z.object({
  name: shortText().describe('Name of its TrainingJob.'),
  cause: z.enum(RUN_CAUSES).describe('What started it.'),
  phase: z.enum(TRAINING_PHASES).describe('How it stands.'),
  reason: shortText().optional().describe('Why, one word for programs.'),
  startedAt: time().describe('When it was due.'),
  endedAt: time().optional().describe('When it ended.'),
  version: z.int().min(1).optional().describe('Version that it made.'),
});

export const trainingJobStatusSchema = z.object({
  observedGeneration: count().optional().describe('Generation of the spec that this status speaks of.'),
  phase: z
    .enum(TRAINING_PHASES)
    .optional()
    .describe('How the run stands; `Scheduled` for one that makes others.'),
  startTime: time()
    .optional()
    .describe('When the first Job was about to be made. What is trained cannot be changed any more.'),
  completionTime: time().optional().describe('When the run ended.'),
  attempt: attemptSchema.optional().describe('The newest attempt at searching or training.'),
  progress: progressSchema.optional().describe('How far it is.'),
  workers: z
    .object({
      nodes: count().describe('Pods that the attempt has.'),
      ready: count().describe('Those of them that run.'),
    })
    .optional()
    .describe('Who trains now.'),
  restarts: z
    .object(
      Object.fromEntries(
        RESTART_CAUSES.map((cause) => [cause, count().optional().describe(RESTARTS[cause])]),
      ) as Record<RestartCause, z.ZodOptional<z.ZodInt>>,
    )
    .optional()
    .describe('How often training began again, by cause.'),
  bestTrial: z
    .object({
      number: count().describe('Number of the trial.'),
      score: shortText().describe('Its score; lower is better.'),
      hyperparameters: z
        .record(z.string(), z.string().max(256))
        .meta({ maxProperties: 64 })
        .describe('Its hyperparameters.'),
      trials: count().optional().describe('Trials that were finished.'),
    })
    .optional()
    .describe('What the search found.'),
  candidate: z
    .object({
      digest: digest().describe('sha256 of its file.'),
      sizeBytes: count().describe('Size of its file.'),
      path: uriText().optional().describe('Its folder on the checkpoint’s claim.'),
      lineage: lineageSchema.optional().describe('What it was made of.'),
      scores: scores().optional().describe('Its scores on the data for validation.'),
    })
    .optional()
    .describe('The model that was trained.'),
  gateWait: z
    .object({
      count: count().describe('How often it could not judge, or not bring the version to its store.'),
      message: shortText().describe('Which volume, for people.'),
      time: time().describe('When that was seen last.'),
      retryAt: time().optional().describe('It is not judged again before. Absent once it is.'),
    })
    .optional()
    .describe('The gate has found a volume without room. Nothing is lost by that but time.'),
  gate: z
    .object({
      verdict: z.enum(['Pass', 'Fail']).describe('Whether it is good enough.'),
      failed: z
        .array(shortText())
        .max(16)
        .optional()
        .describe('Gates that it did not pass.')
        .meta({ 'x-kubernetes-list-type': 'atomic' }),
      scores: scores().optional().describe('What they measured.'),
      storageUri: uriText().optional().describe('Where the gate has brought the model’s file.'),
    })
    .optional()
    .describe('What the gate says of it.'),
  producedVersion: producedSchema.optional().describe('The version that was registered.'),
  lastScheduleTime: time().optional().describe('When a run was due last.'),
  nextScheduleTime: time().optional().describe('When the next one is due.'),
  lastEndTime: time().optional().describe('When a run ended last; `coolDown` counts from it.'),
  lastTrigger: z
    .object({
      cause: z.enum(['Drift', 'ScoreBreach']).describe('Which of the triggers it was.'),
      time: time().describe('When it was decided that a run is made.'),
    })
    .optional()
    .describe('The newest run that `triggers` have started.'),
  triggerHistory: z
    .object({
      startedAt: z
        .array(time())
        .max(MOST_BUDGET_RUNS)
        .describe('When they were decided on, the newest first. It outlives the runs.')
        .meta({ 'x-kubernetes-list-type': 'atomic' }),
      unknownBefore: time()
        .optional()
        .describe('What was started before is not known, and counts as a budget that is spent.'),
    })
    .optional()
    .describe('Runs that `triggers` have started, for `triggers.budget` to be counted. Absent: none yet.'),
  lastSuccessfulTime: time().optional().describe('When a run that made a version ended last.'),
  runs: z
    .array(runSchema)
    .max(256)
    .optional()
    .describe('The runs that it made, newest first.')
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }),
  conditions: conditionsSchema
    .optional()
    .describe(
      'Complete, Failed, Progressing, Suspended, Accelerated, GatePassed, Triggered; `docs/reference/trainingjob-status.md` has their reasons.',
    ),
});

export type TrainingJobStatus = z.infer<typeof trainingJobStatusSchema>;
export type TrainingPhase = (typeof TRAINING_PHASES)[number];
export type TrainingRun = z.infer<typeof runSchema>;
