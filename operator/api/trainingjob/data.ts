/** `spec.data`: what is learned from. */
import { z } from 'zod';
import { withRules } from '../schema/rules.ts';
import { duration, pathSegment } from '../schema/scalars.ts';
import { labelSelector } from '../schema/selector.ts';
import { storageUri } from '../schema/storage-uri.ts';

export const DATA_SCHEMES = ['s3', 'gs', 'https', 'pvc', 'file'] as const;

/** The trainer’s own words. */
const SAMPLING = ['uniform', 'error', 'uncertainty'] as const;

export const secretRef = () =>
  z.object({ name: pathSegment(253).describe('Name of a Secret in this namespace.') });

export const dataSchema = withRules(
  z.object({
    predictiveScalers: z
      .object({
        selector: labelSelector
          .prefault({})
          .describe('Which PredictiveScalers, by their labels. Empty: all of the namespace.'),
        allNamespaces: z
          .boolean()
          .default(false)
          .describe(
            'Scalers of every namespace, for a model that all share. Only in the operator’s namespace.',
          ),
      })
      .optional()
      .describe('The history that the operator keeps of PredictiveScalers, in this namespace.'),
    storageUri: storageUri(DATA_SCHEMES)
      .optional()
      .describe('A folder of Parquet files with the columns `series`, `t` and `v`.'),
    credentialsSecretRef: secretRef()
      .optional()
      .describe('Credentials for the store of `storageUri`. The pods read them, never the operator.'),
    sampling: z
      .enum(SAMPLING)
      .default('uniform')
      .describe(
        'Which series are learned from more: `uniform` draws each by its length, `error` those more often where the ' +
          'forecast errs most, `uncertainty` those where it is widest, up to four times. Measured, `error` does not help ' +
          'and `uncertainty` gains 0.3 % (docs/benchmarks.md).',
      ),
    window: duration('1h', '26280h')
      .default('1440h')
      .describe(
        'How far back the data reach, as far as there are any: the operator keeps `history.retain` of its configuration. ' +
          'The newest part is held back for the gate.',
      ),
  }),
  {
    cel: 'has(self.predictiveScalers) != has(self.storageUri)',
    message: 'data: exactly one of predictiveScalers and storageUri is required',
    holds: (data) => (data.predictiveScalers === undefined) !== (data.storageUri === undefined),
  },
  {
    cel: '!has(self.credentialsSecretRef) || has(self.storageUri)',
    message: 'data.credentialsSecretRef is forbidden without storageUri',
    path: ['credentialsSecretRef'],
    holds: (data) => data.credentialsSecretRef === undefined || data.storageUri !== undefined,
  },
);

export type TrainingData = z.infer<typeof dataSchema>;
