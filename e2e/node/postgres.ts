/**
 * A PostgreSQL server in a pod, with the programs of this machine. What it stores lies on a claim, so that a story can
 * take the server away and bring it back.
 */
import { readdirSync } from 'node:fs';
import { request } from '../api.ts';
import type { ClusterFacts } from '../cluster.ts';
import { eventually } from '../eventually.ts';
import { containersOf, killProcesses } from './containers.ts';
import { BASE_IMAGE } from './images.ts';
import { runInside } from './inside.ts';
import { apply, podsOf, readyPods } from './stage.ts';

const NAME = 'database';
const ROLE = 'foresail';
const PASSWORD = 'of the stories';
/** Where Debian keeps them, by version. */
const PROGRAMS = '/usr/lib/postgresql';
const CLAIM_PATH = '/claim';

/** Before the server: its folder is made once, and callers from other pods need the password. */
const MAKE = `
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username=${ROLE} --pwfile=/etc/database/password --auth-local=trust --auth-host=scram-sha-256 --locale=C
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
fi`;
const SERVE = `exec postgres -c listen_addresses='*' -c unix_socket_directories="$PGDATA"`;

/** Why there can be none here; undefined where there can. */
export function postgresObstacle(): string | undefined {
  try {
    if (readdirSync(PROGRAMS).length > 0) return undefined;
  } catch {}
  return 'no PostgreSQL server is installed; on Debian: apt-get install postgresql';
}

export class Postgres {
  readonly #cluster: ClusterFacts;
  readonly #namespace: string;
  readonly #signal: AbortSignal;

  private constructor(cluster: ClusterFacts, namespace: string, signal: AbortSignal) {
    this.#cluster = cluster;
    this.#namespace = namespace;
    this.#signal = signal;
  }

  /**
   * It answers when this resolves.
   *
   * @param claim what it stores lies there
   * @param secret is made, with the database's address in it under the key `url`
   */
  static async open(
    cluster: ClusterFacts,
    namespace: string,
    claim: string,
    secret: string,
    signal: AbortSignal,
  ): Promise<Postgres> {
    await apply(cluster, ...manifests(namespace, claim, secret));
    const opened = new Postgres(cluster, namespace, signal);
    await opened.start();
    return opened;
  }

  async start(): Promise<void> {
    await this.#scale(1);
    await readyPods(this.#cluster, this.#namespace, NAME, 1, this.#signal);
  }

  /** kill -9, and nobody starts it again. It is gone when this resolves: two servers on one folder would harm it. */
  async crash(): Promise<void> {
    const kill = await killProcesses(await containersOf(this.#cluster, this.#namespace, `app=${NAME}`, NAME));
    await this.#scale(0);
    kill();
    await eventually(
      'the database is gone',
      async () => {
        const left = await podsOf(this.#cluster, this.#namespace, NAME);
        if (left.length > 0) throw new Error(JSON.stringify(left.map(({ metadata }) => metadata.name)));
        return true as const;
      },
      60_000,
      this.#signal,
    );
  }

  /** What a statement answers: a line per row. From the node: where pods are busy, `kubectl exec` takes a minute. */
  async query(statement: string): Promise<readonly string[]> {
    const path = `/api/v1/namespaces/${this.#namespace}/services/${NAME}`;
    const { spec } = await request<{ spec: { clusterIP: string } }>(this.#cluster, 'GET', path);
    const url = `postgresql://${ROLE}:${encodeURIComponent(PASSWORD)}@${spec.clusterIP}/postgres`;
    const psql = shell(`exec psql --no-psqlrc -At "$0" -c "$1"`);
    const text = await runInside(this.#cluster, [...psql, url, statement], undefined, this.#signal);
    return text.split('\n').filter((line) => line !== '');
  }

  async #scale(replicas: number): Promise<void> {
    const path = `/apis/apps/v1/namespaces/${this.#namespace}/deployments/${NAME}`;
    await request(this.#cluster, 'PATCH', path, { spec: { replicas } });
  }
}

const shell = (script: string): [string, ...string[]] => [
  '/bin/sh',
  '-ec',
  `PATH=$(ls -d ${PROGRAMS}/*/bin | sort -V | tail -n 1):$PATH\n${script}`,
];

function manifests(namespace: string, claim: string, secret: string): readonly object[] {
  const metadata = { namespace, name: NAME };
  const volumes = {
    usr: { mountPath: '/usr', readOnly: true, source: { hostPath: { path: '/usr' } } },
    claim: { mountPath: CLAIM_PATH, source: { persistentVolumeClaim: { claimName: claim } } },
    secret: { mountPath: '/etc/database', readOnly: true, source: { secret: { secretName: secret } } },
    // It wants to write a lock there.
    tmp: { mountPath: '/tmp', source: { emptyDir: {} } },
  };
  const container = (name: string, script: string) => ({
    name,
    image: BASE_IMAGE,
    imagePullPolicy: 'Never',
    command: shell(script),
    env: [{ name: 'PGDATA', value: `${CLAIM_PATH}/${NAME}` }],
    volumeMounts: Object.entries(volumes).map(([volume, { source: _, ...mount }]) => ({
      name: volume,
      ...mount,
    })),
    resources: { requests: { cpu: '50m', memory: '64Mi' } },
  });
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace, name: secret },
      stringData: {
        password: PASSWORD,
        url: `postgresql+psycopg://${ROLE}:${encodeURIComponent(PASSWORD)}@${NAME}.${namespace}.svc/postgres`,
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: { app: NAME }, ports: [{ name: 'postgresql', port: 5432 }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: NAME } },
        strategy: { type: 'Recreate' },
        template: {
          metadata: { labels: { app: NAME } },
          spec: {
            automountServiceAccountToken: false,
            terminationGracePeriodSeconds: 5,
            initContainers: [container('make', MAKE)],
            containers: [
              {
                ...container(NAME, SERVE),
                ports: [{ name: 'postgresql', containerPort: 5432 }],
                readinessProbe: {
                  exec: { command: shell(`pg_isready --host="$PGDATA"`) },
                  periodSeconds: 1,
                  timeoutSeconds: 5,
                },
              },
            ],
            volumes: Object.entries(volumes).map(([name, { source }]) => ({ name, ...source })),
          },
        },
      },
    },
  ];
}
