/** One server under test: started on its own core, asked until it is ready, stopped and continued, and ended for good. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Contender, type Settings, settingsText } from './contenders.ts';
import { pidsBelow, pidsWith, signalTree, type TreeUsage, treeUsage } from './process-tree.ts';

export interface Stage {
  readonly repository: string;
  /** For the servers' own folders and logs. */
  readonly runFolder: string;
  readonly serverCore: number;
}

export interface Server {
  readonly contender: Contender;
  readonly settings: Settings;
  readonly httpAddress: string;
  readonly grpcAddress: string;
  /** From the start of its process to its first ready answer. */
  readonly coldStartSeconds: number;
  usage(): TreeUsage;
  /** Stopped servers take no CPU from the one that is measured. */
  suspend(): void;
  resume(): void;
  end(): Promise<void>;
}

/** In the environment of a server's processes, all but those that it gives an empty one. */
const MARK = 'FORESAIL_BENCH_SERVER';
const START_LIMIT_MS = 30_000;
const END_LIMIT_MS = 10_000;
let nextPort = 21_000;
let started = 0;

/** @throws when it ends, or is not ready within half a minute; with the last lines of its log */
export async function startServer(
  contender: Contender,
  settings: Settings,
  { repository, runFolder, serverCore }: Stage,
  signal: AbortSignal,
): Promise<Server> {
  const folder = join(runFolder, `${contender.name}-${started++}`);
  mkdirSync(folder, { recursive: true });
  const httpPort = nextPort;
  const grpcPort = nextPort + 1;
  nextPort += 4;
  const { argv, env, cwd } = contender.command(settings, { repository, folder, httpPort, grpcPort });
  const logPath = join(folder, 'log');
  const log = openSync(logPath, 'w');
  const startedAt = performance.now();
  const child = spawn('taskset', ['-c', String(serverCore), ...argv], {
    cwd,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], [MARK]: folder, ...env },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const httpAddress = `127.0.0.1:${httpPort}`;
  try {
    await ready(child, `http://${httpAddress}${contender.readyPath}`, signal);
  } catch (error) {
    await endTree(child, folder);
    const tail = readFileSync(logPath, 'utf8').trim().split('\n').slice(-3).join(' | ');
    throw new Error(`${contender.name} (${settingsText(settings)}): ${(error as Error).message}: ${tail}`, {
      cause: error,
    });
  }
  const coldStartSeconds = (performance.now() - startedAt) / 1000;
  const pid = child.pid ?? 0;
  return {
    contender,
    settings,
    httpAddress,
    grpcAddress: `127.0.0.1:${grpcPort}`,
    coldStartSeconds,
    usage: () => treeUsage(pid),
    suspend: () => signalTree(pid, 'SIGSTOP'),
    resume: () => signalTree(pid, 'SIGCONT'),
    async end() {
      await endTree(child, folder);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function ready(child: ChildProcess, url: string, signal: AbortSignal): Promise<void> {
  const until = performance.now() + START_LIMIT_MS;
  while (performance.now() < until) {
    signal.throwIfAborted();
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`it ended (${child.exitCode ?? child.signalCode})`);
    // oxlint-disable-next-line no-await-in-loop -- a poll
    const status = await fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
      async (response) => {
        await response.arrayBuffer();
        return response.status;
      },
      () => 0,
    );
    if (status === 200) return;
    // oxlint-disable-next-line no-await-in-loop -- as above
    await sleep(20, undefined, { signal });
  }
  throw new Error(`it is not ready after ${START_LIMIT_MS / 1000} s`);
}

/** Politely first; then whatever is left of it by force. */
async function endTree(child: ChildProcess, folder: string): Promise<void> {
  const pid = child.pid ?? 0;
  const pids = pid === 0 ? [] : pidsBelow(pid);
  for (const one of pids) trySignal(one, 'SIGCONT');
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    // SIGINT: no server waits for its callers to leave then.
    child.kill('SIGINT');
    await Promise.race([exited, sleep(END_LIMIT_MS, undefined, { ref: false })]);
  }
  // One that lost its parent meanwhile is known by its environment.
  for (const one of [...pids, ...pidsWith(`${MARK}=${folder}`)]) trySignal(one, 'SIGKILL');
}

function trySignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}
