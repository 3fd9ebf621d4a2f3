/** Manifests that several tests need, with the parts that matter to them as arguments. */

export interface WorkloadOptions {
  readonly replicas?: number;
  /** Annotations of the pods; those of e2e/cluster/stages.yaml tell the fake kubelet what to play. */
  readonly podAnnotations?: Readonly<Record<string, string>>;
  readonly containers?: readonly { readonly name: string; readonly cpu?: string; readonly memory?: string }[];
}

/** A Deployment whose pods carry the label app=NAME. */
export function deployment(namespace: string, name: string, options: WorkloadOptions = {}) {
  const containers = options.containers ?? [{ name: 'app' }];
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace, name },
    spec: {
      replicas: options.replicas ?? 1,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name }, annotations: options.podAnnotations ?? {} },
        spec: {
          containers: containers.map((container) => ({
            name: container.name,
            image: 'example.invalid/nothing',
            resources: { requests: { cpu: container.cpu ?? '100m', memory: container.memory ?? '64Mi' } },
          })),
        },
      },
    },
  };
}

export interface PodStatus {
  readonly metadata: {
    readonly name: string;
    readonly creationTimestamp: string;
    readonly deletionTimestamp?: string;
    readonly labels: Record<string, string>;
  };
  readonly spec: { readonly containers: readonly { readonly name: string }[] };
  readonly status: {
    readonly phase: string;
    readonly startTime?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly lastTransitionTime: string;
    }[];
  };
}

export function isReady(pod: PodStatus): boolean {
  return pod.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}
