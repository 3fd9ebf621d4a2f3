/**
 * `status` of a ModelDeployment. It is the rollout's memory too: a new leader goes on from it. The router reads
 * `traffic` and nothing else.
 */
import { z } from 'zod';
import { conditionsSchema } from '../schema/condition.ts';

const count = () => z.int().min(0);
const percent = () => z.int().min(0).max(100);
const shortText = () => z.string().max(1024);
const time = () => z.string().max(64).meta({ format: 'date-time' });
const versionNumber = () => z.int().min(1);

export const PHASES = ['Pending', 'Progressing', 'Paused', 'Healthy', 'Degraded'] as const;
export const OUTCOMES = [
  'Rolling',
  'Serving',
  'Replaced',
  'Aborted',
  'Superseded',
  'RolledBack',
  'Undone',
  'Testing',
  'Tested',
] as const;

const served = {
  version: versionNumber().describe('Number of the version.'),
  digest: shortText().describe('sha256 of its file.'),
  readyReplicas: count().describe('Its ready pods.'),
  weight: percent().describe('Per cent of the traffic that it gets.'),
};

const trafficSchema = z.object({
  version: versionNumber().describe(
    'Version; its Service has the name of the object and `-v` and the number.',
  ),
  weight: percent().describe('Per cent of the requests that it answers. The weights of the list sum to 100.'),
  mirrorPercent: percent()
    .optional()
    .describe('Per cent of the other versions’ requests that are copied to it.'),
});

const recordSchema = z.object({
  version: versionNumber().describe('Number of the version.'),
  digest: shortText().describe('sha256 of its file.'),
  storageUri: z.string().max(2048).describe('Where its file lies.'),
  outcome: z.enum(OUTCOMES).describe('What became of it.'),
  proven: z.boolean().optional().describe('Whether it was promoted once, so that it needs no steps again.'),
  onCpu: z
    .boolean()
    .optional()
    .describe('No node with a GPU had room for it in time, so it is served by CPU.'),
  reason: shortText().optional().describe('Why, one word for programs.'),
  message: shortText().optional().describe('Why, for people.'),
  startedAt: time().describe('When it was first seen.'),
  endedAt: time().optional().describe('When it ceased to serve or to roll out.'),
});

const guardStatusSchema = z.object({
  name: shortText().describe('Its type; a query has its place in `spec.rollout.judge.guards` behind it.'),
  outcome: z
    .enum(['Breached', 'Passed', 'Waiting', 'Blind'])
    .describe('`Waiting`: not enough was seen yet. `Blind`: nothing can be seen, so nothing is promoted.'),
  message: shortText().describe('Why, for people.'),
});

export const modelDeploymentStatusSchema = z.object({
  observedGeneration: count().optional().describe('Generation of the spec that this status speaks of.'),
  phase: z
    .enum(PHASES)
    .optional()
    .describe(
      '`Pending` until a first version serves; `Degraded` when what serves is not what `model` asks for.',
    ),
  resolved: z
    .object({
      registry: shortText().describe('Name of the registered model.'),
      alias: shortText().describe('Alias that is followed.'),
      version: versionNumber().describe('Version of the registry that it means; its number there, not here.'),
      digest: shortText().describe('sha256 of its file.'),
      storageUri: z.string().max(2048).describe('Where its file lies.'),
    })
    .optional()
    .describe('What `spec.model.from` means now. Absent while that is not known.'),
  stable: z.object(served).optional().describe('The version that was promoted last.'),
  canary: z
    .object({
      ...served,
      startedAt: time().describe('When its rollout began.'),
      step: count().describe('Step that it is at, counted from 0; the number of steps when all are done.'),
      steps: count().describe('Number of steps that it has.'),
      stepStartedAt: time().describe('When that step began.'),
      unreadySince: time().optional().describe('Since when too few of its pods have been ready.'),
      shadowPercent: percent().optional().describe('Per cent of the requests that are copied to it.'),
    })
    .optional()
    .describe('The version that is being rolled out.'),
  kept: z
    .array(
      z.object({
        version: versionNumber().describe('Number of the version.'),
        until: time().describe('When its pods are taken away.'),
        for: z
          .enum(['Watch', 'Drain'])
          .describe('`Watch`: to return to at once. `Drain`: until nobody sends to it any more.'),
      }),
    )
    .max(16)
    .optional()
    .describe('Versions without traffic that still have pods.')
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['version'] }),
  variants: z
    .array(
      z.object({
        name: shortText().describe('Name of the variant in `spec.abTest`.'),
        ...served,
      }),
    )
    .max(8)
    .optional()
    .describe('The versions of the A/B test.')
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }),
  traffic: z
    .array(trafficSchema)
    .max(16)
    .optional()
    .describe('Who answers how much. Empty while no version has a ready pod.')
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['version'] }),
  judge: z
    .object({
      verdict: z.enum(['Promote', 'Rollback', 'Inconclusive']).describe('What the judge says.'),
      reason: shortText().optional().describe('Why, one word for programs.'),
      message: shortText().optional().describe('Why, for people.'),
      labels: count()
        .optional()
        .describe(
          'Forecasts of both versions that were scored; for a generic model, requests that were compared.',
        ),
      waiting: count().optional().describe('Forecasts whose time has not come yet.'),
      eWorse: shortText().optional().describe('Evidence that the new version is worse.'),
      eNotWorse: shortText().optional().describe('Evidence that it is not worse by more than the margin.'),
      effect: shortText().optional().describe('Difference of the losses as a share; above 0 is worse.'),
      interval: z
        .array(shortText())
        .max(2)
        .optional()
        .describe('Interval of the effect.')
        .meta({ 'x-kubernetes-list-type': 'atomic' }),
      worstSeries: shortText().optional().describe('Series with the most damage.'),
      guards: z
        .array(guardStatusSchema)
        .max(16)
        .optional()
        .describe('What the guards have seen.')
        .meta({ 'x-kubernetes-list-type': 'atomic' }),
    })
    .optional()
    .describe('The verdict on the version that is being rolled out, or watched after its promotion.'),
  history: z
    .array(recordSchema)
    .max(128)
    .optional()
    .describe('The versions, oldest first.')
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['version'] }),
  replicas: count()
    .optional()
    .describe('Pods of the versions that answer requests; those of shadows do not count.'),
  selector: z.string().max(8192).optional().describe('Label selector of those pods.'),
  conditions: conditionsSchema
    .optional()
    .describe(
      'Ready, Progressing, ModelResolved, Judged, Accelerated, Testing, Routed; `docs/reference/modeldeployment-status.md` has their reasons.',
    ),
});

export type ModelDeploymentStatus = z.infer<typeof modelDeploymentStatusSchema>;
export type TrafficShare = z.infer<typeof trafficSchema>;
export type VersionRecord = z.infer<typeof recordSchema>;
export type GuardStatus = z.infer<typeof guardStatusSchema>;
export type JudgeStatus = NonNullable<ModelDeploymentStatus['judge']>;
export type Phase = (typeof PHASES)[number];
export type Outcome = (typeof OUTCOMES)[number];
