/**
 * `spec` of a ClusterTrainingRuntime: all that a pod of a run has and a tenant must not choose. Whoever may write it
 * may run any image with any folder of a node, so it belongs to administrators alone.
 */
import { z } from 'zod';
import { amounts, gpuResource, nodeSelector, tolerations } from '../schema/pods.ts';
import { withRules } from '../schema/rules.ts';
import { dnsLabel, int32, pathSegment, positiveQuantity, text } from '../schema/scalars.ts';
import { MAX_NODES } from '../trainingjob/workers.ts';

const absolutePath = () =>
  z
    .string()
    .max(1024)
    .regex(/^\/[^:]*$/, { error: 'must be an absolute path without a colon' });

const resources = () =>
  z
    .object({
      requests: amounts('What a pod reserves.').optional(),
      limits: amounts('What a pod may not exceed.').optional(),
    })
    .optional()
    .describe('CPU, memory and disk of one pod.');

const placed = {
  resources: resources(),
  nodeSelector: nodeSelector().optional().describe('Labels of the nodes that its pods may run on.'),
  tolerations: tolerations().optional().describe('Taints of nodes that its pods tolerate.'),
};

const SOURCES = ['hostPath', 'emptyDir', 'persistentVolumeClaim'] as const;
/** What the operator mounts itself; the rest of the root is read-only. */
const TAKEN_PATHS = [
  '/work',
  '/tmp',
  '/etc/foresail',
  '/var/run/foresail',
  '/var/run/foresail-data',
  '/mnt/pvc',
];

const volumeSchema = withRules(
  z.object({
    name: dnsLabel().describe('Name of the volume, unique in the list.'),
    mountPath: absolutePath().describe('Where the container finds it.'),
    hostPath: z
      .object({ path: absolutePath().describe('Folder of the node; mounted to read only.') })
      .optional()
      .describe('A folder of the node.'),
    emptyDir: z
      .object({
        medium: z.enum(['Memory']).optional().describe('`Memory`, such as for `/dev/shm`. Absent: disk.'),
        sizeLimit: positiveQuantity.optional().describe('What it may hold.'),
      })
      .optional()
      .describe('An empty folder for the pod alone.'),
    persistentVolumeClaim: z
      .object({ claimName: pathSegment(253).describe('Name of a claim in the namespace of the run.') })
      .optional()
      .describe('A claim in the namespace of the run; mounted to read only.'),
  }),
  {
    cel: `[${SOURCES.map((source) => `has(self.${source})`).join(', ')}].filter(x, x).size() == 1`,
    message: `exactly one of ${SOURCES.join(', ')} is required in a volume`,
    holds: (volume) => SOURCES.filter((source) => volume[source] !== undefined).length === 1,
  },
  {
    cel: `![${TAKEN_PATHS.map((path) => `'${path}'`).join(', ')}].exists(p, self.mountPath == p || self.mountPath.startsWith(p + '/'))`,
    message: `mountPath of a volume must not lie in ${TAKEN_PATHS.join(', ')}`,
    path: ['mountPath'],
    holds: ({ mountPath }) =>
      !TAKEN_PATHS.some((path) => mountPath === path || mountPath.startsWith(`${path}/`)),
  },
);

const envSchema = withRules(
  z.object({
    name: z
      .string()
      .max(128)
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
      .describe('Name of the variable.'),
    value: z.string().max(4096).describe('Its value. Not for secrets: everybody may read it.'),
  }),
  {
    cel: "!self.name.startsWith('FORESAIL_') && !self.name.startsWith('PET_')",
    message: 'name must not begin with FORESAIL_ or PET_, which the operator sets',
    path: ['name'],
    holds: ({ name }) => !name.startsWith('FORESAIL_') && !name.startsWith('PET_'),
  },
);

const uniqueNames = (list: readonly { name: string }[], context: z.RefinementCtx) => {
  for (const [index, { name }] of list.entries())
    if (list.findIndex((other) => other.name === name) < index)
      context.addIssue({ code: 'custom', path: [index, 'name'], message: 'must be unique' });
};

const id = () => int32(1);

export const clusterTrainingRuntimeSpecSchema = withRules(
  z.object({
    image: text(1024).describe('Image of the trainer.'),
    imagePullPolicy: z
      .enum(['Always', 'IfNotPresent', 'Never'])
      .optional()
      .describe('When the image is pulled. Absent: as Kubernetes has it.'),
    imagePullSecrets: z
      .array(z.object({ name: pathSegment(253).describe('Name of a Secret in the namespace of the run.') }))
      .max(16)
      .superRefine(uniqueNames)
      .optional()
      .describe('Secrets for the registry of the image.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }),
    command: z
      .array(text(4096))
      .min(1)
      .max(64)
      .default(['foresail-train', '--config', '/etc/foresail/train.json'])
      .describe('What each process runs. The run’s settings lie in `/etc/foresail/train.json`.')
      .meta({ 'x-kubernetes-list-type': 'atomic' }),
    env: z
      .array(envSchema)
      .max(64)
      .superRefine(uniqueNames)
      .optional()
      .describe('Variables of the trainer’s environment.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }),
    families: z
      .array(dnsLabel())
      .min(1)
      .max(64)
      .optional()
      .describe('Families of models that may be trained. Absent: all that the image has.')
      .meta({ 'x-kubernetes-list-type': 'atomic' }),
    maxNodes: int32(1, MAX_NODES).default(8).describe('Most pods of a run.'),
    maxProcsPerNode: int32(1, 16).default(8).describe('Most processes of a pod.'),
    cpu: z.object(placed).optional().describe('Pods that train by CPU. Absent: none may.'),
    gpu: z
      .object({
        resourceNames: z
          .array(gpuResource())
          .min(1)
          .max(16)
          .default(['nvidia.com/gpu'])
          .describe('GPUs that a run may ask for; the first unless it says which.')
          .meta({ 'x-kubernetes-list-type': 'atomic' }),
        runtimeClassName: pathSegment(253).optional().describe('RuntimeClass of the pods.'),
        ...placed,
      })
      .optional()
      .describe('Pods that train by GPU. Absent: none may.'),
    volumes: z
      .array(volumeSchema)
      .max(32)
      .superRefine(uniqueNames)
      .optional()
      .describe('What is mounted beside the run’s own folder.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }),
    searchScratch: z
      .object({
        sizeLimit: positiveQuantity
          .default('10Gi')
          .describe(
            'What it may hold. A pod that takes more is evicted, which counts as an error of its own.',
          ),
      })
      .prefault({})
      .describe(
        'Work folder of a pod whose search meets in a database, on the disk of its node: the data, for as long as the pod ' +
          'lives.',
      ),
    security: z
      .object({
        runAsUser: id().optional().describe('User of the processes; never 0.'),
        runAsGroup: id().optional().describe('Group of the processes.'),
        fsGroup: id().optional().describe('Group that owns the volumes.'),
      })
      .prefault({})
      .describe('Who the processes are. All else meets Pod Security’s *restricted*, always.'),
    schedulerName: pathSegment(253)
      .optional()
      .describe(
        'Scheduler of the pods. One that knows gangs is told how many of them start together: `volcano` by its ' +
          'annotation, another by a PodGroup of coscheduling, with `training.podGroups` of the configuration and where ' +
          'the cluster has PodGroups.',
      ),
    priorityClassName: pathSegment(253).optional().describe('PriorityClass of the pods.'),
    gate: z
      .object({
        image: text(1024).optional().describe('Image with `foresail gate`. Absent: the operator’s.'),
        resources: resources(),
      })
      .prefault({})
      .describe('The pod that judges the trained model.'),
  }),
  {
    cel: 'has(self.cpu) || has(self.gpu)',
    message: 'at least one of cpu and gpu is required',
    holds: ({ cpu, gpu }) => cpu !== undefined || gpu !== undefined,
  },
);

export type ClusterTrainingRuntimeSpec = z.infer<typeof clusterTrainingRuntimeSpecSchema>;
export type RuntimeVolume = z.infer<typeof volumeSchema>;
