/** Names and labels of what belongs to a version: the controller writes them, router and users read them. */
export const LABELS = {
  /** Name of the ModelDeployment. */
  deployment: 'foresail.io/model-deployment',
  /** Number of the version. */
  version: 'foresail.io/model-version',
  /** The first twelve hex digits of the model file's sha256. */
  digest: 'foresail.io/digest',
  /** Name of a registered model, on the ConfigMap that lists its versions. */
  registry: 'foresail.io/registry',
} as const;

/** Deployment, Service and PodDisruptionBudget of a version. */
export function versionName(deployment: string, version: number): string {
  return `${deployment}-v${version}`;
}

/** Ports of a version's Service, by name. */
export const PORTS = { http: 8080, grpc: 8081 } as const;
