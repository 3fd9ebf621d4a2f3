/** `spec.model`: which family of models is trained, and how. */
import { z } from 'zod';
import { withRules } from '../schema/rules.ts';
import { dnsLabel } from '../schema/scalars.ts';

/** `learning_rate`, or `model.width` for a key of a section. */
const KEY = '^[a-z][a-z0-9_]{0,31}([.][a-z][a-z0-9_]{0,31}){0,3}$';
const MAX_HYPERPARAMETERS = 32;

/** One key may not be both a value and a section: `model` beside `model.width`. */
const hyperparameters = withRules(
  z
    .record(
      z.string(),
      z
        .union([z.string().max(256), z.int()], {
          error: 'must be a whole number or a text (write a fraction in quotes)',
        })
        .meta({ 'x-kubernetes-int-or-string': true }),
    )
    .meta({ maxProperties: MAX_HYPERPARAMETERS })
    .refine((map) => Object.keys(map).length <= MAX_HYPERPARAMETERS, {
      error: `must have at most ${MAX_HYPERPARAMETERS} keys`,
    }),
  {
    cel: `self.all(k, k.matches('${KEY}'))`,
    message: 'hyperparameters: a key is made of names in lower case, such as learning_rate or model.width',
    holds: (map) => Object.keys(map).every((key) => new RegExp(KEY).test(key)),
  },
  {
    cel: "self.all(a, self.all(b, !b.startsWith(a + '.')))",
    message: 'hyperparameters: a key with a value of its own cannot be a section too',
    holds: (map) => {
      const keys = Object.keys(map);
      return keys.every((a) => keys.every((b) => !b.startsWith(`${a}.`)));
    },
  },
  {
    cel: "!('sampling' in self)",
    message: 'hyperparameters: sampling is for data.sampling to say',
    holds: (map) => !Object.hasOwn(map, 'sampling'),
  },
);

export const trainedModelSchema = z.object({
  family: dnsLabel().describe('Family of models, such as `patch-mixer`; one that the runtime has.'),
  hyperparameters: hyperparameters
    .optional()
    .describe(
      'What differs from the family’s own settings, such as `learning_rate: "0.001"`. A dot leads into a section: ' +
        '`model.width: 64`. Whole numbers may stand without quotes, fractions not.',
    ),
});

export type TrainedModel = z.infer<typeof trainedModelSchema>;
