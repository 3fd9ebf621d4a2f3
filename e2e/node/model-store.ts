/** A store of model files that a story can fill, change and switch off: a real HTTPS server behind a Service. */
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClusterFacts, nodeOf } from '../cluster.ts';
import { spawnInside } from './inside.ts';
import { apply } from './stage.ts';

/** Names of the cluster's serving certificate are in this namespace. */
const NAMESPACE = 'foresail-e2e';
const NAME = 'models';
/** In the node's own network, where nobody else has it. */
const PORT = 18_443;

export interface StoredModel {
  readonly storageUri: string;
  readonly sha256: string;
}

export interface ModelStore extends AsyncDisposable {
  /** Whoever asks from now on gets these bytes under this name. */
  put(file: string, content: Uint8Array): Promise<StoredModel>;
  start(): Promise<void>;
  /** Connections are refused from now on. */
  stop(): Promise<void>;
}

export async function openModelStore(cluster: ClusterFacts): Promise<ModelStore> {
  const folder = await mkdtemp(join(tmpdir(), 'foresail-store-'));
  const { address } = nodeOf(cluster);
  await apply(cluster, ...behindService(address));
  let child: ChildProcess | undefined;
  const store: ModelStore = {
    async put(file, content) {
      await writeFile(join(folder, file), content);
      const sha256 = createHash('sha256').update(content).digest('hex');
      return { storageUri: `https://${NAME}.${NAMESPACE}.svc/${file}`, sha256 };
    },
    async start() {
      if (child !== undefined) return;
      const { cert, key } = cluster.serving;
      const script = join(import.meta.dirname, 'store-server.ts');
      const node = [process.execPath, '--disable-warning=ExperimentalWarning'] as const;
      child = spawnInside(cluster, [...node, script, folder, cert, key, address, String(PORT)]);
      child.stderr?.pipe(process.stderr);
      const ended = once(child, 'close').then(() => Promise.reject(new Error('the store has ended')));
      ended.catch(() => undefined);
      if (child.stdout) await Promise.race([once(child.stdout, 'data'), ended]);
    },
    async stop() {
      if (child === undefined) return;
      const closed = once(child, 'close');
      child.stdin?.end();
      child = undefined;
      await closed;
    },
    async [Symbol.asyncDispose]() {
      await store.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await store.start();
  return store;
}

function behindService(address: string): readonly object[] {
  const metadata = { namespace: NAMESPACE, name: NAME };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { ports: [{ name: 'https', port: 443, targetPort: PORT }] },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': NAME } },
      addressType: 'IPv4',
      ports: [{ name: 'https', port: PORT, protocol: 'TCP' }],
      endpoints: [{ addresses: [address], conditions: { ready: true } }],
    },
  ];
}
