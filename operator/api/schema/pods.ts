/** What may be said of a pod: what it takes of a node, and which nodes it may run on. */
import { z } from 'zod';
import { withRules } from './rules.ts';
import { positiveQuantity, text } from './scalars.ts';

export const amounts = (what: string) =>
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

export const tolerations = () => z.array(toleration).max(16).meta({ 'x-kubernetes-list-type': 'atomic' });

export const nodeSelector = () => z.record(z.string(), z.string().max(63)).meta({ maxProperties: 16 });

/** Whole GPUs and slices of them, as NVIDIA's device plugin names them. */
export const gpuResource = () =>
  z
    .string()
    .max(63)
    .regex(/^nvidia\.com\/(gpu|mig-[0-9]{1,2}g\.[0-9]{1,3}gb(\.me)?)(\.shared)?$/);
