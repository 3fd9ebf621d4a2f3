/**
 * Clusters that people start by name. One JSON file each says where a cluster is; whether it lives is asked
 * of the kernel, so a file that a crash left behind never counts as a cluster.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ForesailError } from '../operator/errors.ts';
import type { ClusterFacts } from './cluster.ts';
import { makePrivateFolder, runsIn } from './run-folder.ts';

/** What a file holds while a cluster boots: the pid of its starter. */
interface Starting {
  readonly starter: number;
}

/** `${XDG_RUNTIME_DIR}/foresail/clusters`, or below ~/.cache where there is none. */
export function clustersFolder(env: NodeJS.ProcessEnv): string {
  const runtime = env['XDG_RUNTIME_DIR'];
  return join(runtime || env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'foresail', 'clusters');
}

export class NamedClusters {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Takes a name for a cluster about to boot; `release` gives it back. */
  async claim(name: string): Promise<void> {
    await makePrivateFolder(this.#folder);
    const found = await this.#read(name);
    if (found && (await alive(found))) {
      throw named(
        'E2E_CLUSTER_EXISTS',
        `cluster "${name}" is already up: foresail cluster down --name ${name} ends it`,
      );
    }
    await this.release(name);
    await mkdir(join(this.#folder, name), { recursive: true, mode: 0o700 });
    await this.#write(name, { starter: process.pid }, 'wx').catch((error: unknown) => {
      throw named('E2E_CLUSTER_EXISTS', `cluster "${name}" is being started by another command`, error);
    });
  }

  record(name: string, facts: ClusterFacts): Promise<void> {
    return this.#write(name, facts, 'w');
  }

  release(name: string): Promise<void> {
    return rm(join(this.#folder, name), { recursive: true, force: true });
  }

  /** A cluster that is up. Unknown, still booting and dead ones are errors that say which. */
  async find(name: string): Promise<ClusterFacts> {
    const found = await this.#read(name);
    if (!found) {
      throw named(
        'E2E_CLUSTER_UNKNOWN',
        `no cluster "${name}": foresail cluster up --name ${name} starts it`,
      );
    }
    if (!(await alive(found))) {
      throw named(
        'E2E_CLUSTER_DEAD',
        `cluster "${name}" has ended without "down": foresail cluster down --name ${name} clears it away`,
      );
    }
    if ('starter' in found) throw named('E2E_CLUSTER_STARTING', `cluster "${name}" is still starting`);
    return found;
  }

  /** Ends a cluster, or clears away what a dead one left. False: there was nothing of that name. */
  async end(name: string, signal?: AbortSignal): Promise<boolean> {
    const found = await this.#read(name);
    if (!found) return false;
    if ('starter' in found) {
      if (await alive(found))
        throw named('E2E_CLUSTER_STARTING', `cluster "${name}" is still starting (pid ${found.starter})`);
    } else {
      await endSupervisor(found, signal);
      await rm(found.runDir, { recursive: true, force: true });
      if (found.node) await sweep(found);
    }
    await this.release(name);
    return true;
  }

  async #read(name: string): Promise<ClusterFacts | Starting | undefined> {
    try {
      return JSON.parse(await readFile(this.#file(name), 'utf8')) as ClusterFacts | Starting;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw named('E2E_CLUSTER_UNREADABLE', `${this.#file(name)} cannot be read`, error);
    }
  }

  #write(name: string, state: ClusterFacts | Starting, flag: 'w' | 'wx'): Promise<void> {
    // It holds the admin's token.
    return writeFile(this.#file(name), `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600, flag });
  }

  #file(name: string): string {
    return join(this.#folder, name, 'cluster.json');
  }
}

async function endSupervisor(cluster: ClusterFacts, signal?: AbortSignal): Promise<void> {
  for (const [kind, limitMs] of [
    ['SIGTERM', 20_000],
    ['SIGKILL', 5_000],
  ] as const) {
    if (!(await alive(cluster))) return;
    process.kill(cluster.supervisorPid, kind);
    const deadline = performance.now() + limitMs;
    while ((await alive(cluster)) && performance.now() < deadline) await sleep(50, undefined, { signal });
  }
}

/** Its control groups outlive a supervisor that was killed. */
async function sweep({ binaries, runDir }: ClusterFacts): Promise<void> {
  const program = binaries['foresail-cluster'];
  if (program !== undefined) await promisify(execFile)(program, ['sweep', '--dir', runDir]);
}

function alive(state: ClusterFacts | Starting): Promise<boolean> {
  return 'starter' in state ? runsIn(state.starter, '') : runsIn(state.supervisorPid, state.runDir);
}

function named(code: string, message: string, cause?: unknown): ForesailError {
  return new ForesailError(code, 'terminal', message, { cause });
}
