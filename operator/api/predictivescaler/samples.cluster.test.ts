/** What stands in config/samples is what a person applies first: it must work as it stands. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from '../../../e2e/api.ts';
import { kubectl } from '../../../e2e/kubectl.ts';
import { makeNamespace, type Namespace, sharedCluster } from '../../../e2e/shared-cluster.ts';
import { installCrd, resourcePath } from '../testing/server.ts';
import { parsePredictiveScaler } from './kind.ts';

const SAMPLES = fileURLToPath(new URL('../../../config/samples/', import.meta.url));
const files = readdirSync(SAMPLES).filter((file) => file.endsWith('.yaml'));

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
    expect(await apply()).toContain(`${name} created`);
    const stored = await request<{ spec: unknown }>(cluster, 'GET', resourcePath(namespace.name, name));
    expect(parsePredictiveScaler(stored).spec).toEqual(stored.spec);
    expect(await apply()).toContain(`${name} unchanged`);
  },
);
