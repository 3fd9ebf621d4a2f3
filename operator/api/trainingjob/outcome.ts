/** `spec.checkpoint`, `spec.gate` and `spec.output`: where a run keeps its state, and what becomes of its model. */
import { z } from 'zod';
import { withRules } from '../schema/rules.ts';
import { dnsLabel, duration, int32, pathSegment } from '../schema/scalars.ts';
import { storageUri } from '../schema/storage-uri.ts';
import { secretRef } from './data.ts';

export const OUTPUT_SCHEMES = ['s3', 'gs', 'pvc'] as const;

export const checkpointSchema = z.object({
  claimName: pathSegment(253).describe(
    'PersistentVolumeClaim of this namespace for checkpoints, data and artifacts. With several nodes its volume must ' +
      'be one that all of them can mount.',
  ),
  every: duration('10s', '24h')
    .default('5m')
    .describe('Time between two checkpoints: what a lost pod costs at most.'),
  keep: int32(1, 100).default(3).describe('How many checkpoints are kept.'),
});

export const gateSchema = z.object({
  against: z
    .object({
      modelDeployment: dnsLabel().describe('Name of a ModelDeployment in this namespace.'),
    })
    .optional()
    .describe(
      'Whose stable version the new model must beat. Absent: the version that `output.alias` means; where there is ' +
        'none, seasonal naive alone.',
    ),
  minImprovement: z
    .string()
    .max(6)
    .regex(/^0(\.[0-9]{1,4})?$/)
    .default('0.01')
    .describe('How much better the new model’s forecast score must be, as a share.'),
});

export const outputSchema = withRules(
  z.object({
    registry: dnsLabel().describe('Name of the registered model that gets a new version.'),
    alias: dnsLabel()
      .default('candidate')
      .describe('Alias that then means the new version; a ModelDeployment that follows it rolls it out.'),
    storageUri: storageUri(OUTPUT_SCHEMES)
      .optional()
      .describe(
        'Folder under which each version gets one of its own. Absent: one on the checkpoint’s claim.',
      ),
    credentialsSecretRef: secretRef()
      .optional()
      .describe('Credentials for the store of `storageUri`. The pods read them, never the operator.'),
  }),
  {
    cel: '!has(self.credentialsSecretRef) || has(self.storageUri)',
    message: 'output.credentialsSecretRef is forbidden without storageUri',
    path: ['credentialsSecretRef'],
    holds: (output) => output.credentialsSecretRef === undefined || output.storageUri !== undefined,
  },
);

export type Checkpoint = z.infer<typeof checkpointSchema>;
export type GateSpec = z.infer<typeof gateSchema>;
export type Output = z.infer<typeof outputSchema>;
