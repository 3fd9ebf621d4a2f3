/** ModelDeployment as the suites of all kinds want it, with what breaks its rules. */
import { MODEL_DEPLOYMENT_KIND } from '../../generate/kinds.ts';
import { withValue } from '../../testing/paths.ts';
import type { BadInput, Subject } from '../../testing/subject.ts';
import { parseModelDeployment } from '../kind.ts';
import { EDGES, FULL, MINIMAL, modelDeployment } from './full-object.ts';

export const modelDeploymentSubject: Subject = {
  definition: MODEL_DEPLOYMENT_KIND,
  parse: parseModelDeployment,
  object: modelDeployment,
  minimal: MINIMAL,
  full: FULL,
  edges: EDGES,
  brokenRules,
};

function brokenRules(): BadInput[] {
  const change = (name: string, field: string, ...changes: [path: string, value: unknown][]): BadInput => ({
    name,
    field,
    object: changes.reduce(
      (object, [path, value]) => withValue(object, path, value),
      modelDeployment(FULL[0] ?? {}),
    ),
  });
  const uri = (storageUri: string) =>
    change(`storageUri ${storageUri}`, 'spec.model.storageUri', ['spec.model.storageUri', storageUri]);
  const steps = (name: string, field: string, ...value: unknown[]) =>
    change(name, field, ['spec.rollout.steps', value]);
  const from = { registry: 'loadcast', alias: 'candidate' };
  const prometheus = { serverRef: { name: 'default' }, query: 'up' };
  return [
    ...[
      'ftp://a/b',
      'http://a/b',
      '/a/b',
      's3:/a/b',
      's3://user:pass@a/b',
      'https://a/b?token=x',
      's3://a/b#c',
      's3://a/b c',
      'S3://a/b',
    ].map(uri),
    change('no source', 'spec.model', ['spec.model', {}]),
    change('two sources', 'spec.model', ['spec.model.from', from]),
    change('no digest', 'spec.model.sha256', ['spec.model.sha256', undefined]),
    change(
      'a digest beside an alias',
      'spec.model.sha256',
      ['spec.model.from', from],
      ['spec.model.storageUri', undefined],
    ),
    change('a digest in capitals', 'spec.model.sha256', ['spec.model.sha256', 'AB'.repeat(32)]),
    change('credentials twice', 'spec.serviceAccountName', ['spec.serviceAccountName', 'reader']),
    ...['.', '..', '../a'].map((name) =>
      change(`${name} as a Secret`, 'spec.credentialsSecretRef.name', [
        'spec.credentialsSecretRef.name',
        name,
      ]),
    ),
    ...['.', '..'].flatMap((name) => [
      change(`${name} as a route`, 'spec.route.gateway.httpRouteName', [
        'spec.route.gateway.httpRouteName',
        name,
      ]),
      change(`${name} as a server`, 'spec.rollout.judge.guards[1].prometheus.serverRef.name', [
        'spec.rollout.judge.guards[1].prometheus.serverRef.name',
        name,
      ]),
      change(`${name} as a service account`, 'spec.serviceAccountName', ['spec.serviceAccountName', name]),
    ]),
    change('a GPU for the CPU', 'spec.server.gpu', ['spec.server.accelerator', 'cpu']),
    change('a resource of another vendor', 'spec.server.gpu.resource', [
      'spec.server.gpu.resource',
      'amd.com/gpu',
    ]),
    change('Equal without a key', 'spec.server.gpu.tolerations[0].key', [
      'spec.server.gpu.tolerations[0].key',
      undefined,
    ]),
    change('Exists with a value', 'spec.server.gpu.tolerations[1].value', [
      'spec.server.gpu.tolerations[1].value',
      'x',
    ]),
    steps('an empty step', 'spec.rollout.steps[0]', {}),
    steps('a step of two kinds', 'spec.rollout.steps[0]', { shadow: {}, analysis: {} }),
    steps('a weight that falls', 'spec.rollout.steps', { setWeight: 50 }, { pause: {} }, { setWeight: 10 }),
    change('a guard without its query', 'spec.rollout.judge.guards[0].prometheus', [
      'spec.rollout.judge.guards[0].type',
      'Prometheus',
    ]),
    change('a query of another guard', 'spec.rollout.judge.guards[0].prometheus', [
      'spec.rollout.judge.guards[0].prometheus',
      { ...prometheus, max: 1 },
    ]),
    change('a query without a limit', 'spec.rollout.judge.guards[1].prometheus', [
      'spec.rollout.judge.guards[1].prometheus',
      prometheus,
    ]),
    ...[
      ['interval', '1s'],
      ['count', 0],
      ['failureLimit', -1],
      ['max', '-1'],
    ].map(([field, value]) =>
      change(`${field} ${value} of a query`, `spec.rollout.judge.guards[1].prometheus.${field}`, [
        `spec.rollout.judge.guards[1].prometheus.${field}`,
        value,
      ]),
    ),
    ...['0.00001', '.02', '1', '-0.02', '2%'].map((margin) =>
      change(`margin ${margin}`, 'spec.rollout.judge.margin', ['spec.rollout.judge.margin', margin]),
    ),
    change('no way to a variant', 'spec.abTest', ['spec.abTest.header', undefined]),
    change('two ways to a variant', 'spec.abTest', ['spec.abTest.stickyHeader', 'X-User']),
    change('nothing left to stable', 'spec.abTest.variants', [
      'spec.abTest.variants',
      ['b', 'c'].map((name) => ({ ...MINIMAL.model, name, weight: 50 })),
    ]),
    change('a variant that is called stable', 'spec.abTest.variants', [
      'spec.abTest.variants',
      [{ ...MINIMAL.model, name: 'stable', weight: 5 }],
    ]),
    change('two variants of one name', 'spec.abTest.variants[1]', [
      'spec.abTest.variants',
      [1, 2].map((weight) => ({ ...MINIMAL.model, name: 'b', weight })),
    ]),
    ...['A', '1a', 'a.b', '-a', 'a'.repeat(51)].map((name) => ({
      name: `the name ${name}`,
      field: 'metadata.name',
      object: modelDeployment(MINIMAL, name),
    })),
  ];
}
