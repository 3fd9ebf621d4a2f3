/**
 * Which models there are: it follows the repository's folder, or the orders to load and unload. A folder that cannot be
 * read for a moment changes nothing that serves, and a file that is still being written is left alone.
 */
import type { Clock } from '../../clock.ts';
import { ForesailError, messageOf } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { notFound } from './errors.ts';
import { type FoundModel, type RefusedEntry, scanModel, scanRepository } from './repository.ts';
import type { ServedModel } from './served-model.ts';
import type { ModelState } from './types.ts';

export interface CatalogOptions {
  readonly root: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pollIntervalMs: number;
  readonly create: (name: string) => ServedModel;
}

export class Catalog {
  readonly #options: CatalogOptions;
  readonly #models = new Map<string, ServedModel>();
  /** Work in the background; `settled` and `close` wait for it. */
  readonly #work = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #refused: readonly RefusedEntry[] = [];
  /** Models that lie there and have not been asked for. */
  #dormant: readonly string[] = [];
  /** Fingerprints at the last look, to tell a file that is still being written. */
  #seen = new Map<string, string>();

  constructor(options: CatalogOptions) {
    this.#options = options;
  }

  get models(): ReadonlyMap<string, ServedModel> {
    return this.#models;
  }

  get states(): readonly ModelState[] {
    const unavailable = (entry: RefusedEntry): ModelState => ({ ...entry, state: 'UNAVAILABLE' });
    return [
      ...[...this.#models.values()].flatMap((model) => model.states),
      ...this.#dormant
        .filter((name) => !this.#models.has(name))
        .map((name) => unavailable({ name, version: '', reason: 'not loaded' })),
      ...this.#refused.map(unavailable),
    ];
  }

  /** Explicit control: only looks what there is. @throws REPOSITORY_UNREADABLE */
  async list(): Promise<void> {
    const found = await scanRepository(this.#options.root);
    this.#refused = found.refused;
    this.#dormant = [...found.models.keys()];
  }

  /** Begins to load everything that lies there. @throws REPOSITORY_UNREADABLE */
  async loadAll(): Promise<void> {
    const found = await scanRepository(this.#options.root);
    this.#refused = found.refused;
    for (const model of found.models.values()) this.#apply(this.#model(model.name), model);
    this.#remember(found.models.values());
  }

  /** Looks again and again until `close`. */
  async follow(): Promise<void> {
    const { clock, pollIntervalMs, logger } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one look after the other
        await clock.sleep(pollIntervalMs, signal);
        // oxlint-disable-next-line no-await-in-loop -- as above
        await this.#look();
      } catch (error) {
        if (signal.aborted) return;
        logger.warn('the model repository cannot be read; what serves stays', { error: messageOf(error) });
      }
    }
  }

  /** @throws MODEL_NOT_FOUND, MODEL_REFUSED, REPOSITORY_UNREADABLE, or the signal's reason while the load goes on */
  async load(name: string, signal: AbortSignal): Promise<void> {
    const found = await scanModel(this.#options.root, name).catch((error: unknown) => {
      throw isMissing(error) ? notFound(name) : error;
    });
    signal.throwIfAborted();
    if (found.versions.length === 0 && found.refused.length === 0) throw notFound(name);
    const model = this.#model(name);
    const applied = model.apply(found, true, this.#stop.signal);
    this.#track(applied);
    await untilAborted(applied, signal);
    model.assertServing(found);
  }

  /** @throws MODEL_NOT_FOUND, or the signal's reason while the drain goes on */
  async unload(name: string, signal: AbortSignal): Promise<void> {
    const model = this.#models.get(name);
    if (model === undefined) throw notFound(name);
    if (!this.#dormant.includes(name)) this.#dormant = [...this.#dormant, name];
    await untilAborted(this.#remove(name, model), signal);
  }

  async settled(signal: AbortSignal): Promise<void> {
    while (this.#work.size > 0) {
      // oxlint-disable-next-line no-await-in-loop -- more may have begun meanwhile
      await untilAborted(Promise.allSettled(this.#work), signal);
    }
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#stop.abort(new ForesailError('MODEL_NOT_READY', 'transient', 'the server is closing'));
    const models = [...this.#models.values()];
    const kill = (): void => {
      for (const model of models) model.kill();
    };
    signal.addEventListener('abort', kill, { once: true });
    if (signal.aborted) kill();
    await Promise.allSettled([...this.#work, ...models.map((model) => model.unload())]);
    signal.removeEventListener('abort', kill);
  }

  async #look(): Promise<void> {
    const found = await scanRepository(this.#options.root);
    if (this.#stop.signal.aborted) return;
    this.#refused = found.refused;
    for (const [name, model] of this.#models) {
      if (!found.models.has(name)) void this.#remove(name, model);
    }
    for (const model of found.models.values()) {
      const served = this.#model(model.name);
      this.#apply(served, this.#steady(model, served));
    }
    this.#remember(found.models.values());
  }

  /** A new or changed file is taken up when it looks the same twice; until then its predecessor stays. */
  #steady(model: FoundModel, served: ServedModel): FoundModel {
    const known = new Map(served.versions.map((version) => [version.version, version.fingerprint] as const));
    const versions = model.versions.flatMap((version) => {
      const { fingerprint } = version;
      const before = known.get(version.version);
      const same = this.#seen.get(`${model.name}/${version.version}`) === fingerprint;
      if (same || before === fingerprint) return version;
      return before === undefined ? [] : { ...version, fingerprint: before };
    });
    return { ...model, versions };
  }

  #remember(models: Iterable<FoundModel>): void {
    this.#seen = new Map(
      [...models].flatMap(({ name, versions }) =>
        versions.map(({ version, fingerprint }) => [`${name}/${version}`, fingerprint] as const),
      ),
    );
  }

  #model(name: string): ServedModel {
    const model = this.#models.get(name) ?? this.#options.create(name);
    this.#models.set(name, model);
    return model;
  }

  #apply(model: ServedModel, found: FoundModel): void {
    this.#track(model.apply(found, false, this.#stop.signal));
  }

  #remove(name: string, model: ServedModel): Promise<void> {
    this.#models.delete(name);
    const unloaded = model.unload();
    this.#track(unloaded);
    return unloaded;
  }

  #track(work: Promise<void>): void {
    const quiet = work.catch((error: unknown) => {
      if (this.#stop.signal.aborted) return;
      this.#options.logger.error('a change of the repository failed', { error: messageOf(error) });
    });
    this.#work.add(quiet);
    void quiet.then(() => this.#work.delete(quiet));
  }
}

function isMissing(error: unknown): boolean {
  return (
    error instanceof ForesailError && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
  );
}

/** The work goes on; only the wait ends. */
function untilAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work
      .then(
        () => resolve(),
        (error: unknown) => reject(error as Error),
      )
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}
