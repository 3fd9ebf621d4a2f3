/**
 * The stage of the ModelDeployment stories: a real control plane with fake nodes, the real operator as a process, a
 * namespace that takes restricted pods alone, and `foresail rollout` as a person types it.
 */
import type { ModelDeployment, ModelDeploymentStatus } from '../../operator/api/index.ts';
import { tailAuditLog } from '../../operator/testing/server-side.ts';
import { labelled, request, StatusError } from '../api.ts';
import { type Cluster, startCluster } from '../cluster.ts';
import { becomes } from '../eventually.ts';
import { foresail } from '../foresail.ts';
import { type OperatorProcess, prepareCluster, startOperator } from '../operator.ts';

export const SHOP = 'shop';
/** Who the operator is in the audit log. */
export const OPERATOR = 'test-1';

/** What a person gives for a model: another letter is another file. */
export function model(letter: string) {
  return { storageUri: `s3://models/${letter}/model.onnx`, sha256: letter.repeat(64) };
}

export interface Child {
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string; readonly uid: string }[];
  };
  readonly spec: { readonly replicas?: number; readonly [key: string]: unknown };
}

export class ModelStage {
  readonly cluster: Cluster;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  /** Weight and drain without waiting, so that a story takes seconds. */
  operator(
    kubeconfigPath = this.cluster.kubeconfigs[OPERATOR] as string,
    modelServing: object = {},
    more: object = {},
  ): Promise<OperatorProcess> {
    return startOperator(this.cluster, {
      kubeconfigPath,
      config: {
        modelServing: { image: 'example.invalid/foresail', minReady: '0s', drain: '1s', ...modelServing },
        ...more,
      },
    });
  }

  create(name: string, spec: object = {}): Promise<ModelDeployment> {
    return request(this.cluster, 'POST', modelPath(''), {
      apiVersion: 'foresail.io/v1alpha1',
      kind: 'ModelDeployment',
      metadata: { name },
      spec: { model: model('a'), server: { replicas: 2 }, ...spec },
    });
  }

  /** A merge patch of the spec. */
  change(name: string, spec: object): Promise<unknown> {
    return request(this.cluster, 'PATCH', modelPath(name), { spec });
  }

  async status(name: string): Promise<ModelDeploymentStatus> {
    return (await request<ModelDeployment>(this.cluster, 'GET', modelPath(name))).status ?? {};
  }

  /** `1:90 2:10~100`: weights, and mirrored per cent after a tilde. */
  async traffic(name: string): Promise<string> {
    return trafficText(await this.status(name));
  }

  /** Waits until `check` holds of the status, and answers with that status. */
  becomes(
    name: string,
    what: string,
    check: (status: ModelDeploymentStatus) => boolean,
    limitMs?: number,
  ): Promise<ModelDeploymentStatus> {
    return becomes(`${name}: ${what}`, () => this.status(name), check, limitMs);
  }

  trafficBecomes(name: string, wanted: string, limitMs?: number): Promise<ModelDeploymentStatus> {
    return this.becomes(name, `traffic ${wanted}`, (status) => trafficText(status) === wanted, limitMs);
  }

  list(path: string, name: string): Promise<readonly Child[]> {
    return labelled(this.cluster, path.replace('NS', SHOP), 'foresail.io/model-deployment', name);
  }

  deployments = (name: string) => this.list(DEPLOYMENTS, name);

  /** `1x2 2x1`: pods ordered by version. */
  async ordered(name: string): Promise<string> {
    return (await this.deployments(name))
      .map(({ metadata, spec }) => `${metadata.labels['foresail.io/model-version']}x${spec.replicas}`)
      .sort()
      .join(' ');
  }

  orderedBecomes(name: string, wanted: string): Promise<string> {
    return becomes(
      `${name}: ${wanted} ordered`,
      () => this.ordered(name),
      (ordered) => ordered === wanted,
    );
  }

  /** `foresail rollout …`; answers with what it prints. */
  rollout(verb: string, name: string, ...args: readonly string[]): Promise<string> {
    return this.foresail('rollout', verb, name, ...args);
  }

  /** `foresail COMMAND VERB NAME …` in the shop's namespace. */
  async foresail(command: string, verb: string, name: string, ...args: readonly string[]): Promise<string> {
    return await foresail(this.cluster, command, verb, name, '-n', SHOP, ...args);
  }

  /** What the operator asked the API server from now on. */
  async audit() {
    const tail = await tailAuditLog(this.cluster.auditLogPath);
    return { read: async () => (await tail.read()).filter(({ user }) => user.username === OPERATOR) };
  }

  async isGone(path: string): Promise<boolean> {
    try {
      await request(this.cluster, 'GET', path);
      return false;
    } catch (error) {
      if (error instanceof StatusError && error.status === 404) return true;
      throw error;
    }
  }
}

export const DEPLOYMENTS = '/apis/apps/v1/namespaces/NS/deployments';
export const SERVICES = '/api/v1/namespaces/NS/services';
export const BUDGETS = '/apis/policy/v1/namespaces/NS/poddisruptionbudgets';

export const modelPath = (name: string) =>
  `/apis/foresail.io/v1alpha1/namespaces/${SHOP}/modeldeployments${name === '' ? '' : `/${name}`}`;

export function trafficText({ traffic = [] }: ModelDeploymentStatus): string {
  return traffic
    .map(
      ({ version, weight, mirrorPercent }) =>
        `${version}:${weight}${mirrorPercent === undefined ? '' : `~${mirrorPercent}`}`,
    )
    .join(' ');
}

export async function setModelStage(): Promise<ModelStage> {
  const cluster = await startCluster();
  try {
    await prepareCluster(cluster);
    await request(cluster, 'POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: SHOP, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    });
    return new ModelStage(cluster);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}
