/**
 * One contender from its first object to its last write: apply → working, a steady stretch, a step of all metrics.
 * Everything that is counted comes from the API server's audit log and the kernel.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from '../api.ts';
import { AuditTail, countByKind, type Served } from './audit.ts';
import type { Contender, Running } from './contenders.ts';
import { forAll, nameOf, TARGET_PER_REPLICA, workloads } from './fleet.ts';
import { quantile } from './numbers.ts';
import { say } from './report.ts';
import type { ServerStrain, Stage } from './stage.ts';
import { type Consumption, measureUsage } from './usage.ts';
import { watchObjects } from './watch.ts';

export interface Limits {
  readonly settleMs: number;
  readonly steadyMs: number;
  /** A phase that takes longer is cut there and says so. */
  readonly phaseMs: number;
}

export interface Onboarding {
  readonly postedSeconds: number;
  readonly working: number;
  readonly p50Seconds: number;
  readonly allSeconds: number;
  /** Requests per object until all worked. */
  readonly requests: Readonly<Record<string, number>>;
}

export interface Steady {
  readonly minutes: number;
  /** Per object and minute. */
  readonly requests: Readonly<Record<string, number>>;
  readonly metricQueries: number;
  readonly scaleReads: number;
  readonly statusWrites: number;
  readonly scaleWrites: number;
  readonly usage: Readonly<Record<string, Consumption>>;
  readonly metricServer: ServerStrain;
}

export interface Step {
  readonly written: number;
  readonly firstSeconds: number;
  readonly p50Seconds: number;
  readonly p99Seconds: number;
  readonly allSeconds: number;
  /** Scale writes beyond the first of each object, and refused ones. */
  readonly furtherWrites: number;
  readonly refusedWrites: number;
  /** Replicas asked for at the end → how many objects. */
  readonly endsAt: Readonly<Record<string, number>>;
  readonly usage: Readonly<Record<string, Consumption>>;
  readonly metricServer: ServerStrain;
}

export interface Result {
  readonly contender: Contender['name'];
  readonly onboarding: Onboarding;
  readonly steady: Steady;
  readonly step: Step;
}

const LOAD_BEFORE = TARGET_PER_REPLICA;
const LOAD_AFTER = 3 * TARGET_PER_REPLICA;
const POLL_MS = 500;

export async function runContender(
  stage: Stage,
  contender: Contender,
  limits: Limits,
  signal: AbortSignal,
): Promise<Result> {
  const { cluster } = stage;
  stage.setLoad(LOAD_BEFORE);
  const running = await contender.start(cluster);
  try {
    const onboarding = await onboard(stage, contender, limits, signal);
    await sleep(limits.settleMs, undefined, { signal });
    const steady = await beSteady(stage, contender, running, limits, signal);
    const step = await takeStep(stage, contender, running, limits, signal);
    return { contender: contender.name, onboarding, steady, step };
  } finally {
    await running.stop();
  }
}

/** One by one: a thousand in one request take longer than any deadline on a busy machine. */
export async function removeAll({ cluster, count }: Stage, { collection }: Contender): Promise<void> {
  await forAll(count, (i) => request(cluster, 'DELETE', `${collection}/${nameOf(i)}`));
}

async function onboard(
  { cluster, count }: Stage,
  contender: Contender,
  { phaseMs }: Limits,
  signal: AbortSignal,
): Promise<Onboarding> {
  const watching = new AbortController();
  const workingAt = new Map<string, number>();
  const see = (object: Parameters<Contender['isWorking']>[0]) => {
    const { name } = object.metadata;
    if (!workingAt.has(name) && contender.isWorking(object)) workingAt.set(name, performance.now());
  };
  await watchObjects(cluster, contender.collection, see, AbortSignal.any([signal, watching.signal]));
  const audit = await AuditTail.atEnd(cluster.auditLogPath);
  say(`${contender.name}: applying ${count} objects`);
  const startedAt = performance.now();
  await forAll(count, (i) => request(cluster, 'POST', contender.collection, contender.object(i)));
  const postedSeconds = (performance.now() - startedAt) / 1000;
  const cutAt = startedAt + phaseMs;
  while (workingAt.size < count && performance.now() < cutAt)
    // oxlint-disable-next-line no-await-in-loop -- a poll
    await sleep(50, undefined, { signal });
  watching.abort();
  const seconds = [...workingAt.values()].map((at) => (at - startedAt) / 1000);
  say(`${contender.name}: ${workingAt.size} of ${count} work`);
  const mine = (await audit.read()).filter(({ user }) => user === contender.user);
  return {
    postedSeconds,
    working: workingAt.size,
    p50Seconds: quantile(seconds, 0.5),
    allSeconds: workingAt.size === count ? Math.max(...seconds) : Number.NaN,
    requests: perObject(mine, count, 1),
  };
}

async function beSteady(
  stage: Stage,
  contender: Contender,
  running: Running,
  { steadyMs }: Limits,
  signal: AbortSignal,
): Promise<Steady> {
  const { cluster, count } = stage;
  say(`${contender.name}: steady state for ${steadyMs / 1000} s`);
  const audit = await AuditTail.atEnd(cluster.auditLogPath);
  const strain = stage.watchServer();
  const usage = await measureUsage(await everyPid(stage, running));
  await sleep(steadyMs, undefined, { signal });
  const used = await usage();
  const metricServer = strain();
  const mine = (await audit.read()).filter(({ user }) => user === contender.user);
  const minutes = steadyMs / 60_000;
  const requests = perObject(mine, count, minutes);
  const { scaleWrite, statusWrite } = contender;
  return {
    minutes,
    requests,
    metricQueries: requests['list external metric'] ?? 0,
    scaleReads: requests['get deployments/scale'] ?? 0,
    statusWrites: requests[statusWrite] ?? 0,
    scaleWrites: requests[scaleWrite] ?? 0,
    usage: used,
    metricServer,
  };
}

async function takeStep(
  stage: Stage,
  contender: Contender,
  running: Running,
  { phaseMs }: Limits,
  signal: AbortSignal,
): Promise<Step> {
  const { cluster, count } = stage;
  const audit = await AuditTail.atEnd(cluster.auditLogPath);
  const strain = stage.watchServer();
  const usage = await measureUsage(await everyPid(stage, running));
  say(`${contender.name}: all metrics from ${LOAD_BEFORE} to ${LOAD_AFTER}`);
  const steppedAt = Date.now();
  stage.setLoad(LOAD_AFTER);
  const written = new Map<string, number>();
  let [furtherWrites, refusedWrites] = [0, 0];
  while (written.size < count && Date.now() < steppedAt + phaseMs) {
    // oxlint-disable-next-line no-await-in-loop -- a poll of a file: it costs the API server nothing
    await sleep(POLL_MS, undefined, { signal });
    // oxlint-disable-next-line no-await-in-loop
    for (const { user, verb, what, name, code, doneMs } of await audit.read()) {
      if (user !== contender.user || `${verb} ${what}` !== contender.scaleWrite) continue;
      if (code >= 300) refusedWrites += 1;
      else if (written.has(name)) furtherWrites += 1;
      else written.set(name, (doneMs - steppedAt) / 1000);
    }
  }
  const used = await usage();
  const metricServer = strain();
  const seconds = [...written.values()];
  say(`${contender.name}: ${written.size} of ${count} scales written`);
  const share = (q: number) =>
    written.size >= q * count ? quantile(seconds, (q * count) / written.size) : Number.NaN;
  return {
    written: written.size,
    firstSeconds: Math.min(...seconds),
    p50Seconds: share(0.5),
    p99Seconds: share(0.99),
    allSeconds: share(1),
    furtherWrites,
    refusedWrites,
    endsAt: tally((await workloads(cluster)).map(({ spec }) => String(spec.replicas))),
    usage: used,
    metricServer,
  };
}

async function everyPid({ cluster }: Stage, running: Running): Promise<Record<string, number>> {
  return { ...(await cluster.pids()), ...running.pids, 'metric server and driver': process.pid };
}

/** Leases are counted with the rest: a fleet of one shows them. */
function perObject(served: readonly Served[], count: number, minutes: number): Record<string, number> {
  return Object.fromEntries([...countByKind(served)].map(([kind, n]) => [kind, n / count / minutes]));
}

function tally(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}
