/**
 * `spec.server`: how a version is served. Typed fields only, no pod template: what a tenant cannot say here, a tenant
 * cannot make the operator do.
 */
import { z } from 'zod';
import { withRules } from '../schema/rules.ts';
import { duration, int32, positiveQuantity, text } from '../schema/scalars.ts';

const amounts = (what: string) =>
  z
    .object({
      cpu: positiveQuantity.optional().describe('CPU in cores.'),
      memory: positiveQuantity.optional().describe('Memory in bytes.'),
      'ephemeral-storage': positiveQuantity
        .optional()
        .describe('Disk of the node; the model’s file lies there.'),
    })
    .describe(what);

const toleration = withRules(
  z.object({
    key: text(317).optional().describe('Taint to tolerate. Absent with `Exists`: every taint.'),
    operator: z.enum(['Equal', 'Exists']).default('Equal').describe('How `value` is compared.'),
    value: z.string().max(63).optional().describe('Value of the taint, for `Equal`.'),
    effect: z
      .enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
      .optional()
      .describe('Effect of the taint. Absent: any.'),
  }),
  {
    cel: "self.operator == 'Exists' || has(self.key)",
    message: 'key is required for the operator Equal',
    path: ['key'],
    holds: ({ operator, key }) => operator === 'Exists' || key !== undefined,
  },
  {
    cel: "self.operator == 'Equal' || !has(self.value)",
    message: 'value is forbidden for the operator Exists',
    path: ['value'],
    holds: ({ operator, value }) => operator === 'Equal' || value === undefined,
  },
);

const gpuSchema = z.object({
  resource: z
    .string()
    .max(63)
    .regex(/^nvidia\.com\/(gpu|mig-[0-9]{1,2}g\.[0-9]{1,3}gb(\.me)?)(\.shared)?$/)
    .default('nvidia.com/gpu')
    .describe('Resource that a pod asks for: `nvidia.com/gpu`, or a slice such as `nvidia.com/mig-1g.10gb`.'),
  count: int32(1, 16).default(1).describe('How many of them a pod asks for.'),
  nodeSelector: z
    .record(z.string(), z.string().max(63))
    .meta({ maxProperties: 16 })
    .optional()
    .describe('Labels of the nodes that have them.'),
  tolerations: z
    .array(toleration)
    .max(16)
    .optional()
    .describe('Taints of those nodes that the pods tolerate.')
    .meta({ 'x-kubernetes-list-type': 'atomic' }),
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
