/** Specs for property tests: every field, mostly valid, with the edges of each limit and now and then beyond. */
import * as fc from 'fast-check';
import { int, mostly, object, optional } from '../../testing/arbitraries.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}[a-z0-9]$/);
const quantity = mostly<string | number>(
  fc.constantFrom<string | number>('500m', 1, '2Gi'),
  fc.constantFrom<string | number>(0, '-1', '10E'),
);
const amounts = object({ cpu: optional(quantity), memory: optional(quantity) });
const placed = {
  resources: optional(object({ requests: optional(amounts), limits: optional(amounts) })),
  nodeSelector: optional(fc.dictionary(name, name, { maxKeys: 2 })),
  tolerations: optional(
    fc.array(
      object({
        key: optional(name),
        operator: fc.constant('Exists'),
        value: mostly(fc.constant<string | undefined>(undefined), fc.constant('x')),
      }),
      { maxLength: 1 },
    ),
  ),
};
const path = mostly(
  fc.constantFrom('/opt', '/dev/shm', '/a/b', '/works'),
  fc.constantFrom('opt', '/a:b', ''),
);
const source = mostly<Record<string, unknown>>(
  fc.oneof(
    object({ hostPath: object({ path }) }),
    object({
      emptyDir: object({ medium: optional(fc.constant('Memory')), sizeLimit: optional(quantity) }),
    }),
    object({ persistentVolumeClaim: object({ claimName: name }) }),
  ),
  fc.constantFrom<Record<string, unknown>>({}, { emptyDir: {}, hostPath: { path: '/a' } }),
);
const volume = fc
  .tuple(object({ name, mountPath: mostly(path, fc.constantFrom('/work', '/etc/foresail/a')) }), source)
  .map(([head, from]) => ({ ...head, ...from }));
const resourceNames = mostly<string[]>(
  fc.constantFrom(['nvidia.com/gpu'], ['nvidia.com/mig-1g.5gb', 'nvidia.com/gpu.shared']),
  fc.constantFrom<string[]>([], ['amd.com/gpu']),
);
const gpu = object({
  ...placed,
  resourceNames: optional(resourceNames),
  runtimeClassName: optional(name),
});

const base = object({
  image: mostly<string | undefined>(fc.constant('trainer:1'), fc.constantFrom(undefined, '')),
  imagePullPolicy: optional(mostly(fc.constantFrom('Always', 'Never'), fc.constant('Sometimes'))),
  imagePullSecrets: optional(fc.array(object({ name }), { maxLength: 2 })),
  command: optional(mostly<string[]>(fc.constant(['train']), fc.constantFrom<string[]>([], ['']))),
  env: optional(
    fc.array(
      object({
        name: mostly(fc.constantFrom('A', 'HOME', 'X_Y', 'Z'), fc.constantFrom('PET_NNODES', 'A-B', '')),
        value: fc.constantFrom('', 'x'),
      }),
      { maxLength: 2 },
    ),
  ),
  families: optional(mostly<string[]>(fc.constant(['linear']), fc.constantFrom<string[]>([], ['A']))),
  maxNodes: optional(int(1, 128, 129)),
  maxProcsPerNode: optional(int(1, 16, 17)),
  volumes: optional(fc.array(volume, { maxLength: 2 })),
  searchScratch: optional(object({ sizeLimit: optional(quantity) })),
  security: optional(
    object({
      runAsUser: optional(int(1, 70_000)),
      runAsGroup: optional(int(1, 9)),
      fsGroup: optional(int(1, 9)),
    }),
  ),
  schedulerName: optional(name),
  priorityClassName: optional(name),
  gate: optional(object({ image: optional(fc.constant('operator:1')), resources: optional(object({})) })),
});
const where = mostly<Record<string, unknown>>(
  fc.oneof(object({ cpu: object(placed) }), object({ gpu }), object({ cpu: object(placed), gpu })),
  fc.constant({}),
);

export const runtimeSpec = fc.tuple(base, where).map(([spec, more]) => ({ ...spec, ...more }));
