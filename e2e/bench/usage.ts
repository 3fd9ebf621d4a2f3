/** CPU and memory of a process, from the kernel. */
import { readFile } from 'node:fs/promises';

/** USER_HZ: fixed on every Linux that Node supports. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

export interface Usage {
  readonly cpuSeconds: number;
  readonly rssMiB: number;
}

export async function usageOf(pid: number): Promise<Usage> {
  const [stat, statm] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/statm`, 'utf8'),
  ]);
  // The name in parentheses may hold spaces; fields are counted behind it: utime and stime are the 12th and 13th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    rssMiB: (Number(statm.split(' ')[1]) * PAGE_BYTES) / 1024 ** 2,
  };
}

/** Seconds of CPU that the whole machine has spent at work. */
async function busySeconds(): Promise<number> {
  const [line = ''] = (await readFile('/proc/stat', 'utf8')).split('\n');
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}

/** What the rest of the machine took meanwhile: two runs under different loads cannot be compared. */
export const OTHERS = 'other programs';

export interface Consumption {
  /** Mean number of cores in use. */
  readonly cores: number;
  /** At the end. */
  readonly rssMiB: number;
}

/** Starts to measure; the returned function says what each process used since. */
export async function measureUsage(
  pids: Readonly<Record<string, number>>,
): Promise<() => Promise<Record<string, Consumption>>> {
  const running = Object.entries(pids).filter(([, pid]) => pid > 0);
  const before = new Map(
    await Promise.all(running.map(async ([name, pid]) => [name, await usageOf(pid)] as const)),
  );
  const busyBefore = await busySeconds();
  const startedAt = performance.now();
  return async () => {
    const seconds = (performance.now() - startedAt) / 1000;
    const busy = ((await busySeconds()) - busyBefore) / seconds;
    const after = await Promise.all(
      running.map(async ([name, pid]) => {
        const { cpuSeconds, rssMiB } = await usageOf(pid);
        const used = cpuSeconds - (before.get(name)?.cpuSeconds ?? 0);
        return [name, { cores: used / seconds, rssMiB }] as const;
      }),
    );
    const counted = after.reduce((sum, [, { cores }]) => sum + cores, 0);
    const others = { cores: Math.max(0, busy - counted), rssMiB: Number.NaN };
    return { ...Object.fromEntries(after), [OTHERS]: others };
  };
}
