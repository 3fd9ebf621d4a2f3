/** `spec.search`: how long to look for hyperparameters, by how many pods, and where these meet. */
import { z } from 'zod';
import { withRules } from '../schema/rules.ts';
import { duration, int32, pathSegment, positiveQuantity } from '../schema/scalars.ts';
import { MAX_NODES } from './workers.ts';

/** One key of a Secret, by the API server's own rule for keys. */
const secretKeyRef = () =>
  z.object({
    name: pathSegment(253).describe('Name of a Secret in this namespace.'),
    key: z
      .string()
      .max(253)
      .regex(/^\.?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$/, {
        error: 'must be a key of a Secret: letters, digits, dashes, dots and underscores',
      })
      .describe('The key in it.'),
  });

const storageSchema = z.object({
  rdb: z
    .object({
      urlSecretRef: secretKeyRef().describe(
        'Its address as SQLAlchemy writes it: `postgresql+psycopg://USER:PASSWORD@HOST/DATABASE`. The pods read it, ' +
          'never the operator.',
      ),
    })
    .describe(
      'A PostgreSQL database, which the pods of the run reach within what the network policies of their namespace let ' +
        'out.',
    ),
});

export const searchSchema = withRules(
  z.object({
    trials: int32(1, 10_000).optional().describe('Trials of other hyperparameters, at most.'),
    maxDuration: duration('1m', '720h').optional().describe('Time for all trials together.'),
    gpuHours: positiveQuantity
      .optional()
      .describe('GPU-hours of all trials together. As the only bound: without a GPU the run waits for one.'),
    parallelism: int32(1, MAX_NODES).default(1).describe('Trials at a time, each in a pod of its own.'),
    storage: storageSchema
      .optional()
      .describe(
        'Where the pods that search meet. Absent: in a journal on the checkpoint’s claim, which all of their nodes must ' +
          'be able to mount. With a database they need no claim, and each has a folder of its own.',
      ),
  }),
  {
    cel: 'has(self.trials) || has(self.maxDuration) || has(self.gpuHours)',
    message: 'search: at least one of trials, maxDuration and gpuHours is required',
    holds: ({ trials, maxDuration, gpuHours }) =>
      trials !== undefined || maxDuration !== undefined || gpuHours !== undefined,
  },
  {
    cel: '!has(self.trials) || self.parallelism <= self.trials',
    message: 'search.parallelism must not be greater than search.trials',
    path: ['parallelism'],
    holds: ({ trials, parallelism }) => trials === undefined || parallelism <= trials,
  },
);

export type Search = z.infer<typeof searchSchema>;
