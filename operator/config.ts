/**
 * The operator's configuration: one YAML file, made by the chart, owned by the administrator. Everything a tenant must
 * not choose (metric servers, limits, pauses) stands here. Every key has a default; an unknown key is an error, because
 * a misspelt limit is no limit.
 */
import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { z } from 'zod';
import { URI_SCHEMES } from './api/modeldeployment/model.ts';
import { dnsLabel } from './api/schema/scalars.ts';
import { DATA_SCHEMES } from './api/trainingjob/data.ts';
import { trackingUri } from './api/trainingjob/tracking.ts';
import { configDuration } from './config-duration.ts';
import { DEFAULT_FREEZE_CONFIG } from './decision/guards/freeze.ts';
import { DEFAULT_OUTLIER_CONFIG } from './decision/guards/outlier.ts';
import { ForesailError, messageOf } from './errors.ts';
import { prometheusServersSchema } from './metricsources/prometheus/config.ts';
import { addressClasses } from './net/address.ts';

const share = z.number().gt(0).max(1);

/** Lets an absent section take the defaults of its keys. */
const section = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape).prefault({} as never);

export const operatorConfigSchema = z.strictObject({
  /** Namespaces whose scalers are handled; empty means all. */
  namespaces: z.array(z.string().min(1)).default([]),
  /** Scalers in these namespaces are refused, whatever RBAC allows. */
  protectedNamespaces: z.array(z.string()).default(['kube-system', 'kube-public', 'kube-node-lease']),
  /** Time between two decisions for a scaler; HPA's default. */
  syncPeriod: configDuration('15s', '50ms', '1h'),
  workers: z.int().min(1).max(1000).default(64),
  log: section({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }),
  http: section({
    address: z
      .string()
      .regex(/^.*:\d+$/, 'must be host:port')
      .default('0.0.0.0:8080'),
    tls: z.strictObject({ certFile: z.string(), keyFile: z.string() }).optional(),
  }),
  api: section({
    qps: z.number().positive().default(200),
    burst: z.int().positive().default(400),
    timeout: configDuration('10s', '1s', '5m'),
  }),
  leaderElection: section({
    enabled: z.boolean().default(true),
    /** Absent: the namespace of the pod. */
    namespace: z.string().optional(),
    name: z.string().default('foresail-operator'),
    leaseDuration: configDuration('15s', '2s'),
    renewDeadline: configDuration('10s', '1s'),
    retryPeriod: configDuration('2s', '100ms'),
  }),
  prometheusServers: prometheusServersSchema.prefault([]),
  hpa: section({
    tolerance: z.number().min(0).default(0.1),
    downscaleStabilization: configDuration('5m'),
    cpuInitializationPeriod: configDuration('5m'),
    initialReadinessDelay: configDuration('30s'),
  }),
  guards: section({
    /** Largest change of one decision, in replicas. */
    largestStep: z.int().min(1).optional(),
    /** Pods that all scalers together may order per minute. */
    creationsPerMinute: z.int().min(1).optional(),
    /** Everything freezes while too many targets are unready (see decision/guards/freeze.ts). */
    freeze: section({
      share: share.default(DEFAULT_FREEZE_CONFIG.share),
      thawShare: share.default(DEFAULT_FREEZE_CONFIG.thawShare),
      minTargets: z.int().min(1).default(DEFAULT_FREEZE_CONFIG.minTargets),
    }),
    /** One sample that jumps is not believed at once (see decision/guards/outlier.ts). */
    outlier: section({
      spikeFactor: z.number().gt(1).default(DEFAULT_OUTLIER_CONFIG.spikeFactor),
      unitFactor: z.number().gt(1).default(DEFAULT_OUTLIER_CONFIG.unitFactor),
      confirmSamples: z.int().min(1).default(DEFAULT_OUTLIER_CONFIG.confirmSamples),
      unitConfirm: configDuration('30m'),
    }),
  }),
  forecast: section({
    /** Model file; absent: the one in the box. Any file but the box file runs in a child process. */
    modelFile: z.string().optional(),
    /** Lead time until the workload's own pods have shown one. */
    defaultLeadTime: configDuration('60s'),
    /** How late a metric tells of a load when the step that it is a mean of is over. */
    metricDelay: configDuration('30s'),
    /** The finest step of a forecast whose spec names none, and the one until the metric's cadence is known. */
    defaultStep: configDuration('1m', '10s', '1h'),
  }),
  history: section({
    /** Absent: history stays in memory. */
    directory: z.string().optional(),
    flushEvery: configDuration('1m', '1s'),
    retain: configDuration('1440h'),
    maxBytes: z
      .int()
      .positive()
      .default(2 * 1024 ** 3),
  }),
  verdict: section({
    /** Replays of each scaler's past, which mode Auto goes by. Without them Auto acts as Shadow. */
    enabled: z.boolean().default(true),
    /** Between two replays of one scaler. */
    every: configDuration('30m', '1s', '24h'),
  }),
  /** What ModelDeployments may do. */
  modelServing: section({
    enabled: z.boolean().default(true),
    /** Image with `foresail fetch` and `foresail serve`; the chart takes its own. Absent: nothing is served. */
    image: z.string().min(1).optional(),
    /**
     * What starts `foresail` in that image. A young generation that grows to 32 MiB, as Node's own does, is collected in
     * pauses of 20 ms and more, which are the slowest answers of a server.
     */
    command: z
      .array(z.string().min(1))
      .min(1)
      .default(['node', '--max-semi-space-size=8', 'operator/cli/main.ts']),
    /** Schemes of spec.model.storageUri that are allowed. */
    schemes: z.array(z.enum(URI_SCHEMES)).default(['s3', 'gs', 'https', 'oci', 'pvc']),
    /** Service accounts that pods of a tenant may have, for workload identity. */
    serviceAccounts: z.array(z.string().min(1)).default([]),
    /** Whether ModelDeployments may name an HTTPRoute of the Gateway API, whose weights are then written. */
    gateway: z.boolean().default(false),
    /** Where PredictiveScalers ask a version for forecasts: its Service, `{service}` in `{namespace}`. */
    address: z
      .string()
      .regex(/^https?:\/\/[^\s/]+$/, { error: 'must be a URL without a path' })
      .default('http://{service}.{namespace}.svc:8080'),
    /** Addresses that such a name may lead to beside those of pods and Services. */
    allowAddresses: z.array(z.enum(addressClasses)).default([]),
    /** For one answer; who waits longer decides without it. */
    timeout: configDuration('2s', '100ms', '30s'),
    /** What the containers that bring a model may do. */
    fetch: section({
      /** Of one file. */
      maxMib: z.int().min(1).max(1_048_576).default(4_096),
      /** For all of one file. */
      timeout: configDuration('30m', '1s', '24h'),
      /** Also unencrypted requests and redirects, for stores inside the cluster. */
      allowHttp: z.boolean().default(false),
      /** Addresses that are refused otherwise. */
      allowAddresses: z.array(z.enum(addressClasses)).default([]),
      /** Files by their digest for the next pod: in a folder of the node or in a claim of each namespace. */
      cache: z
        .strictObject({
          /** Must be there, and every user may write to it (mode 1777). */
          hostPath: z
            .string()
            .regex(/^\/[^:]+$/, 'must be an absolute path')
            .optional(),
          claim: dnsLabel().optional(),
          /** Of all files of a namespace in it. */
          maxMib: z.int().min(1).max(67_108_864).default(20_480),
        })
        .optional(),
    }),
    /**
     * Whether aliases of registered models are followed. It takes the right to read ConfigMaps where models are. Absent:
     * as `training.enabled`, since what training makes is served by whoever follows it.
     */
    registries: z.boolean().optional(),
    /** For so long a pod must be ready before weight rests on it. */
    minReady: configDuration('5s', '0s', '1h'),
    /** How long a version without weight keeps its pods, so that whoever sends to them has noticed. */
    drain: configDuration('30s', '0s', '1h'),
  }),
  /** What TrainingJobs may do. What their pods are made of stands in ClusterTrainingRuntimes. */
  training: section({
    enabled: z.boolean().default(true),
    /** Where pods reach `http.address`; the chart takes its Service. Absent: nothing is trained. */
    address: z
      .string()
      .regex(/^https?:\/\/[^\s/]+$/, { error: 'must be a URL without a path' })
      .optional(),
    /**
     * PEM file of the authorities by which pods know an address of https; its certificates go to the namespace of each run.
     * Absent or empty: those that the images know.
     */
    caFile: z.string().optional(),
    /** Schemes of spec.data.storageUri and spec.output.storageUri that are allowed. */
    schemes: z.array(z.enum(DATA_SCHEMES)).default(['s3', 'gs', 'https', 'pvc']),
    /** What a run may have of the history of its namespace. */
    data: section({
      maxSeries: z.int().min(1).max(20_000).default(2_000),
      /** Of one answer; there may be many. */
      maxPoints: z.int().min(1_000).max(1_000_000).default(100_000),
    }),
    /** The pod that judges a trained model. */
    gate: section({
      /** Image with `foresail gate`, unless the runtime names one. Absent: that of modelServing. */
      image: z.string().min(1).optional(),
      /** What starts `foresail` in that image. */
      command: z.array(z.string().min(1)).min(1).default(['node', 'operator/cli/main.ts']),
    }),
    /** Whether gangs of a runtime with a scheduler of its own get a PodGroup of coscheduling, where the cluster has it. */
    podGroups: z.boolean().default(false),
    /** The MLflow server that is told of runs which name none. The pods of a run ask it, not the operator. */
    tracking: section({ uri: trackingUri().optional() }),
    /** For so long a run waits for room for all of its pods before it goes on with those that have it. */
    elasticWait: configDuration('2m', '1s', '24h'),
    /** A pod on a node that is lost is taken for dead so long after it should have ended. */
    fencingTimeout: configDuration('5m', '1s', '24h'),
    /** Before a run that failed is started again; doubled with each failure. */
    restartDelay: section({
      first: configDuration('10s', '100ms', '1h'),
      most: configDuration('5m', '100ms', '24h'),
    }),
  }),
  state: section({ checkpointEvery: configDuration('10m', '1s') }),
  /** Only for demonstrations: the load runs `factor` times as fast as real time. */
  replay: z
    .strictObject({ realStart: z.iso.datetime(), loadStart: z.iso.datetime(), factor: z.number().positive() })
    .optional(),
});

export type OperatorConfig = z.output<typeof operatorConfigSchema>;

/** What two keys say together. */
function contradictions({ leaderElection, guards, modelServing, training }: OperatorConfig): string[] {
  const { leaseDuration, renewDeadline, retryPeriod } = leaderElection;
  const { freeze, outlier } = guards;
  const { cache } = modelServing.fetch;
  return [
    // Another replica may lead after leaseDuration: by then we must have given up, and have tried more than once.
    ...(leaseDuration > renewDeadline
      ? []
      : ['leaderElection.renewDeadline: must be shorter than leaseDuration']),
    ...(renewDeadline > retryPeriod
      ? []
      : ['leaderElection.retryPeriod: must be shorter than renewDeadline']),
    ...(freeze.thawShare <= freeze.share ? [] : ['guards.freeze.thawShare: must not be above share']),
    ...(outlier.unitFactor >= outlier.spikeFactor
      ? []
      : ['guards.outlier.unitFactor: must not be below spikeFactor']),
    ...(training.restartDelay.first <= training.restartDelay.most
      ? []
      : ['training.restartDelay.first: must not be longer than most']),
    ...(cache === undefined || (cache.hostPath === undefined) !== (cache.claim === undefined)
      ? []
      : ['modelServing.fetch.cache: exactly one of hostPath and claim is required']),
  ];
}

export function followsRegistries({
  modelServing,
  training,
}: {
  readonly modelServing: Pick<OperatorConfig['modelServing'], 'registries'>;
  readonly training: Pick<OperatorConfig['training'], 'enabled'>;
}): boolean {
  return modelServing.registries ?? training.enabled;
}

/** @throws ForesailError CONFIG_INVALID (terminal) that lists each wrong key. */
export function parseConfig(value: unknown, origin: string): OperatorConfig {
  const result = operatorConfigSchema.safeParse(value ?? {});
  const problems = result.success
    ? contradictions(result.data)
    : result.error.issues.map(({ path, message }) => `${path.join('.') || '(top level)'}: ${message}`);
  if (result.success && problems.length === 0) return result.data;
  throw new ForesailError('CONFIG_INVALID', 'terminal', `${origin}: ${problems.join('; ')}`, {
    subject: origin,
  });
}

/** @param path a YAML file; undefined gives the defaults. */
export function readConfig(path: string | undefined): OperatorConfig {
  if (path === undefined) return parseConfig({}, 'defaults');
  try {
    return parseConfig(load(readFileSync(path, 'utf8')), path);
  } catch (error) {
    if (error instanceof ForesailError) throw error;
    throw new ForesailError('CONFIG_INVALID', 'terminal', `${path}: ${messageOf(error)}`, {
      subject: path,
      cause: error,
    });
  }
}
