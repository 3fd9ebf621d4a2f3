/** `spec.workers`: how many processes train, and on what. */
import { z } from 'zod';
import { gpuResource } from '../schema/pods.ts';
import { withRules } from '../schema/rules.ts';
import { duration, int32 } from '../schema/scalars.ts';

/** An index of a pod ends the pod's host name, of which it may take three digits. */
export const MAX_NODES = 128;

export const workersSchema = withRules(
  z.object({
    nodes: int32(1, MAX_NODES)
      .default(1)
      .describe('Pods that train together. The batch over all of them stays as it is.'),
    procsPerNode: int32(1, 16)
      .default(1)
      .describe('Processes of each pod; with a GPU, also the number of GPUs of each pod.'),
    elastic: z
      .object({
        minNodes: int32(1, MAX_NODES).describe('With so few pods the run still goes on.'),
      })
      .optional()
      .describe(
        'Where fewer than `nodes` pods find room, the run restarts with fewer, from its newest checkpoint. Each later ' +
          'restart asks for all of them again, and nothing restarts for that alone.',
      ),
    accelerator: z
      .enum(['auto', 'cpu', 'nvidia'])
      .default('auto')
      .describe('`auto` takes GPUs where the runtime has them and nodes have room, and the CPU elsewhere.'),
    resourceName: gpuResource()
      .optional()
      .describe(
        'GPU that each process gets: `nvidia.com/gpu`, or a slice such as `nvidia.com/mig-1g.10gb`; one that the ' +
          'runtime allows. Absent: the first of the runtime.',
      ),
    fallbackAfter: duration('10s', '24h')
      .optional()
      .describe(
        'How long to wait for GPUs before the run goes on by CPU. Absent: for ever with `nvidia`, 10m with `auto`.',
      ),
  }),
  {
    cel: '!has(self.elastic) || self.elastic.minNodes <= self.nodes',
    message: 'workers.elastic.minNodes must not be greater than workers.nodes',
    path: ['elastic', 'minNodes'],
    holds: ({ elastic, nodes }) => elastic === undefined || elastic.minNodes <= nodes,
  },
  {
    cel: "self.accelerator != 'cpu' || !has(self.resourceName)",
    message: 'workers.resourceName is forbidden with the accelerator cpu',
    path: ['resourceName'],
    holds: ({ accelerator, resourceName }) => accelerator !== 'cpu' || resourceName === undefined,
  },
  {
    cel: "self.accelerator != 'cpu' || !has(self.fallbackAfter)",
    message: 'workers.fallbackAfter is forbidden with the accelerator cpu',
    path: ['fallbackAfter'],
    holds: ({ accelerator, fallbackAfter }) => accelerator !== 'cpu' || fallbackAfter === undefined,
  },
);

export type Workers = z.infer<typeof workersSchema>;
