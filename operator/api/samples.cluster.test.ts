/** What stands in config/samples is what a person applies first: it must work as it stands. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { request } from '../../e2e/api.ts';
import { kubectl } from '../../e2e/kubectl.ts';
import { makeNamespace, type Namespace, sharedCluster } from '../../e2e/shared-cluster.ts';
import { clusterTrainingRuntimeSubject } from './clustertrainingruntime/testing/subject.ts';
import { modelDeploymentSubject } from './modeldeployment/testing/subject.ts';
import { predictiveScalerSubject } from './testing/predictivescaler.ts';
import { installCrd, resourcePath } from './testing/server.ts';
import { trainingJobSubject } from './trainingjob/testing/subject.ts';

const SAMPLES = fileURLToPath(new URL('../../config/samples/', import.meta.url));
const files = readdirSync(SAMPLES).filter((file) => file.endsWith('.yaml'));
const subjects = [
  predictiveScalerSubject,
  modelDeploymentSubject,
  trainingJobSubject,
  clusterTrainingRuntimeSubject,
];

const cluster = sharedCluster();
let namespace: Namespace;

beforeAll(async () => {
  await installCrd(cluster);
  namespace = await makeNamespace('samples');
}, 60_000);
afterAll(() => namespace.delete());

test.each(files)(
  '%s applies under strict validation, is read back whole, and applies again unchanged',
  async (file) => {
    const apply = () =>
      kubectl(cluster, ['apply', '--validate=strict', '-n', namespace.name, '-f', `${SAMPLES}${file}`]);
    const name = file.replace('.yaml', '');
    const { kind } = load(readFileSync(`${SAMPLES}${file}`, 'utf8')) as { kind: string };
    const subject = subjects.find(({ definition }) => definition.names.kind === kind);
    if (subject === undefined) throw new Error(`${kind} is none of our kinds`);
    expect(await apply()).toContain(`${name} created`);
    const { names, scope } = subject.definition;
    const path = resourcePath(scope === 'Cluster' ? undefined : namespace.name, name, names);
    const stored = await request<{ spec: unknown }>(cluster, 'GET', path);
    expect(subject.parse(stored).spec).toEqual(stored.spec);
    expect(await apply()).toContain(`${name} unchanged`);
    if (scope === 'Cluster') await request(cluster, 'DELETE', path); // no namespace takes it away
  },
);

test('every kind has a sample', () => {
  const kinds = files.map(
    (file) => (load(readFileSync(`${SAMPLES}${file}`, 'utf8')) as { kind: string }).kind,
  );
  for (const { definition } of subjects) expect(kinds).toContain(definition.names.kind);
});
