/** The objects that a version is made of. Each carries its owner, so that nothing outlives the ModelDeployment. */
import { API_VERSION, MODEL_DEPLOYMENT, type ModelDeployment, PORTS, versionName } from '../../api/index.ts';
import type { WantedVersion } from '../../rollout/types.ts';
import { type Child, ownerReference } from '../owned-objects.ts';
import { type PodSettings, podTemplate, type ServedVersion, selectorLabels, versionLabels } from './pod.ts';

export interface ChildSettings extends PodSettings {
  /** For so long a pod must be ready before it counts as available. */
  readonly minReadySeconds: number;
}

/** The objects of one version by the kind's plural. */
export interface Children {
  readonly deployments: Child;
  readonly services: Child;
  readonly poddisruptionbudgets: Child;
}

export function childrenOf(owner: ModelDeployment, wanted: WantedVersion, settings: ChildSettings): Children {
  const { name: deployment, namespace } = owner.metadata;
  const served: ServedVersion = { ...wanted, deployment, namespace: namespace ?? '' };
  const selector = selectorLabels(deployment, wanted.version);
  const metadata = {
    name: versionName(deployment, wanted.version),
    namespace,
    labels: versionLabels(served),
    ownerReferences: [
      ownerReference({ apiVersion: API_VERSION, kind: MODEL_DEPLOYMENT.kind, metadata: owner.metadata }),
    ],
  };
  return {
    deployments: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: wanted.replicas,
        // The server leaves a zero out, and what is not there would be asked for again at each pass.
        ...(settings.minReadySeconds === 0 ? {} : { minReadySeconds: settings.minReadySeconds }),
        // The history that counts is the ModelDeployment's.
        revisionHistoryLimit: 1,
        // A changed server, unlike a changed model, replaces pods in place, and never leaves fewer than there were.
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        selector: { matchLabels: selector },
        template: podTemplate(served, owner.spec, settings),
      },
    },
    services: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: {
        selector,
        ports: Object.entries(PORTS).map(([name, port]) => ({
          name,
          port,
          protocol: 'TCP',
          targetPort: name,
          appProtocol: name === 'grpc' ? 'kubernetes.io/h2c' : 'http',
        })),
      },
    },
    poddisruptionbudgets: {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata,
      spec: { maxUnavailable: 1, selector: { matchLabels: selector } },
    },
  };
}
