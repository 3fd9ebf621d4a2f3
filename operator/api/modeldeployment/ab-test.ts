/** `spec.abTest`: variants that live side by side for as long as the field stands, unlike the steps of a rollout. */
import { z } from 'zod';
import { withRules } from '../schema/rules.ts';
import { dnsLabel, int32 } from '../schema/scalars.ts';
import { pinnedModel } from './model.ts';

const headerName = () =>
  z
    .string()
    .max(128)
    .regex(/^[A-Za-z0-9][A-Za-z0-9-]*$/, { error: 'must be the name of an HTTP header' });

const variantSchema = z.object({
  name: dnsLabel().describe('Name of the variant, unique in the list.'),
  ...pinnedModel,
  weight: int32(1, 99).describe('Per cent of the traffic.'),
});

export const abTestSchema = withRules(
  z.object({
    header: headerName()
      .optional()
      .describe(
        'Header whose value is the name of the variant that answers, or `stable`. Without it the weights decide.',
      ),
    stickyHeader: headerName()
      .optional()
      .describe('Header whose value decides for good, by its hash, which variant answers.'),
    variants: z
      .array(variantSchema)
      .min(1)
      .max(8)
      .superRefine((variants, context) => {
        // the API server refuses duplicates by itself: the list is a map by name
        for (const [index, { name }] of variants.entries())
          if (variants.findIndex((other) => other.name === name) < index)
            context.addIssue({ code: 'custom', path: [index, 'name'], message: 'must be unique' });
      })
      .describe('The variants; stable answers the rest.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }),
  }),
  {
    cel: 'has(self.header) != has(self.stickyHeader)',
    message: 'abTest: exactly one of header and stickyHeader is required',
    holds: (test) => (test.header === undefined) !== (test.stickyHeader === undefined),
  },
  {
    cel: "self.variants.all(v, v.name != 'stable')",
    message: 'abTest.variants: stable is the name of the version that is tested against',
    path: ['variants'],
    holds: ({ variants }) => variants.every(({ name }) => name !== 'stable'),
  },
  {
    cel: 'self.variants.map(v, v.weight).sum() < 100',
    message: 'abTest.variants: the weights must leave something to stable, and sum to less than 100',
    path: ['variants'],
    holds: ({ variants }) => variants.reduce((sum, { weight }) => sum + weight, 0) < 100,
  },
);
