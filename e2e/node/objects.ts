/** Manifests of the sample app. */
import { WEB_IMAGE } from './images.ts';

export interface WebOptions {
  readonly replicas?: number;
  /** Milliseconds of CPU that a request costs. */
  readonly cpuMs?: number;
  readonly startupSeconds?: number;
  /** CPU that a pod requests, in thousandths of a core; its limit is twice that. */
  readonly milliCpu?: number;
}

/** A Deployment of the sample app and its Service, both called `name`. */
export function web(namespace: string, name: string, options: WebOptions = {}): readonly object[] {
  const milliCpu = options.milliCpu ?? 100;
  const env = { CPU_MS: options.cpuMs ?? 5, STARTUP_SECONDS: options.startupSeconds ?? 0 };
  const container = {
    name: 'web',
    image: WEB_IMAGE,
    imagePullPolicy: 'Never',
    env: Object.entries(env).map(([key, value]) => ({ name: key, value: String(value) })),
    ports: [{ name: 'http', containerPort: 8080 }],
    readinessProbe: { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 1, timeoutSeconds: 5 },
    resources: {
      requests: { cpu: `${milliCpu}m`, memory: '64Mi' },
      limits: { cpu: `${2 * milliCpu}m`, memory: '256Mi' },
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { namespace, name },
      spec: {
        replicas: options.replicas ?? 1,
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: {
            automountServiceAccountToken: false,
            terminationGracePeriodSeconds: 5,
            containers: [container],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace, name },
      spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
    },
  ];
}
