/**
 * The chart installed by the real helm, and the operator as a process from the image's files, with the token of the
 * installed service account and the installed configuration: as near to the pod as one gets without an engine.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dump, load } from 'js-yaml';
import { request } from '../api.ts';
import type { ClusterFacts } from '../cluster.ts';
import { type OperatorProcess, startOperator } from '../operator.ts';
import { CHART, makeHelm, NAMESPACE, RELEASE } from './helm.ts';
import { layOutImage } from './image.ts';
import type { PolicyRule } from './rights.ts';

/** Its name in the audit log. */
export const ACCOUNT = `system:serviceaccount:${NAMESPACE}:${RELEASE}`;

/** Configuration that lets a test see several decisions in seconds. */
export const QUICK = {
  syncPeriod: '1s',
  hpa: { downscaleStabilization: '1s', cpuInitializationPeriod: '0s', initialReadinessDelay: '0s' },
};

export async function installChart(cluster: ClusterFacts, values: object): Promise<void> {
  await using helm = await makeHelm(cluster.kubeconfigPath);
  await helm.run(['install', RELEASE, CHART, '--namespace', NAMESPACE, '--create-namespace'], {
    // No pods of its own: the process is the operator.
    replicas: 0,
    podDisruptionBudget: { enabled: false },
    ...values,
  });
}

/** What was given before and is not named stays. */
export async function upgradeChart(cluster: ClusterFacts, values: object): Promise<void> {
  await using helm = await makeHelm(cluster.kubeconfigPath);
  await helm.run(['upgrade', RELEASE, CHART, '--namespace', NAMESPACE, '--reuse-values'], values);
}

/** `folder` gets the kubeconfig, the history, and the contents of the image, from which the process is started. */
export async function startConfinedOperator(cluster: ClusterFacts, folder: string): Promise<OperatorProcess> {
  const root = join(folder, 'image');
  if (!existsSync(root)) layOutImage(root);
  return startOperator(cluster, {
    root,
    namespace: NAMESPACE,
    kubeconfigPath: await kubeconfigOf(cluster, folder),
    config: {
      ...(await installedConfig(cluster)),
      // What differs from a pod: nobody gives this process a port and a volume of its own.
      http: { address: '127.0.0.1:0' },
      history: { directory: join(folder, 'history') },
    },
  });
}

/** A token of a service account in the release's namespace. */
export async function tokenFor(cluster: ClusterFacts, account: string): Promise<string> {
  const { status } = await request<{ status: { token: string } }>(
    cluster,
    'POST',
    `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${account}/token`,
    { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } },
  );
  return status.token;
}

/** The rules of every role that is bound to the account, as the server holds them. */
export async function installedRules(
  cluster: ClusterFacts,
  account = RELEASE,
): Promise<readonly PolicyRule[]> {
  const list = async (kind: string) =>
    (await request<{ items: Role[] }>(cluster, 'GET', `/apis/rbac.authorization.k8s.io/v1/${kind}`)).items;
  const bindings = [...(await list('clusterrolebindings')), ...(await list('rolebindings'))];
  const roles = [...(await list('clusterroles')), ...(await list('roles'))];
  const isMeant = ({ kind, name, namespace }: Subject) =>
    kind === 'ServiceAccount' && name === account && namespace === NAMESPACE;
  return bindings
    .filter(({ subjects }) => subjects?.some(isMeant))
    .flatMap(({ roleRef }) => roles.find(({ metadata }) => metadata.name === roleRef?.name)?.rules ?? []);
}

interface Role {
  readonly metadata: { readonly name: string };
  readonly rules?: readonly PolicyRule[];
  readonly roleRef?: { readonly name: string };
  readonly subjects?: readonly Subject[];
}

interface Subject {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

export async function kubeconfigOf(
  cluster: ClusterFacts,
  folder: string,
  account = RELEASE,
): Promise<string> {
  const path = join(folder, `kubeconfig-${account}`);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: cluster.url, 'certificate-authority': cluster.caFile } }],
    users: [{ name: 'u', user: { token: await tokenFor(cluster, account) } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: NAMESPACE } }],
    'current-context': 'x',
  };
  await writeFile(path, dump(config), { mode: 0o600 });
  return path;
}

async function installedConfig(cluster: ClusterFacts): Promise<Record<string, unknown>> {
  const path = `/api/v1/namespaces/${NAMESPACE}/configmaps/${RELEASE}`;
  const { data } = await request<{ data: { 'config.yaml': string } }>(cluster, 'GET', path);
  return load(data['config.yaml']) as Record<string, unknown>;
}
