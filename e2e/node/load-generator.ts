/** Runs load.ts in the node's network and collects what it says. */
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ClusterFacts } from '../cluster.ts';
import { spawnInside } from './inside.ts';
import type { LoadSecond } from './load.ts';

export interface LoadGenerator {
  /** Requests per second from now on. */
  rate(perSecond: number): void;
  /** Every second so far. */
  readonly seconds: readonly LoadSecond[];
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * `url` with an address of the node's network: names are known to pods only. It ends by itself after `maxSeconds`. With
 * a `body` it posts JSON.
 */
export function startLoad(
  cluster: ClusterFacts,
  url: string,
  maxSeconds: number,
  body?: object,
): LoadGenerator {
  const script = join(import.meta.dirname, 'load.ts');
  const child = spawnInside(cluster, [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    script,
    url,
    String(maxSeconds),
    ...(body === undefined ? [] : [JSON.stringify(body)]),
  ]);
  const closed = once(child, 'close');
  closed.catch(() => undefined);
  child.stderr?.pipe(process.stderr);
  child.stdin?.on('error', () => undefined); // it may have ended by itself
  const seconds: LoadSecond[] = [];
  if (child.stdout)
    createInterface({ input: child.stdout }).on('line', (line) => {
      seconds.push(JSON.parse(line) as LoadSecond);
    });
  const stop = async (): Promise<void> => {
    child.stdin?.end();
    await closed;
  };
  return {
    rate: (perSecond) => void child.stdin?.write(`${perSecond}\n`),
    seconds,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

export interface LoadTotal {
  readonly sent: number;
  readonly failed: number;
  /** Seconds in which half of the answers took longer than `slowMs`. */
  readonly slowSeconds: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly versions: Readonly<Record<string, number>>;
}

export function totalOf(seconds: readonly LoadSecond[], slowMs: number): LoadTotal {
  const errors: Record<string, number> = {};
  const versions: Record<string, number> = {};
  let [sent, failed, slowSeconds] = [0, 0, 0];
  for (const second of seconds) {
    sent += second.sent;
    failed += second.failed;
    if ((second.p50 ?? (second.inFlight > 0 ? Number.POSITIVE_INFINITY : 0)) > slowMs) slowSeconds += 1;
    addTo(errors, second.errors);
    addTo(versions, second.versions);
  }
  return { sent, failed, slowSeconds, errors, versions };
}

function addTo(sum: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [key, count] of Object.entries(counts)) sum[key] = (sum[key] ?? 0) + count;
}
