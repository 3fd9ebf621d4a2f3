/**
 * Routes from the cluster: weights from the status of ModelDeployments, pods from the EndpointSlices of each version's
 * Service. Both are watched, so a change of weight or a pod that goes is in force within the time of one event.
 */
import { MODEL_DEPLOYMENT } from '../api/modeldeployment/kind.ts';
import { LABELS, PORTS } from '../api/modeldeployment/labels.ts';
import type { ModelDeploymentSpec } from '../api/modeldeployment/spec.ts';
import type { ModelDeploymentStatus } from '../api/modeldeployment/status.ts';
import { type KubeObject, type ResourceRef, type WatchScope, watchIn } from '../runtime/index.ts';
import type { Route, RouteTable, VersionRoute } from './routes.ts';

const { group, version, plural } = MODEL_DEPLOYMENT;
const MODEL_DEPLOYMENTS: ResourceRef = { group, version, plural, namespaced: true };
const ENDPOINT_SLICES: ResourceRef = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  namespaced: true,
};

export interface RoutedModel extends KubeObject {
  readonly spec?: Pick<ModelDeploymentSpec, 'abTest'>;
  readonly status?: Pick<ModelDeploymentStatus, 'stable' | 'traffic' | 'variants'>;
}

export interface EndpointSlice extends KubeObject {
  readonly addressType?: string;
  /** Of a slice without pods the server says `null`, of these as of its ports. */
  readonly endpoints?:
    | readonly {
        readonly addresses?: readonly string[];
        readonly conditions?: { readonly ready?: boolean };
      }[]
    | null;
  readonly ports?: readonly { readonly name?: string; readonly port?: number }[] | null;
}

/** Keeps the table true until the signal. Resolves `synced` once it is for the first time. */
export function followCluster(
  table: RouteTable,
  scope: WatchScope,
  signal: AbortSignal,
): { readonly synced: Promise<void>; readonly done: Promise<void> } {
  const models = watchIn<RoutedModel>(scope, { ref: MODEL_DEPLOYMENTS });
  const slices = watchIn<EndpointSlice>(scope, { ref: ENDPOINT_SLICES, labelSelector: LABELS.deployment });
  let scheduled = false;
  // Events come in bursts (a rollout, a first list): the table is made once per turn of the event loop.
  const changed = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      if (models.hasSynced && slices.hasSynced)
        table.replace(routesOf([...models.store.list()], [...slices.store.list()]));
    });
  };
  const handler = { onAdd: changed, onUpdate: changed, onDelete: changed };
  const all = [models, slices];
  for (const informer of all) informer.subscribe(handler);
  const done = Promise.all(all.map((informer) => informer.run(signal))).then(() => undefined);
  const synced = Promise.all(all.map((informer) => informer.waitForSync(signal))).then(changed);
  return { synced, done };
}

/** One route per ModelDeployment that has traffic. */
export function routesOf(models: readonly RoutedModel[], slices: readonly EndpointSlice[]): Route[] {
  const origins = new Map<string, Map<string, string>>();
  for (const slice of slices) {
    const { namespace = '', labels = {} } = slice.metadata;
    const key = `${namespace}/${labels[LABELS.deployment] ?? ''}/${labels[LABELS.version] ?? ''}`;
    origins.set(key, new Map([...(origins.get(key) ?? []), ...originsOf(slice)]));
  }
  return models.flatMap(({ metadata: { namespace = '', name }, spec, status }): Route[] => {
    const { traffic = [], stable, variants = [] } = status ?? {};
    if (traffic.length === 0) return [];
    const versions = traffic.map(({ version, weight, mirrorPercent = 0 }) => ({
      version,
      weight,
      mirrorPercent,
    }));
    const listed = versions.some(({ version }) => version === stable?.version);
    // Stable answers for the others also while it has no weight of its own.
    const backstop =
      stable === undefined || listed ? [] : [{ version: stable.version, weight: 0, mirrorPercent: 0 }];
    const all = [...versions, ...backstop].map((version) => {
      // Sorted and once: an endpoint may stand in two slices while it moves from one to the other.
      const pods = [...(origins.get(`${namespace}/${name}/${version.version}`) ?? [])].sort(([a], [b]) =>
        a < b ? -1 : 1,
      );
      return {
        ...version,
        endpoints: pods.map(([http]) => http),
        grpcEndpoints: pods.map(([, grpc]) => grpc),
      };
    });
    const route = { namespace, name, stable: stable?.version ?? versions[0]?.version ?? 0 };
    const { abTest } = spec ?? {};
    if (abTest === undefined) return [{ ...route, versions: all }];
    const { header, stickyHeader } = abTest;
    return [
      {
        ...route,
        versions: tested(all, variants, abTest.variants, route.stable),
        ...(header === undefined ? {} : { nameHeader: header }),
        ...(stickyHeader === undefined ? {} : { stickyHeader }),
      },
    ];
  });
}

/**
 * The versions with the names and the shares of a test. A variant that gets no traffic yet keeps its share, without
 * pods, so that its callers are stable's for the time being and nobody else changes sides.
 */
function tested(
  versions: readonly VersionRoute[],
  running: readonly { readonly name: string; readonly version: number }[],
  asked: readonly { readonly name: string; readonly weight: number }[],
  stable: number,
): VersionRoute[] {
  const variants = running.flatMap(({ name, version }) => {
    const weight = asked.find((variant) => variant.name === name)?.weight;
    const published = versions.find((each) => each.version === version);
    if (weight === undefined) return [];
    return [{ version, mirrorPercent: 0, endpoints: [], grpcEndpoints: [], ...published, name, weight }];
  });
  const rest = versions.filter(({ version }) => !variants.some((variant) => variant.version === version));
  const taken = [...rest.filter(({ version }) => version !== stable), ...variants];
  const left = 100 - taken.reduce((sum, { weight }) => sum + weight, 0);
  return [
    ...rest.map((each) => (each.version === stable ? { ...each, weight: Math.max(0, left) } : each)),
    ...variants,
  ];
}

/** Of each ready pod: where it speaks HTTP, and where gRPC. */
function originsOf({ endpoints, ports, addressType }: EndpointSlice): (readonly [string, string])[] {
  const portOf = (wire: keyof typeof PORTS) => ports?.find(({ name }) => name === wire)?.port ?? PORTS[wire];
  return (endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses = [] }) => addresses.slice(0, 1))
    .map((address) => {
      const host = `http://${addressType === 'IPv6' ? `[${address}]` : address}`;
      return [`${host}:${portOf('http')}`, `${host}:${portOf('grpc')}`] as const;
    });
}
