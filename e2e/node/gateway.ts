/**
 * A gateway that runs: Traefik, as a pod behind a Service, with a Gateway that takes routes of every namespace, set up
 * once for all stories of a stage. What its class can do, and what a route means to it, is its own.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from '../api.ts';
import { binary, ensureBinaries, GATEWAY_TOOLS } from '../binaries.ts';
import type { ClusterFacts } from '../cluster.ts';
import { installGatewayApi } from '../gateway-api.ts';
import { GATEWAY_IMAGE, writeGatewayImage } from './images.ts';
import { importImage } from './inside.ts';
import { apply, makeNamespace, type NodeStage, readyPods } from './stage.ts';

const NAMESPACE = 'gateway';
const NAME = 'front';
const GROUP = 'gateway.networking.k8s.io';
/** What a route of any namespace names as its parent. */
export const PARENT = { name: NAME, namespace: NAMESPACE };
/** As it is called in the status of what it handles. */
const CONTROLLER = 'traefik.io/gateway-controller';
const WEB_PORT = 8000;
const PING_PORT = 9000;
/** Kinds that Traefik watches. */
const KINDS = [
  'gatewayclasses',
  'gateways',
  'httproutes',
  'grpcroutes',
  'referencegrants',
  'backendtlspolicies',
];
/** Traefik says that it has taken a route, and has its data plane follow at most every two seconds. */
const FOLLOWS_MS = 3_000;

const opened = new WeakMap<NodeStage, Promise<string>>();

/** Resolves with the URL of the gateway, within the node's network. */
export function openGateway(stage: NodeStage, signal: AbortSignal): Promise<string> {
  const known = opened.get(stage) ?? open(stage.cluster, signal);
  opened.set(stage, known);
  return known;
}

/** Until then the data plane may not have what the gateway says that it has taken. */
export const dataPlaneFollows = (signal: AbortSignal) => sleep(FOLLOWS_MS, undefined, { signal });

/** Whether the gateway can say what it has taken; its data plane goes by a route all the same. */
export async function letGatewaySpeak(cluster: ClusterFacts, may: boolean): Promise<void> {
  await apply(cluster, role(may));
  // It looks at its routes again when anything changes that it watches.
  if (may)
    await apply(cluster, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace: NAMESPACE, name: 'nudge' },
      data: { at: new Date().toISOString() },
    });
}

async function open(cluster: NodeStage['cluster'], signal: AbortSignal): Promise<string> {
  await loadImage(cluster, signal);
  await installGatewayApi(cluster, KINDS);
  await makeNamespace(cluster, NAMESPACE);
  await apply(cluster, role(true), ...account(), ...program(), ...gateway());
  await readyPods(cluster, NAMESPACE, NAME, 1, signal);
  const path = `/api/v1/namespaces/${NAMESPACE}/services/${NAME}`;
  const { spec } = await request<{ spec: { clusterIP: string } }>(cluster, 'GET', path);
  return `http://${spec.clusterIP}`;
}

async function loadImage(cluster: ClusterFacts, signal: AbortSignal): Promise<void> {
  const traefik = binary(await ensureBinaries(GATEWAY_TOOLS, signal), 'traefik');
  const folder = await mkdtemp(join(tmpdir(), 'foresail-gateway-'));
  try {
    const archive = join(folder, 'traefik.tar');
    await writeGatewayImage(archive, traefik, signal);
    await importImage(cluster, archive, signal);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What Traefik reads, and the status that it writes. */
function role(speaks: boolean): object {
  const statuses = KINDS.map((kind) => `${kind}/status`).filter(
    (kind) => speaks || kind !== 'httproutes/status',
  );
  const look = ['get', 'list', 'watch'];
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: NAME },
    rules: [
      { apiGroups: [''], resources: ['namespaces', 'services', 'secrets', 'configmaps'], verbs: look },
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: look },
      { apiGroups: [GROUP], resources: KINDS, verbs: look },
      { apiGroups: [GROUP], resources: statuses, verbs: ['update'] },
    ],
  };
}

function account(): readonly object[] {
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace: NAMESPACE, name: NAME } },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: NAME },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: NAME },
      subjects: [{ kind: 'ServiceAccount', namespace: NAMESPACE, name: NAME }],
    },
  ];
}

function program(): readonly object[] {
  const labels = { app: NAME };
  const container = {
    name: 'traefik',
    image: GATEWAY_IMAGE,
    imagePullPolicy: 'Never',
    args: [
      `--entrypoints.web.address=:${WEB_PORT}`,
      `--entrypoints.traefik.address=:${PING_PORT}`,
      '--ping=true',
      '--providers.kubernetesgateway=true',
      '--global.checknewversion=false',
      '--global.sendanonymoususage=false',
    ],
    ports: [{ name: 'web', containerPort: WEB_PORT }],
    readinessProbe: { httpGet: { path: '/ping', port: PING_PORT }, periodSeconds: 1, timeoutSeconds: 5 },
    resources: { requests: { cpu: '200m', memory: '128Mi' }, limits: { memory: '512Mi' } },
  };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { namespace: NAMESPACE, name: NAME },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { serviceAccountName: NAME, containers: [container] } },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: NAMESPACE, name: NAME },
      spec: { selector: labels, ports: [{ name: 'web', port: 80, targetPort: 'web' }] },
    },
  ];
}

function gateway(): readonly object[] {
  const apiVersion = `${GROUP}/v1`;
  const listener = {
    name: 'web',
    protocol: 'HTTP',
    port: WEB_PORT,
    allowedRoutes: { namespaces: { from: 'All' } },
  };
  return [
    { apiVersion, kind: 'GatewayClass', metadata: { name: NAME }, spec: { controllerName: CONTROLLER } },
    {
      apiVersion,
      kind: 'Gateway',
      metadata: { namespace: NAMESPACE, name: NAME },
      spec: { gatewayClassName: NAME, listeners: [listener] },
    },
  ];
}
