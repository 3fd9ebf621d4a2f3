/** `spec` of a TrainingJob. */
import { z } from 'zod';
import { withRules } from '../schema/rules.ts';
import { duration, int32, pathSegment } from '../schema/scalars.ts';
import { dataSchema } from './data.ts';
import { trainedModelSchema } from './model.ts';
import { checkpointSchema, gateSchema, outputSchema } from './outcome.ts';
import { searchSchema } from './search.ts';
import { trackingSchema } from './tracking.ts';
import { triggerFields, triggerRules } from './triggers.ts';
import { workersSchema } from './workers.ts';

export const trainingJobSpecSchema = withRules(
  z.object({
    runtimeRef: z
      .object({
        name: pathSegment(253).default('forecaster').describe('Name of a ClusterTrainingRuntime.'),
      })
      .prefault({})
      .describe('What the pods run; the administrator owns it.'),
    data: dataSchema.describe('What is learned from.'),
    model: trainedModelSchema.describe('What is trained.'),
    seed: int32(0).default(1).describe('The same seed, data and workers give the same model.'),
    workers: workersSchema.prefault({}).describe('Who trains.'),
    search: searchSchema
      .optional()
      .describe('Looks for good hyperparameters first. What was found stands in `status.bestTrial`.'),
    checkpoint: checkpointSchema.describe('Where the run keeps its state; nothing is lost when pods are.'),
    gate: gateSchema.prefault({}).describe('When the trained model is good enough.'),
    output: outputSchema
      .optional()
      .describe(
        'Where a model that passed the gate is registered. Absent: it stays on the checkpoint’s claim, and no version ' +
          'is made.',
      ),
    tracking: trackingSchema
      .optional()
      .describe(
        'The MLflow server that is told of the run: settings, scores, and what was trained. It is asked by the pods of the ' +
          'run, within what the network policies of their namespace let out; a server that does not answer costs the log ' +
          'and never the run. May be changed at any time; the next attempt goes by it.',
      ),
    ...triggerFields,
    queueName: z
      .string()
      .max(63)
      .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/)
      .optional()
      .describe('Queue of Kueue: the Jobs wait, suspended, until it lets them go.'),
    suspend: z
      .boolean()
      .default(false)
      .describe(
        'While true nothing runs: pods write a checkpoint and end, and go on from it later; nothing new starts.',
      ),
    backoffLimit: int32(0, 100)
      .default(3)
      .describe(
        'How often a run that failed by itself is started again. Lost nodes and evictions do not count.',
      ),
    progressDeadline: duration('30s', '24h')
      .default('10m')
      .describe('Workers that make no step for so long are restarted from the newest checkpoint.'),
    ttlSecondsAfterFinished: int32(0)
      .optional()
      .describe('A finished run is deleted after so long. Absent: never.'),
  }),
  ...triggerRules,
  {
    cel: '!has(self.triggers) || has(self.data.predictiveScalers)',
    message: 'triggers is forbidden without data.predictiveScalers, whose conditions it follows',
    path: ['triggers'],
    holds: ({ triggers, data }) => triggers === undefined || data.predictiveScalers !== undefined,
  },
);

export type TrainingJobSpec = z.infer<typeof trainingJobSpecSchema>;
