/**
 * `spec.server`: how a version is served. Typed fields only, no pod template: what a tenant cannot say here, a tenant
 * cannot make the operator do.
 */
import { z } from 'zod';
import { amounts, gpuResource, nodeSelector, tolerations } from '../schema/pods.ts';
import { withRules } from '../schema/rules.ts';
import { duration, int32 } from '../schema/scalars.ts';

const gpuSchema = z.object({
  resource: gpuResource()
    .default('nvidia.com/gpu')
    .describe('Resource that a pod asks for: `nvidia.com/gpu`, or a slice such as `nvidia.com/mig-1g.10gb`.'),
  count: int32(1, 16).default(1).describe('How many of them a pod asks for.'),
  nodeSelector: nodeSelector().optional().describe('Labels of the nodes that have them.'),
  tolerations: tolerations().optional().describe('Taints of those nodes that the pods tolerate.'),
  fallbackAfter: duration('10s', '24h')
    .optional()
    .describe(
      'How long to wait for a node that has one before the version is served by CPU. Absent: for ever with `nvidia`, ' +
        '10m with `auto`.',
    ),
});

export const serverSchema = withRules(
  z.object({
    replicas: int32(1, 10_000)
      .default(1)
      .describe(
        'Pods that all traffic needs. They are split over the versions by weight; a PredictiveScaler that targets ' +
          'the ModelDeployment sets this field.',
      ),
    accelerator: z
      .enum(['auto', 'cpu', 'nvidia'])
      .default('auto')
      .describe('`auto` takes a GPU where `gpu` is given and a node has one, and the CPU elsewhere.'),
    gpu: gpuSchema.optional().describe('Which GPU a pod asks for.'),
    resources: z
      .object({
        requests: amounts('What a pod reserves.').optional(),
        limits: amounts('What a pod may not exceed.').optional(),
      })
      .optional()
      .describe('CPU, memory and disk of a pod. Absent: 100m and 256Mi are reserved.'),
    batching: z
      .object({
        maxBatchSize: int32(1, 4096).optional().describe('Most rows of one run.'),
        maxQueueDelay: duration('1ms', '10s').optional().describe('Longest wait of a request for others.'),
      })
      .optional()
      .describe('How requests are put together into one run. Absent: the server learns what fits.'),
    latencyTarget: duration('1ms', '1m')
      .optional()
      .describe('Answer time that the server keeps by choosing the batch and refusing what would be late.'),
  }),
  {
    cel: "self.accelerator != 'cpu' || !has(self.gpu)",
    message: 'server.gpu is forbidden with the accelerator cpu',
    path: ['gpu'],
    holds: ({ accelerator, gpu }) => accelerator !== 'cpu' || gpu === undefined,
  },
);

export type Server = z.infer<typeof serverSchema>;
export type Gpu = z.infer<typeof gpuSchema>;
