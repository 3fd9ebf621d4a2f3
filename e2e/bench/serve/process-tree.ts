/** A server with all its processes: CPU and memory from the kernel, stopped and continued as one while others are measured. */
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ: fixed on every Linux that Node supports. */
const TICKS_PER_SECOND = 100;
const PAGE_MIB = 4096 / 1024 ** 2;

export interface TreeUsage {
  /** Of processes that have ended too, once their parent has taken notice. */
  readonly cpuSeconds: number;
  /** Summed; pages that forked processes share count once for each. */
  readonly rssMiB: number;
  readonly processes: number;
}

/** The process and everything below it; empty when it is gone. */
export function pidsBelow(root: number): number[] {
  const children = new Map<number, number[]>();
  let found = false;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const fields = statOf(Number(entry));
    if (fields === undefined) continue;
    const pid = Number(entry);
    const parent = Number(fields[1]);
    found ||= pid === root;
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  if (!found) return [];
  const pids = [root];
  for (let at = 0; at < pids.length; at++) pids.push(...(children.get(pids[at] ?? 0) ?? []));
  return pids;
}

/** Processes with this entry in the environment that they were started with. */
export function pidsWith(entry: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(entry);
      } catch {
        return false;
      }
    })
    .map(Number);
}

export function treeUsage(root: number): TreeUsage {
  let ticks = 0;
  let rssMiB = 0;
  const pids = pidsBelow(root);
  for (const pid of pids) {
    const fields = statOf(pid) ?? [];
    // utime, stime and those of children that have ended: the 12th to the 15th field behind the name.
    for (const field of fields.slice(11, 15)) ticks += Number(field);
    rssMiB += Number(fields[21] ?? 0) * PAGE_MIB;
  }
  return { cpuSeconds: ticks / TICKS_PER_SECOND, rssMiB, processes: pids.length };
}

export function signalTree(root: number, signal: NodeJS.Signals): void {
  for (const pid of pidsBelow(root)) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has just ended.
    }
  }
}

/** What stands behind the name in /proc/PID/stat. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
