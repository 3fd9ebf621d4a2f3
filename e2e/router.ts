/** Starts the real router as a process against a cluster, and gives it versions whose pods are servers of the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { MODEL_DEPLOYMENT } from '../operator/api/modeldeployment/kind.ts';
import { LABELS } from '../operator/api/modeldeployment/labels.ts';
import { resourcePath } from '../operator/api/testing/server.ts';
import { request } from './api.ts';
import type { ClusterFacts } from './cluster.ts';

const ROOT = join(import.meta.dirname, '..');
const ENDS_WITH_US = ['--import', join(import.meta.dirname, 'end-with-parent.ts')];

export interface RouterProcess {
  readonly url: string;
  /** Of its probes and metrics. */
  readonly admin: string;
  /** As Ctrl-C: nothing has to notice that it goes. */
  stop(): Promise<void>;
}

/** Resolves when it knows its routes. `root` is where operator/cli/main.ts is found. */
export async function startRouter(
  kubeconfigPath: string,
  args: readonly string[] = [],
  root = ROOT,
): Promise<RouterProcess> {
  const fixed = [
    '--kubeconfig',
    kubeconfigPath,
    '--host',
    '127.0.0.1',
    '--port',
    '0',
    '--grpc-port',
    '0',
    '--admin-port',
    '0',
  ];
  const child = spawn(
    process.execPath,
    [...ENDS_WITH_US, join(root, 'operator/cli/main.ts'), 'router', ...fixed, ...args],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  const { url, admin } = await said<{ url: string; admin: string }>(child, '"routing"');
  return {
    url,
    admin,
    async stop() {
      if (child.exitCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGINT');
      await ended;
    },
  };
}

function said<T>(child: ChildProcess, what: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      if (stream !== null)
        createInterface({ input: stream }).on('line', (line) => {
          lines.push(line);
          if (line.includes(what)) resolve(JSON.parse(line) as T);
        });
    child.once('exit', () => reject(new Error(`the router ended: ${lines.join('\n')}`)));
  });
}

/** A ModelDeployment without an operator: who else would write its slices and its status is not running. */
export class RoutedModel implements AsyncDisposable {
  readonly #cluster: ClusterFacts;
  readonly #namespace: string;
  readonly #name: string;
  readonly #pods: Server[] = [];
  readonly #address: string;

  constructor(cluster: ClusterFacts, namespace: string, name: string) {
    this.#cluster = cluster;
    this.#namespace = namespace;
    this.#name = name;
    // A slice takes no loopback.
    const own = Object.values(networkInterfaces()).flat();
    const address = own.find((each) => each?.family === 'IPv4' && !each.internal)?.address;
    if (address === undefined) throw new Error('this test needs an IPv4 address other than loopback');
    this.#address = address;
  }

  async create(): Promise<void> {
    await request(this.#cluster, 'POST', resourcePath(this.#namespace, '', MODEL_DEPLOYMENT), {
      apiVersion: 'foresail.io/v1alpha1',
      kind: 'ModelDeployment',
      metadata: { name: this.#name },
      spec: { model: { storageUri: 'https://models.example.com/1.onnx', sha256: 'a'.repeat(64) } },
    });
  }

  async delete(): Promise<void> {
    await request(this.#cluster, 'DELETE', resourcePath(this.#namespace, this.#name, MODEL_DEPLOYMENT));
  }

  /** A version's pod, which answers with the number of its version and the path that it was asked for. */
  async pod(version: number): Promise<number> {
    const server = createServer((incoming, response) => {
      incoming.resume();
      incoming.once('end', () => response.end(`${version} ${incoming.url}`));
    });
    this.#pods.push(server);
    await new Promise<void>((resolve) => {
      server.listen(0, this.#address, resolve);
    });
    return (server.address() as AddressInfo).port;
  }

  async slice(version: number, port: number, ready: boolean): Promise<void> {
    const name = `${this.#name}-v${version}-${port}`;
    const path = `/apis/discovery.k8s.io/v1/namespaces/${this.#namespace}/endpointslices/${name}`;
    const body = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name,
        labels: {
          'kubernetes.io/service-name': `${this.#name}-v${version}`,
          [LABELS.deployment]: this.#name,
          [LABELS.version]: String(version),
        },
      },
      addressType: 'IPv4',
      ports: [{ name: 'http', port }],
      endpoints: [{ addresses: [this.#address], conditions: { ready } }],
    };
    await request(this.#cluster, 'PATCH', `${path}?fieldManager=test&force=true`, body, {
      contentType: 'application/apply-patch+yaml',
    });
  }

  async traffic(...weights: readonly [version: number, weight: number][]): Promise<void> {
    const path = `${resourcePath(this.#namespace, this.#name, MODEL_DEPLOYMENT)}/status`;
    await request(this.#cluster, 'PATCH', path, {
      status: { traffic: weights.map(([version, weight]) => ({ version, weight })) },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#pods) {
      server.closeAllConnections();
      server.close();
    }
  }
}
