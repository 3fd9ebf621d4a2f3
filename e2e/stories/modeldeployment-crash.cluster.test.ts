/**
 * The operator is killed between the write of the weights and that of the pods, in both directions: whoever comes next
 * goes on, and at no moment do the published weights point at a version without ready pods.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { type FaultProxy, type ProxiedRequest, startFaultProxy } from '../../operator/testing/fault-proxy.ts';
import { request } from '../api.ts';
import type { OperatorProcess } from '../operator.ts';
import { type ModelStage, model, modelPath, OPERATOR, SHOP, setModelStage } from './model-stage.ts';

const NAME = 'loadcast';
/** Who is killed gives nothing back: the next one waits for its end. */
const LEASE = { leaderElection: { leaseDuration: '8s', renewDeadline: '6s', retryPeriod: '500ms' } };

let stage: ModelStage;
let proxy: FaultProxy;
let kubeconfig: string;
let folder: string;
let operator: OperatorProcess;

beforeAll(async () => {
  stage = await setModelStage();
  folder = await mkdtemp(join(tmpdir(), 'foresail-crash-'));
  const config = load(await readFile(stage.cluster.kubeconfigs[OPERATOR] as string, 'utf8')) as {
    readonly clusters: { cluster: { server: string; 'insecure-skip-tls-verify'?: boolean } }[];
  };
  const [entry] = config.clusters;
  if (entry === undefined) throw new Error('the kubeconfig names no cluster');
  proxy = await startFaultProxy({ url: entry.cluster.server, ca: stage.cluster.caData });
  entry.cluster = { server: proxy.url, 'insecure-skip-tls-verify': true };
  kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, JSON.stringify(config), { mode: 0o600 });
  operator = await stage.operator(kubeconfig, {}, LEASE);
  await stage.create(NAME, { rollout: { steps: [{ setWeight: 50 }, { pause: {} }] } });
  await stage.trafficBecomes(NAME, '1:100');
}, 600_000);

afterAll(async () => {
  operator?.signal('SIGKILL');
  await proxy?.[Symbol.asyncDispose]();
  await stage?.cluster.stop();
  await rm(folder, { recursive: true, force: true });
});

/**
 * Kills the operator at the first write that `is` matches, and starts the next one. `after`: the server has the write;
 * `before`: it never gets it. Nothing else of the dying process reaches the server either.
 */
async function killAt(
  when: 'before' | 'after',
  is: (seen: ProxiedRequest) => boolean,
  meanwhile: () => Promise<unknown>,
): Promise<void> {
  let met = false;
  const dying = operator;
  proxy.rule = (seen) => {
    if (met) return seen.method === 'GET' ? undefined : { kind: 'swallow' };
    if (seen.method === 'GET' || !is(seen)) return undefined;
    met = true;
    if (when === 'before') {
      dying.signal('SIGKILL');
      return { kind: 'swallow' };
    }
    return {
      kind: 'stream',
      chunk() {
        // The server has answered, so it has the write; nobody learns of the answer.
        dying.signal('SIGKILL');
        return 'silence';
      },
    };
  };
  await meanwhile();
  await dying.exited;
  expect(met).toBe(true);
  proxy.rule = () => undefined;
  operator = await stage.operator(kubeconfig, {}, LEASE);
}

const isStatus = ({ path }: ProxiedRequest) => path.endsWith(`/modeldeployments/${NAME}/status`);
const publishes = (weights: RegExp) => (seen: ProxiedRequest) => isStatus(seen) && weights.test(seen.body);

/** Looks, as fast as it can, whether published weights point at pods; what changed while looking says nothing. */
function watchWeights(): { stop(): Promise<readonly string[]> } {
  const unsafe: string[] = [];
  const end = new AbortController();
  const running = (async () => {
    while (!end.signal.aborted) {
      const read = () =>
        request<{ metadata: { resourceVersion: string }; status?: { traffic?: Share[] } }>(
          stage.cluster,
          'GET',
          modelPath(NAME),
        );
      const before = await read();
      const deployments = await request<{ items: Seen[] }>(
        stage.cluster,
        'GET',
        `/apis/apps/v1/namespaces/${SHOP}/deployments`,
      );
      const after = await read();
      if (before.metadata.resourceVersion !== after.metadata.resourceVersion) continue;
      for (const { version, weight } of before.status?.traffic ?? []) {
        const found = deployments.items.find(({ metadata }) => metadata.name === `${NAME}-v${version}`);
        if (weight > 0 && (found?.status?.readyReplicas ?? 0) === 0)
          unsafe.push(`version ${version}: ${weight} %`);
      }
      await sleep(20);
    }
  })();
  return {
    async stop() {
      end.abort();
      await running;
      return unsafe;
    },
  };
}

interface Share {
  readonly version: number;
  readonly weight: number;
}

interface Seen {
  readonly metadata: { readonly name: string };
  readonly status?: { readonly readyReplicas?: number };
}

test('killed as it publishes a weight, as it takes one back, and as it takes pods away', async () => {
  const watch = watchWeights();
  await killAt('after', publishes(/"weight":50/), () => stage.change(NAME, { model: model('b') }));
  await stage.trafficBecomes(NAME, '1:50 2:50');
  await killAt('after', publishes(/"weight":100/), () =>
    stage.change(NAME, { rollout: { abort: { version: 2 } } }),
  );
  expect(await stage.traffic(NAME)).toBe('1:100');
  await stage.orderedBecomes(NAME, '1x2');

  await killAt('before', publishes(/"weight":50/), () => stage.change(NAME, { model: model('c') }));
  await stage.trafficBecomes(NAME, '1:50 3:50');
  await killAt(
    'before',
    ({ method, path }) => method === 'DELETE' && path.endsWith(`/deployments/${NAME}-v3`),
    () => stage.change(NAME, { rollout: { abort: { version: 3 } } }),
  );
  await stage.orderedBecomes(NAME, '1x2');
  const status = await stage.becomes(NAME, 'is at rest', ({ kept }) => kept?.length === 0);
  expect(status.history?.map(({ version, outcome }) => `${version} ${outcome}`)).toEqual([
    '1 Serving',
    '2 Aborted',
    '3 Aborted',
  ]);
  expect(await watch.stop()).toEqual([]);
}, 300_000);
