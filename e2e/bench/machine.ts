/** What absolute figures mean nothing without. */
import { cpus, loadavg, totalmem } from 'node:os';

export interface Machine {
  readonly date: string;
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGiB: number;
  readonly node: string;
  readonly loadBefore: number;
  readonly loadAfter: number;
}

/** Call at the start; the returned function completes it at the end. */
export function observeMachine(): () => Machine {
  const date = new Date().toISOString();
  const [loadBefore = Number.NaN] = loadavg();
  return () => {
    const processors = cpus();
    return {
      date,
      cores: processors.length,
      cpu: processors[0]?.model.trim() ?? 'unknown',
      memoryGiB: Math.round(totalmem() / 1024 ** 3),
      node: process.version,
      loadBefore,
      loadAfter: loadavg()[0] ?? Number.NaN,
    };
  };
}

export function machineLine({ date, cores, cpu, memoryGiB, node, loadBefore, loadAfter }: Machine): string {
  const load = `load average ${loadBefore.toFixed(1)} before, ${loadAfter.toFixed(1)} at the end`;
  return `${date.slice(0, 16).replace('T', ' ')} UTC, ${cores} cores (${cpu}), ${memoryGiB} GiB, Node ${node}, ${load}`;
}
