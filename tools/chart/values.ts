/**
 * The values of the Helm chart as one schema. Its `config` part is the operator's own configuration schema, so that
 * what the chart accepts is what the operator accepts; values.schema.json and the table in the chart's README are
 * generated from here.
 */
import { z } from 'zod';
import { operatorConfigSchema } from '../../operator/config.ts';
import { DURATION_PATTERN } from '../../operator/duration.ts';

const name = z.string().max(253);
/** Handed to Kubernetes as it is; the API server checks it. */
const passedOn = z.record(z.string(), z.unknown());
const passedOnList = z.array(passedOn);
const texts = z.record(z.string(), z.string());

const scaleTarget = z.strictObject({
  apiGroup: z.string().regex(/^[a-z0-9.-]*$/),
  kind: z.string().regex(/^[A-Z][A-Za-z0-9]*$/),
  resource: z.string().regex(/^[a-z][a-z0-9-]*$/),
});

export const chartValuesSchema = z.strictObject({
  global: passedOn.optional().describe('Values of a parent chart; not read.'),
  nameOverride: name.describe('Replaces the chart’s name in the names of objects.'),
  fullnameOverride: name.describe('Replaces release and chart name in the names of objects.'),
  commonLabels: texts.describe('Labels for every object.'),

  replicas: z
    .int()
    .min(0)
    .max(10)
    .describe(
      'Pods of the operator. One leads, the others wait; more than one needs `config.leaderElection.enabled`.',
    ),
  image: z.strictObject({
    repository: z.string().min(1).describe('Where the image lies.'),
    tag: z.string().describe('Empty: the chart’s appVersion.'),
    digest: z
      .string()
      .regex(/^(sha256:[0-9a-f]{64})?$/)
      .describe('Pins the image; wins over the tag.'),
    pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).describe('As in a Pod.'),
  }),
  imagePullSecrets: z.array(z.strictObject({ name })).describe('As in a Pod.'),

  config: operatorConfigSchema.describe(
    'The operator’s configuration file, key by key; every key has the operator’s default.',
  ),
  router: z.strictObject({
    enabled: z
      .boolean()
      .describe('Run `foresail router`, which splits the requests to ModelDeployments over their versions.'),
    replicas: z.int().min(0).max(100).describe('Pods of the router; each can do the whole work.'),
    maxHeldBytes: z
      .int()
      .min(1_048_576)
      .max(999_999_999)
      .describe(
        'Bytes of the requests that a pod holds at once; more are refused with 503. Its memory limit wants about three times as much and 200 MiB.',
      ),
    resources: passedOn.describe('As in a Pod.'),
    ingressFrom: passedOnList.describe(
      'With `networkPolicy.enabled`: peers (as in a NetworkPolicy) that may ask models. Empty: all. The port of its metrics takes `networkPolicy.ingressFrom`.',
    ),
  }),
  trainer: z.strictObject({
    runtimes: z
      .boolean()
      .describe(
        'Create the ClusterTrainingRuntimes `forecaster` (CPU) and `forecaster-nvidia`, with `config.training.enabled`.',
      ),
    image: z.strictObject({
      repository: z
        .string()
        .min(1)
        .describe('Where the trainer’s image lies (`models/Dockerfile`), for CPU and GPU.'),
      tag: z.string().describe('Empty: the chart’s appVersion.'),
      pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).describe('As in a Pod.'),
    }),
    resources: passedOn.describe('Of a pod that trains, as in a Pod.'),
  }),
  boxModel: z.strictObject({
    namespaces: z
      .array(name.min(1))
      .meta({ uniqueItems: true })
      .describe(
        'Namespaces that get the model in the box as the ModelDeployment `loadcast`, for `forecast.model` and for other callers. Created once the CRDs are there: by the first upgrade after the installation.',
      ),
  }),
  tls: z.strictObject({
    secretName: name.describe(
      'A TLS Secret (tls.crt, tls.key, ca.crt) for the operator’s HTTP port; sets `config.http.tls` and `config.training.caFile`, by which pods that train know the operator (set that to "" where the trainer’s image knows the authority). The certificate must be for the names of both Services: `<release>.<namespace>.svc` and `<release>-training.<namespace>.svc`. Empty: plain HTTP.',
    ),
  }),
  history: z.strictObject({
    existingClaim: name.describe(
      'A PersistentVolumeClaim for `config.history.directory`; for one replica only. Empty: an emptyDir, filled again from Prometheus.',
    ),
  }),

  scaleTargets: z
    .array(scaleTarget)
    .min(1)
    .max(50)
    .meta({ uniqueItems: true })
    .describe('Kinds that may be scaled: the operator’s rights and the admission policies follow this list.'),
  admissionPolicies: z.strictObject({
    enabled: z.boolean().describe('Install the ValidatingAdmissionPolicies.'),
    validationActions: z
      .array(z.enum(['Deny', 'Warn', 'Audit']))
      .min(1)
      .meta({ uniqueItems: true })
      .describe('What happens to an object that breaks a policy.'),
  }),
  crds: z.strictObject({
    install: z.boolean().describe('Install and upgrade the CRDs with the chart.'),
    keep: z
      .boolean()
      .describe('Leave the CRDs, and so every PredictiveScaler, in place when the release is uninstalled.'),
  }),
  rbac: z.strictObject({
    create: z.boolean().describe('Create the operator’s roles and bindings.'),
    userRoles: z
      .boolean()
      .describe(
        'Add our kinds to the cluster’s `view`, `edit` and `admin` roles, and let everybody read ClusterTrainingRuntimes.',
      ),
  }),
  serviceAccount: z.strictObject({
    create: z.boolean().describe('Create the service account.'),
    name: name.describe('Empty: the name of the release.'),
    annotations: texts.describe('For example for workload identity.'),
  }),

  metrics: z.strictObject({
    serviceAnnotations: texts.describe('Annotations of the Service in front of `/metrics`.'),
    readers: z
      .array(z.strictObject({ namespace: name.min(1), name: name.min(1) }))
      .describe('Service accounts that may read `/metrics`, such as Prometheus’ own.'),
  }),
  serviceMonitor: z.strictObject({
    enabled: z.boolean().describe('Create a ServiceMonitor (needs the Prometheus operator).'),
    interval: z.string().regex(new RegExp(DURATION_PATTERN)).describe('Time between two scrapes.'),
    labels: texts.describe('Labels by which your Prometheus selects ServiceMonitors.'),
    tokenSecret: z
      .strictObject({ name, key: z.string().min(1) })
      .describe(
        'Secret in the release’s namespace with the bearer token. Empty name: the token of Prometheus’ own service account.',
      ),
    models: z
      .boolean()
      .describe('Create a ServiceMonitor for the pods of every version of every ModelDeployment.'),
  }),

  podDisruptionBudget: z.strictObject({
    enabled: z.boolean().describe('Keep one pod through node drains; needs `replicas` of 2 or more.'),
  }),
  networkPolicy: z.strictObject({
    enabled: z.boolean().describe('Let only `ingressFrom` and the kubelet’s probes reach the operator.'),
    ingressFrom: passedOnList.describe(
      'Peers (as in a NetworkPolicy) that may reach the HTTP port. Empty: all.',
    ),
    egress: passedOnList
      .nullish()
      .describe(
        'Egress rules (as in a NetworkPolicy): API server, DNS, Prometheus, pods of models on 8080. null: unrestricted.',
      ),
  }),

  resources: passedOn.describe('As in a Pod. A limit of CPU delays decisions and lease renewals.'),
  podSecurityContext: z
    .looseObject({ runAsNonRoot: z.literal(true) })
    .describe('As in a Pod; the pod stays non-root. The container’s own context is fixed.'),
  podAnnotations: texts.describe('Annotations of the pods.'),
  podLabels: texts.describe('Labels of the pods.'),
  priorityClassName: name.describe(
    'For example `system-cluster-critical`, so that scaling survives a full cluster.',
  ),
  nodeSelector: texts.describe('As in a Pod. The image is built for linux/amd64.'),
  tolerations: passedOnList.describe('As in a Pod.'),
  affinity: passedOn.describe('As in a Pod.'),
  topologySpreadConstraints: passedOnList
    .nullish()
    .describe('As in a Pod. null: the pods prefer different nodes and zones.'),
  terminationGracePeriodSeconds: z
    .int()
    .min(10)
    .max(600)
    .describe('Time to finish writes, flush history and release the lease.'),
  extraEnv: passedOnList.describe('Further environment variables.'),
  extraVolumes: passedOnList.describe(
    'Volumes for CA bundles, tokens and passwords that `config.prometheusServers` names.',
  ),
  extraVolumeMounts: passedOnList.describe('Where they are mounted.'),
});

/** Keys of `config` (by section) without which the templates cannot work; a null in the user's values removes a key. */
const READ_BY_TEMPLATES = {
  '': [
    'namespaces',
    'protectedNamespaces',
    'http',
    'leaderElection',
    'prometheusServers',
    'history',
    'modelServing',
    'training',
  ],
  http: ['address'],
  leaderElection: ['enabled'],
  history: ['maxBytes'],
  modelServing: ['enabled', 'schemes', 'serviceAccounts'],
  training: ['enabled', 'schemes'],
};

type JsonSchema = { [key: string]: unknown; properties?: Record<string, JsonSchema>; items?: JsonSchema };

/** Combinations that cannot work. Each is "one of these must hold": the error then lists every way out. */
const RULES: readonly JsonSchema[] = [
  // Two replicas that both lead would both write.
  oneOf({ replicas: { maximum: 1 } }, { config: at('leaderElection', at('enabled', { const: true })) }),
  // A budget over a single pod blocks every node drain.
  oneOf({ podDisruptionBudget: at('enabled', { const: false }) }, { replicas: { minimum: 2 } }),
  // Two replicas must not write into one history.
  oneOf({ history: at('existingClaim', { const: '' }) }, { replicas: { maximum: 1 } }),
  // A claim that is mounted nowhere.
  oneOf(
    { history: at('existingClaim', { const: '' }) },
    { config: at('history', { required: ['directory'] }) },
  ),
  // Which of the two certificates?
  oneOf({ tls: at('secretName', { const: '' }) }, { config: at('http', { properties: { tls: false } }) }),
  // Kubernetes takes it for a mistake.
  oneOf(
    { admissionPolicies: at('validationActions', { not: { contains: { const: 'Warn' } } }) },
    { admissionPolicies: at('validationActions', { not: { contains: { const: 'Deny' } } }) },
  ),
  // The rights would go to the namespace's default account.
  oneOf({ serviceAccount: at('create', { const: true }) }, { serviceAccount: at('name', { minLength: 1 }) }),
];

export function valuesJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(chartValuesSchema, {
    io: 'input',
    target: 'draft-07',
    override: ({ jsonSchema }) => {
      // Our durations are strings to JSON Schema; their pattern is known, so a wrong one is refused by Helm already.
      const { type, default: byDefault } = jsonSchema;
      if (type === 'string' && typeof byDefault === 'string' && new RegExp(DURATION_PATTERN).test(byDefault))
        jsonSchema.pattern = DURATION_PATTERN;
      // Integers without bounds of their own.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      // values.yaml shows the defaults; here they would be a second copy.
      delete jsonSchema.default;
    },
  }) as JsonSchema;
  const config = schema.properties?.['config'] as JsonSchema;
  for (const [section, keys] of Object.entries(READ_BY_TEMPLATES)) {
    const part = (section === '' ? config : config.properties?.[section]) as JsonSchema;
    part['required'] = keys;
  }
  return { ...schema, allOf: RULES };
}

function at(key: string, schema: object): JsonSchema {
  return { properties: { [key]: schema as JsonSchema } };
}

function oneOf(...alternatives: readonly Record<string, object>[]): JsonSchema {
  return { anyOf: alternatives.map((properties) => ({ properties })) };
}
