/** A write that the network holds back and lets go of later, when the world has moved on: it must not count any more. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { type FaultProxy, startFaultProxy } from '../../operator/testing/fault-proxy.ts';
import { code } from '../../operator/testing/server-side.ts';
import { eventually } from '../eventually.ts';
import { OPERATOR, type Stage, setStage, targetWrites } from './stage.ts';

let stage: Stage;
let proxy: FaultProxy;

beforeAll(async () => {
  stage = await setStage();
  const { caData, kubeconfigs } = stage.cluster;
  const config = load(await readFile(kubeconfigs[OPERATOR] as string, 'utf8')) as {
    readonly clusters: { cluster: { server: string; 'insecure-skip-tls-verify'?: boolean } }[];
  };
  const [entry] = config.clusters;
  if (entry === undefined) throw new Error('the kubeconfig names no cluster');
  proxy = await startFaultProxy({ url: entry.cluster.server, ca: caData });
  entry.cluster = { server: proxy.url, 'insecure-skip-tls-verify': true };
  const path = join(stage.folder, 'through-proxy');
  await writeFile(path, JSON.stringify(config));
  (kubeconfigs as Record<string, string>)[OPERATOR] = path;
}, 600_000);

afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await stage?.close();
});

test('held for longer than anybody waits, then let go: refused by its version, the newer number stays', async () => {
  stage.load.set('web', 140);
  await stage.deploy('web', { replicas: 3 });
  const record = stage.record('web');
  const operator = await stage.operator({ api: { timeout: '2s' } });
  await stage.scale('web');
  await stage.conditionBecomes('web', 'Ready', { status: 'True' });
  const audit = await stage.audit();

  const letGo = Promise.withResolvers<void>();
  let held = 0;
  proxy.rule = ({ method, path }) => {
    if (method !== 'PATCH' || !path.endsWith('/deployments/web/scale') || held > 0) return undefined;
    held += 1;
    // The operator gives the write up after its time-out, looks again and writes what the load asks for by then.
    stage.load.set('web', 240);
    return { kind: 'hold', until: letGo.promise };
  };
  stage.load.set('web', 190);
  await eventually('the write is held', async () => held === 1);
  await stage.replicasBecome('web', 5);
  letGo.resolve();

  const late = await eventually('the held write has reached the server', async () => {
    const writes = targetWrites(await audit.read(), 'web');
    return writes.length > 1 && writes;
  });
  expect(late.map(code).sort((a, b) => a - b)).toEqual([200, 409]);
  await stage.looks(operator, 'web', 3);
  expect(await stage.replicas('web')).toBe(5);
  expect(record.seen).toEqual([3, 5]);
}, 120_000);
