/** Plays all sequences at once: each on two workloads, one under the real HPA and one under our Reactive mode. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from '../api.ts';
import type { Cluster } from '../cluster.ts';
import { eventually } from '../eventually.ts';
import { registerMetricsServer } from '../metrics-api/register.ts';
import { startMetricsServer } from '../metrics-api/server.ts';
import type { MetricsState } from '../metrics-api/state.ts';
import { deployment, isReady, type PodStatus } from '../objects.ts';
import { makeNamespace } from '../shared-cluster.ts';
import type { Story } from './compare.ts';
import { Gate } from './gate.ts';
import { type Judge, REAL } from './judge.ts';
import { CPU_REQUEST_MILLI, hpa, NAME, podAnnotations, SIDECAR } from './manifests.ts';
import { runReactive } from './ours.ts';
import { replay, SLACK_MS } from './replay.ts';
import { type Sequence, TICKS } from './sequence.ts';
import { type Recorded, Side } from './side.ts';
import { TUNING } from './tuning.ts';
import { Access, HPAS, World } from './world.ts';

/** One look more than there are ticks: the result of the last decision is what the next look finds. */
export const LOOKS = TICKS + 1;

export interface Play {
  readonly sequence: Sequence;
  /** Who decides on our side. */
  readonly judge: Judge;
}

export interface Played extends Play {
  readonly theirs: Story;
  readonly ours: Story;
}

/** The cluster's HPA controller must have the flags of tuning.ts and a sync period of TICK_MS. */
export async function play(cluster: Cluster, plays: readonly Play[], signal: AbortSignal): Promise<Played[]> {
  const gates: Gate[] = [];
  await using metrics = await startMetricsServer(cluster, {
    windowSeconds: 0,
    async gate(url) {
      const path = decodeURIComponent(new URL(url, 'https://localhost').pathname);
      await Promise.all(gates.map((gate) => gate.pass(path)));
    },
  });
  await registerMetricsServer(cluster, metrics.port, signal);
  const world = new World(cluster);
  const abort = new AbortController();
  const until = AbortSignal.any([signal, abort.signal]);
  try {
    await world.start(until);
    const pairs = await Promise.all(
      plays.map(async ({ sequence, judge }) => {
        const [theirs, ours] = await Promise.all([
          prepared(cluster, sequence, 'hpa', world, metrics.state, until),
          prepared(cluster, sequence, 'ours', world, metrics.state, until),
        ]);
        return { sequence, judge, theirs, ours, gate: new Gate(theirs, ours) };
      }),
    );
    await Promise.all(pairs.flatMap(({ theirs, ours }) => [theirs.begin(), ours.begin()]));
    await olderThan(
      pairs.flatMap(({ theirs, ours }) => [theirs, ours]),
      world,
      TUNING.cpuInitializationMs + 2_000,
    );
    for (const { gate } of pairs) gates.push(gate);
    // How long a process that has something to do is kept waiting; HPA's is kept waiting about as long.
    const waits = monitorEventLoopDelay();
    waits.enable();
    const played = await Promise.all(
      pairs.map(async ({ sequence, judge, theirs, ours }) => {
        const [reasons] = await Promise.all([
          // We wait for HPA and not the other way round: it remembers the replicas of its first look before it asks
          // for a metric, we when we have it.
          withAccess(cluster, (access) =>
            runReactive(world, access, ours.namespace, sequence, judge, LOOKS, until),
          ),
          sleep(1000).then(() => world.client.create(HPAS, hpa(theirs.namespace, sequence), until)),
        ]);
        return { sequence, judge, theirs, ours, reasons };
      }),
    );
    waits.disable();
    const slackMs = Math.max(SLACK_MS, waits.percentile(99.9) / 1e6);
    return played.map(({ sequence, judge, theirs, ours, reasons }) => ({
      sequence,
      judge,
      // What a look of HPA left in its status is what stands there at the next one.
      theirs: story(
        sequence,
        theirs.records,
        theirs.records.slice(1).map(({ reasons: found }) => found),
        slackMs,
      ),
      ours: story(sequence, ours.records, reasons, slackMs),
    }));
  } finally {
    abort.abort();
    await world.close();
  }
}

async function withAccess<T>(cluster: Cluster, work: (access: Access) => Promise<T>): Promise<T> {
  const access = new Access(cluster);
  try {
    return await work(access);
  } finally {
    await access.close();
  }
}

async function prepared(
  cluster: Cluster,
  sequence: Sequence,
  name: string,
  world: World,
  state: MetricsState,
  signal: AbortSignal,
): Promise<Side> {
  const { name: namespace } = await makeNamespace(`s${sequence.seed}-${name}`, cluster);
  const cpu = `${CPU_REQUEST_MILLI}m`;
  await request(
    cluster,
    'POST',
    `/apis/apps/v1/namespaces/${namespace}/deployments`,
    deployment(namespace, NAME, {
      replicas: sequence.startReplicas,
      podAnnotations: podAnnotations(sequence),
      containers: [
        { name: 'app', cpu },
        { name: SIDECAR, cpu },
      ],
    }),
  );
  await eventually(
    `the first pods of ${namespace}`,
    async () => {
      const path = `/api/v1/namespaces/${namespace}/pods`;
      const { items } = await request<{ items: PodStatus[] }>(cluster, 'GET', path);
      return items.length === sequence.startReplicas && items.every(isReady);
    },
    60_000,
    signal,
  );
  return new Side(namespace, sequence, world, state);
}

/** CPU of a young pod counts differently: the first pods of a sequence are past that age from the beginning. */
async function olderThan(sides: readonly Side[], world: World, ageMs: number): Promise<void> {
  const starts = sides.flatMap(({ namespace }) =>
    world.pods(namespace).map(({ startTimeMs = 0 }) => startTimeMs),
  );
  const youngest = Math.max(...starts);
  await sleep(Math.max(0, youngest + ageMs - Date.now()));
}

function story(
  sequence: Sequence,
  records: readonly Recorded[],
  reasons: Story['reasons'],
  slackMs: number,
): Story {
  const whole = records.slice(0, LOOKS);
  return { records: whole, reasons, replayed: replay(sequence, whole, REAL, slackMs) };
}
