/** metav1.LabelSelector with limits. */
import { z } from 'zod';
import { withRules } from './rules.ts';
import { text } from './scalars.ts';

const LIST_LIMIT = 64;

const labelRequirement = withRules(
  z.object({
    key: text(317).describe('Name of the label.'),
    operator: z
      .enum(['In', 'NotIn', 'Exists', 'DoesNotExist'])
      .describe('How the label is compared with `values`.'),
    values: z
      .array(z.string().max(63))
      .max(LIST_LIMIT)
      .optional()
      .describe('Values for `In` and `NotIn`; none for the others.'),
  }),
  {
    cel: "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
    message: 'values are required for the operators In and NotIn, and forbidden for the others',
    path: ['values'],
    holds: ({ operator, values = [] }) => (operator === 'In' || operator === 'NotIn') === values.length > 0,
  },
);

export const labelSelector = z.object({
  matchLabels: z
    .record(z.string(), z.string().max(63))
    .meta({ maxProperties: LIST_LIMIT })
    .optional()
    .describe('Labels that must be equal.'),
  matchExpressions: z
    .array(labelRequirement)
    .max(LIST_LIMIT)
    .optional()
    .describe('Label conditions; all must hold.'),
});

export type LabelSelector = z.infer<typeof labelSelector>;
