/** The whole operator beside a real API server, with nothing changing: what it costs when it has nothing to do. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isWrite } from '../../operator/testing/server-side.ts';
import { request } from '../api.ts';
import { startCluster } from '../cluster.ts';
import { AuditTail, countByKind } from './audit.ts';
import { type Connections, countConnections } from './connections.ts';
import { FORESAIL } from './contenders.ts';
import { forAll, TARGET_PER_REPLICA } from './fleet.ts';
import { quantile } from './numbers.ts';
import { say } from './report.ts';
import { setStage } from './stage.ts';
import { measureUsage } from './usage.ts';
import { watchObjects } from './watch.ts';

export interface SteadyFigures {
  readonly scalers: number;
  readonly minutes: number;
  /** Seconds from the start of the supervisor until a pod can be scheduled; several boots. */
  readonly boots: readonly number[];
  readonly workingSeconds: { readonly p50: number; readonly all: number };
  readonly calls: number;
  readonly connections: Connections;
  /** Writes by kind, the Lease among them. */
  readonly writes: Readonly<Record<string, number>>;
  readonly cores: number;
  readonly rssMiB: number;
}

const BOOTS = 3;
const SETTLE_MS = 15_000;

export async function benchSteady(
  scalers: number,
  steadyMs: number,
  signal: AbortSignal,
): Promise<SteadyFigures> {
  const boots: number[] = [];
  for (let i = 1; i < BOOTS; i++) {
    // oxlint-disable-next-line no-await-in-loop -- one boot after the other
    await using cluster = await startCluster({}, signal);
    boots.push(cluster.bootSeconds);
  }
  await using stage = await setStage(scalers, TARGET_PER_REPLICA, signal);
  const { cluster } = stage;
  boots.push(stage.bootSeconds);
  const running = await FORESAIL.start(cluster);
  const pid = running.pids['operator'] ?? 0;
  try {
    const workingSeconds = await applyAll(stage, signal);
    await sleep(SETTLE_MS, undefined, { signal });
    say(`steady state for ${steadyMs / 1000} s`);
    const audit = await AuditTail.atEnd(cluster.auditLogPath);
    const connections = await countConnections(pid, cluster.url);
    const usage = await measureUsage({ operator: pid });
    await sleep(steadyMs, undefined, { signal });
    const { operator } = await usage();
    const calls = (await audit.read()).filter(({ user }) => user === FORESAIL.user);
    return {
      scalers,
      minutes: steadyMs / 60_000,
      boots,
      workingSeconds,
      calls: calls.length,
      connections: await connections(),
      writes: Object.fromEntries(countByKind(calls.filter(isWrite))),
      cores: operator?.cores ?? Number.NaN,
      rssMiB: operator?.rssMiB ?? Number.NaN,
    };
  } finally {
    await running.stop();
  }
}

async function applyAll(
  { cluster, count }: Awaited<ReturnType<typeof setStage>>,
  signal: AbortSignal,
): Promise<SteadyFigures['workingSeconds']> {
  const watching = new AbortController();
  const workingAt = new Map<string, number>();
  await watchObjects(
    cluster,
    FORESAIL.collection,
    (object) => {
      const { name } = object.metadata;
      if (!workingAt.has(name) && FORESAIL.isWorking(object)) workingAt.set(name, performance.now());
    },
    AbortSignal.any([signal, watching.signal]),
  );
  say(`applying ${count} PredictiveScalers`);
  const startedAt = performance.now();
  await forAll(count, (i) => request(cluster, 'POST', FORESAIL.collection, FORESAIL.object(i)));
  // oxlint-disable-next-line no-await-in-loop -- a poll
  while (workingAt.size < count) await sleep(50, undefined, { signal });
  watching.abort();
  const seconds = [...workingAt.values()].map((at) => (at - startedAt) / 1000);
  return { p50: quantile(seconds, 0.5), all: Math.max(...seconds) };
}
