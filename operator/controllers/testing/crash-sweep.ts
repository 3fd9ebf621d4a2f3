/** Lives that are cut off at one of their writes, for the sweeps over all of them. */
import { Crash, type MemoryApi } from './memory-api.ts';

/** Its parts, as a person or the cluster starts them; done again after a crash in it, a part does nothing twice. */
export type Life<Stage> = readonly ((stage: Stage) => void)[];

export interface CrashPoint {
  /** The write that is the last of its process; 0 for none. */
  readonly at: number;
  /** Whether the server has it. */
  readonly when: 'before' | 'after';
}

interface Mortal {
  readonly api: Pick<MemoryApi, 'onWrite' | 'afterWrite'>;
  /** Another process goes on. */
  restart(): void;
}

/**
 * @param rest lets happen what follows from a part, until nothing does
 * @param expectSafe holds after each write
 * @returns the number of all writes
 */
export async function live<Stage extends Mortal>(
  stage: Stage,
  life: Life<Stage>,
  { at, when }: CrashPoint,
  rest: (stage: Stage) => Promise<void>,
  expectSafe: (stage: Stage) => void,
): Promise<number> {
  let writes = 0;
  const crash = (now: CrashPoint['when']) => {
    if (now === 'before') writes += 1;
    if (writes === at && now === when) throw new Crash();
  };
  stage.api.onWrite = () => crash('before');
  stage.api.afterWrite = () => {
    expectSafe(stage);
    crash('after');
  };
  for (const part of life) {
    part(stage);
    for (let crashed = true; crashed; ) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one life
        await rest(stage);
        crashed = false;
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        stage.restart();
      }
    }
  }
  return writes;
}
