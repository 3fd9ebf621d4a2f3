/** `spec` of a ModelDeployment. */
import { z } from 'zod';
import { withRules } from '../schema/rules.ts';
import { pathSegment } from '../schema/scalars.ts';
import { abTestSchema } from './ab-test.ts';
import { modelSchema } from './model.ts';
import { rolloutSchema } from './rollout.ts';
import { serverSchema } from './server.ts';

export const modelDeploymentSpecSchema = withRules(
  z.object({
    model: modelSchema.describe('What is served. Another digest is another version.'),
    task: z
      .enum(['forecast', 'generic'])
      .default('forecast')
      .describe('`forecast` is judged by its forecasts, `generic` by the guards alone.'),
    credentialsSecretRef: z
      .object({ name: pathSegment(253).describe('Name of a Secret in this namespace.') })
      .optional()
      .describe('Credentials for the artifact store. The pods read them, never the operator.'),
    serviceAccountName: pathSegment(253)
      .optional()
      .describe('Service account of the pods, for workload identity; one of the administrator’s list.'),
    server: serverSchema.prefault({}).describe('How a version is served.'),
    rollout: rolloutSchema.prefault({}).describe('How a new version takes over.'),
    abTest: abTestSchema
      .optional()
      .describe(
        'Variants beside stable for as long as this stands. A new file of `model` waits until it is taken away.',
      ),
    route: z
      .object({
        gateway: z
          .object({
            httpRouteName: pathSegment(253).describe('Name of an HTTPRoute in this namespace.'),
          })
          .describe('Weights of an HTTPRoute of the Gateway API.'),
      })
      .optional()
      .describe(
        'What splits the traffic. Absent: the built-in router. A rule of the route is the model’s when its backend is ' +
          'the Service of a version, or one with the name of this object: its backends and their weights are written.',
      ),
    revisionHistoryLimit: z
      .int()
      .min(0)
      .max(100)
      .default(10)
      .describe('How many versions that no longer serve are remembered, and can be returned to.'),
  }),
  {
    cel: '!has(self.credentialsSecretRef) || !has(self.serviceAccountName)',
    message: 'serviceAccountName is forbidden beside credentialsSecretRef',
    path: ['serviceAccountName'],
    holds: (spec) => spec.credentialsSecretRef === undefined || spec.serviceAccountName === undefined,
  },
);

export type ModelDeploymentSpec = z.infer<typeof modelDeploymentSpecSchema>;
