/** `spec.model`: which file is served, pinned by its digest, or the registry's alias that says which. */
import { z } from 'zod';
import { withRules } from '../schema/rules.ts';
import { dnsLabel } from '../schema/scalars.ts';
import { storageUri } from '../schema/storage-uri.ts';

export const URI_SCHEMES = ['s3', 'gs', 'https', 'oci', 'pvc', 'hf', 'file'] as const;

export const sha256 = z
  .string()
  .max(64)
  .regex(/^[0-9a-f]{64}$/, { error: 'must be a sha256 in lower-case hex' });

export const pinnedModel = {
  storageUri: storageUri(URI_SCHEMES).describe(
    'Where the file lies. `hf://` and `file://` only where the administrator allows them.',
  ),
  sha256: sha256.describe('Digest of the file. Another file behind the same address is never served.'),
};

export const modelSchema = withRules(
  z.object({
    storageUri: pinnedModel.storageUri.optional(),
    sha256: pinnedModel.sha256.optional(),
    from: z
      .object({
        registry: dnsLabel().describe('Name of the registered model.'),
        alias: dnsLabel().describe('Alias whose version is served, such as `candidate`.'),
      })
      .optional()
      .describe('Follows an alias of the registry; the resolved version and digest stand in status.'),
  }),
  {
    cel: 'has(self.storageUri) != has(self.from)',
    message: 'model: exactly one of storageUri and from is required',
    holds: (model) => (model.storageUri === undefined) !== (model.from === undefined),
  },
  {
    cel: '!has(self.storageUri) || has(self.sha256)',
    message: 'model.sha256 is required with storageUri',
    path: ['sha256'],
    holds: (model) => model.storageUri === undefined || model.sha256 !== undefined,
  },
  {
    cel: '!has(self.from) || !has(self.sha256)',
    message: 'model.sha256 is forbidden with from, whose versions have their own',
    path: ['sha256'],
    holds: (model) => model.from === undefined || model.sha256 === undefined,
  },
);

export type Model = z.infer<typeof modelSchema>;
