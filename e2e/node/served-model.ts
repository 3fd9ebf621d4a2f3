/** A ModelDeployment with real pods under constant traffic through the router: what every story of a rollout begins with. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { addModel } from '../../operator/server/core/testing/models.ts';
import { request } from '../api.ts';
import { NAMESPACE } from '../chart/helm.ts';
import type { ClusterFacts } from '../cluster.ts';
import { eventually } from '../eventually.ts';
import { kubectl } from '../kubectl.ts';
import { ModelStage, modelPath, SHOP } from '../stories/model-stage.ts';
import { type Container, containersOf } from './containers.ts';
import { installOperator } from './installed-operator.ts';
import { type LoadGenerator, startLoad, totalOf } from './load-generator.ts';
import { type ModelStore, openModelStore } from './model-store.ts';
import { apply, type NodeStage } from './stage.ts';

const RATE = 20;
const MOST_SECONDS = 600;
/** Name of the Secret with which the shop's models are fetched. */
export const CREDENTIALS = 'store';
/** Of the sample model: y = x + offset. */
const BODY = { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }] };
const CALL = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: ['1', '4'], contents: { fp32_contents: [1, 2, 3, 4] } }],
};

/** Another offset is another file. */
export const modelFile = (offset: number): Uint8Array => addModel(offset);

export class ServedModel implements AsyncDisposable {
  readonly name: string;
  readonly stage: ModelStage;
  readonly store: ModelStore;
  readonly cluster: ClusterFacts;
  readonly #signal: AbortSignal;
  #load: LoadGenerator | undefined;

  constructor(name: string, cluster: NodeStage['cluster'], store: ModelStore, signal: AbortSignal) {
    this.name = name;
    this.stage = new ModelStage(cluster);
    this.cluster = cluster;
    this.store = store;
    this.#signal = signal;
  }

  /** @param urlOf where its callers ask, once it serves; default: the router */
  async begin(spec: object, urlOf = () => this.#routerUrl()): Promise<void> {
    const { name, store, stage } = this;
    await stage.create(name, {
      model: await store.put(`${name}-1.onnx`, modelFile(1)),
      credentialsSecretRef: { name: CREDENTIALS },
      ...spec,
    });
    await this.trafficBecomes('1:100');
    await stage.becomes(
      name,
      'all pods are ready',
      ({ stable }) => (stable?.readyReplicas ?? 0) >= 2,
      120_000,
    );
    const url = await urlOf();
    const body = url.startsWith('grpc:') ? { model_name: name, ...CALL } : BODY;
    this.#load = startLoad(this.cluster, url, MOST_SECONDS, body);
    this.#load.rate(RATE);
  }

  /** A new file of its own under the next name. */
  async ask(number: number, content: Uint8Array = modelFile(number)): Promise<void> {
    await this.change({ model: await this.store.put(`${this.name}-${number}.onnx`, content) });
  }

  async change(spec: object): Promise<void> {
    await this.stage.change(this.name, spec);
  }

  async trafficBecomes(wanted: string, limitMs = 120_000): Promise<void> {
    await this.stage.trafficBecomes(this.name, wanted, limitMs);
    this.#signal.throwIfAborted();
  }

  /** Answers by version in so many seconds, beginning a moment from now: what is under way does not count. */
  async observe(seconds: number): Promise<Readonly<Record<string, number>>> {
    const { seconds: all } = this.#running();
    await sleep(3_000, undefined, { signal: this.#signal });
    const from = all.length;
    await sleep(seconds * 1_000, undefined, { signal: this.#signal });
    return totalOf(all.slice(from), Number.POSITIVE_INFINITY).versions;
  }

  /** Answers by version since the traffic began. */
  answered(): Readonly<Record<string, number>> {
    return totalOf(this.#running().seconds, Number.POSITIVE_INFINITY).versions;
  }

  /** Ends the traffic. Not one request of it may have failed. */
  async nothingFailed(): Promise<string> {
    const load = this.#running();
    load.rate(0);
    await sleep(2_000, undefined, { signal: this.#signal });
    await load.stop();
    const { sent, failed } = totalOf(load.seconds, Number.POSITIVE_INFINITY);
    assert.ok(sent > RATE, `${sent} requests`);
    const when = load.seconds.flatMap(({ errors }, second) =>
      Object.entries(errors).map(([error, count]) => `${second} s: ${count} ${error}`),
    );
    assert.equal(failed, 0, `${failed} of ${sent} requests failed; ${when.join(', ')}`);
    return `${sent} requests, none failed`;
  }

  /** The running containers of that name in the pods of a version. */
  containers(version: number, container: string): Promise<readonly Container[]> {
    const selector = `foresail.io/model-deployment=${this.name},foresail.io/model-version=${version}`;
    return containersOf(this.cluster, SHOP, selector, container);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load?.stop();
    await request(this.cluster, 'DELETE', modelPath(this.name)).catch(() => undefined);
    await this.store[Symbol.asyncDispose]();
    const gone = async () => (await this.stage.ordered(this.name)) === '';
    await eventually('the version’s pods go', gone, 60_000).catch(() => undefined);
  }

  async #routerUrl(): Promise<string> {
    const { name } = this;
    return `http://${await routerAddress(this.cluster)}:8080/namespaces/${SHOP}/modeldeployments/${name}/v2/models/${name}/infer`;
  }

  #running(): LoadGenerator {
    if (this.#load === undefined) throw new Error('there is no traffic yet');
    return this.#load;
  }
}

export async function routerAddress(cluster: ClusterFacts): Promise<string> {
  const path = `/api/v1/namespaces/${NAMESPACE}/services/foresail-router`;
  return (await request<{ spec: { clusterIP: string } }>(cluster, 'GET', path)).spec.clusterIP;
}

/** The operator installed, a store filled, version 1 serving on two pods, and traffic on its way. */
export async function serveModel(
  stage: NodeStage,
  name: string,
  spec: object,
  signal: AbortSignal,
  urlOf?: () => Promise<string>,
): Promise<ServedModel> {
  await installOperator(stage);
  const { cluster } = stage;
  const model = new ServedModel(name, cluster, await openShop(cluster), signal);
  try {
    await model.begin(spec, urlOf);
    return model;
  } catch (error) {
    await model[Symbol.asyncDispose]();
    throw error;
  }
}

/** It takes restricted pods alone. */
export const SHOP_NAMESPACE = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: SHOP, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
};

/** The shop's namespace, and a store of model files whose certificate its pods know. */
export async function openShop(cluster: NodeStage['cluster']): Promise<ModelStore> {
  const secret = { 'ca.crt': cluster.caData };
  await apply(cluster, SHOP_NAMESPACE, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: SHOP, name: CREDENTIALS },
    stringData: secret,
  });
  return openModelStore(cluster);
}

/** `kubectl rollout restart` and the wait for its end. */
export async function rolled(cluster: ClusterFacts, namespace: string, deployment: string): Promise<void> {
  const status = [
    'rollout',
    'status',
    `deployment/${deployment}`,
    '--namespace',
    namespace,
    '--timeout=180s',
  ];
  await kubectl(cluster, status);
}
