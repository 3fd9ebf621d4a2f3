/** `spec.tracking`: the MLflow server that is told of a run. */
import { z } from 'zod';
import { secretRef } from './data.ts';

/** Variables that MLflow has for credentials, and keys of the Secret that they come from. */
export const TRACKING_CREDENTIALS = [
  'MLFLOW_TRACKING_TOKEN',
  'MLFLOW_TRACKING_USERNAME',
  'MLFLOW_TRACKING_PASSWORD',
] as const;

/** No user, password or query: it stands in pods, lineages and logs, and would put its secret there. */
export const trackingUri = () =>
  z
    .string()
    .max(2048)
    .regex(
      /^https?:\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)(:[0-9]{1,5})?(\/[!-"$->@-~]*)?$/,
      {
        error: 'must be the http:// or https:// address of an MLflow server, without credentials or query',
      },
    );

export const trackingSchema = z.object({
  uri: trackingUri()
    .optional()
    .describe(
      'Address of the server, such as `http://mlflow.ml:5000`. Absent: the administrator’s, ' +
        '`training.tracking.uri` of the configuration.',
    ),
  experiment: z
    .string()
    .max(250)
    .regex(/^[^ \p{Cc}]([^\p{Cc}]*[^ \p{Cc}])?$/u, {
      error: 'must be a name of one line, without a space at either end',
    })
    .optional()
    .describe(
      'Name of the experiment; it is made where there is none. Absent: `foresail/` and the namespace.',
    ),
  credentialsSecretRef: secretRef()
    .optional()
    .describe(
      'Credentials for the server: the keys `MLFLOW_TRACKING_TOKEN`, or `MLFLOW_TRACKING_USERNAME` and ' +
        '`MLFLOW_TRACKING_PASSWORD`. The pods read them, never the operator.',
    ),
});

export type Tracking = z.infer<typeof trackingSchema>;
