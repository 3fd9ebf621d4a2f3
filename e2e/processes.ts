/** What the kernel says about a cluster's processes; the supervisor's own account is not asked. */
import { readdir, readFile, stat } from 'node:fs/promises';

export interface FoundProcess {
  readonly pid: number;
  readonly uid: number;
  readonly program: string;
}

/** Every process with the run folder in its command line, and that is all of them. */
export async function processesIn(runDir: string): Promise<readonly FoundProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid): Promise<FoundProcess[]> => {
      try {
        const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
        if (!args.some((arg) => arg.includes(runDir))) return [];
        const { uid } = await stat(`/proc/${pid}`);
        return [{ pid: Number(pid), uid, program: args[0]?.split('/').at(-1) ?? '' }];
      } catch {
        return []; // it has just ended
      }
    }),
  );
  return found.flat();
}
