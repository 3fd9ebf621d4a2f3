/** The servers of a run: started when they are first needed, all of them suspended but the one that is measured. */
import { say } from '../report.ts';
import { type Contender, type Settings, settingsText } from './contenders.ts';
import { type Server, type Stage, startServer } from './server.ts';

export class ServerPool {
  readonly #stage: Stage;
  readonly #signal: AbortSignal;
  readonly #servers = new Map<string, Promise<Server>>();

  constructor(stage: Stage, signal: AbortSignal) {
    this.#stage = stage;
    this.#signal = signal;
  }

  /** @throws when the server does not come up; the next call tries no second time */
  async use<T>(contender: Contender, settings: Settings, work: (server: Server) => Promise<T>): Promise<T> {
    const key = keyOf(contender, settings);
    let starting = this.#servers.get(key);
    if (starting === undefined) {
      starting = this.#start(contender, settings);
      this.#servers.set(key, starting);
      const { coldStartSeconds } = await starting;
      say(`${key}: ready after ${coldStartSeconds.toFixed(1)} s`);
    }
    const server = await starting;
    server.resume();
    try {
      return await work(server);
    } finally {
      server.suspend();
    }
  }

  /** Once more, on other ports, when it ended: another program may have had one of them. */
  async #start(contender: Contender, settings: Settings): Promise<Server> {
    try {
      return await startServer(contender, settings, this.#stage, this.#signal);
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!(error as Error).message.includes('it ended')) throw error;
      return await startServer(contender, settings, this.#stage, this.#signal);
    }
  }

  /** Ends those that will not be needed again. */
  async keep(wanted: readonly (readonly [Contender, Settings])[]): Promise<void> {
    const keys = new Set(wanted.map(([contender, settings]) => keyOf(contender, settings)));
    const others = [...this.#servers].filter(([key]) => !keys.has(key));
    await Promise.all(
      others.map(async ([key, starting]) => {
        this.#servers.delete(key);
        const server = await starting.catch(() => undefined);
        await server?.end();
      }),
    );
  }
}

function keyOf({ name }: Contender, settings: Settings): string {
  return `${name} (${settingsText(settings)})`;
}
