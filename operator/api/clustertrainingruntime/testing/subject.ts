/** ClusterTrainingRuntime as the suites of all kinds want it, with what breaks its rules. */
import { CLUSTER_TRAINING_RUNTIME_KIND } from '../../generate/kinds.ts';
import { withValue } from '../../testing/paths.ts';
import type { BadInput, Subject } from '../../testing/subject.ts';
import { parseClusterTrainingRuntime } from '../kind.ts';
import { EDGES, FULL, MINIMAL, runtime } from './full-object.ts';

export const clusterTrainingRuntimeSubject: Subject = {
  definition: CLUSTER_TRAINING_RUNTIME_KIND,
  parse: parseClusterTrainingRuntime,
  object: (spec, name) => runtime(spec, name),
  minimal: MINIMAL,
  full: FULL,
  edges: EDGES,
  brokenRules,
};

function brokenRules(): BadInput[] {
  const change = (name: string, field: string, ...changes: [path: string, value: unknown][]): BadInput => ({
    name,
    field,
    object: changes.reduce((object, [path, value]) => withValue(object, path, value), runtime(FULL[0] ?? {})),
  });
  const one = (field: string, value: string | number) => change(`${field} ${value}`, field, [field, value]);
  return [
    change('nowhere to train', 'spec', ['spec.cpu', undefined], ['spec.gpu', undefined]),
    change('a volume from nowhere', 'spec.volumes[0]', ['spec.volumes[0].hostPath', undefined]),
    change('a volume from two places', 'spec.volumes[0]', ['spec.volumes[0].emptyDir', {}]),
    change('two volumes of one name', 'spec.volumes[1]', ['spec.volumes[1].name', 'python']),
    ...['/work', '/work/a', '/tmp', '/etc/foresail', '/var/run/foresail/token', 'work', '/a:b'].map((path) =>
      one('spec.volumes[0].mountPath', path),
    ),
    one('spec.volumes[0].hostPath.path', 'opt'),
    ...['.', '..', 'a/b'].flatMap((name) =>
      [
        'spec.volumes[2].persistentVolumeClaim.claimName',
        'spec.imagePullSecrets[0].name',
        'spec.gpu.runtimeClassName',
        'spec.schedulerName',
        'spec.priorityClassName',
      ].map((path) => one(path, name)),
    ),
    ...['FORESAIL_TOKEN_FILE', 'PET_NNODES', '1A', 'A-B'].map((name) => one('spec.env[0].name', name)),
    change('two variables of one name', 'spec.env[1]', [
      'spec.env',
      [1, 2].map((value) => ({ name: 'A', value: String(value) })),
    ]),
    change('one Secret twice', 'spec.imagePullSecrets[1]', [
      'spec.imagePullSecrets',
      [{ name: 'registry' }, { name: 'registry' }],
    ]),
    one('spec.gpu.resourceNames[0]', 'amd.com/gpu'),
    one('spec.security.runAsUser', 0),
    ...(['cpu', 'gpu'] as const).flatMap((place) => [
      change(`Equal without a key, ${place}`, `spec.${place}.tolerations[0].key`, [
        `spec.${place}.tolerations[0].key`,
        undefined,
      ]),
      change(`Exists with a value, ${place}`, `spec.${place}.tolerations[0].value`, [
        `spec.${place}.tolerations[0].operator`,
        'Exists',
      ]),
    ]),
  ];
}
