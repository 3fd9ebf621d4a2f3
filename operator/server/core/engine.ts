/**
 * The engine: a repository of models on one side, requests on the other. It follows the folder (or the orders to load and
 * unload), finds the version that answers a request, and ends in order. A folder that cannot be read for a moment changes
 * nothing that serves.
 */
import { ForesailError, messageOf } from '../../errors.ts';
import { type Logger, silentLogger } from '../../logger.ts';
import { loadDisabled, notFound, notReady } from './errors.ts';
import { Gate } from './gate.ts';
import { metadataOf } from './metadata.ts';
import { childProbe, chooseProvider, type ProviderChoice, type ProviderProbe } from './providers.ts';
import { type FoundModel, isModelName, type RefusedEntry, scanModel, scanRepository } from './repository.ts';
import { ServedModel } from './served-model.ts';
import { ServedVersion } from './served-version.ts';
import { settingsFor } from './settings.ts';
import type {
  Accelerator,
  Engine,
  EngineOptions,
  InferAnswer,
  InferRequest,
  ModelMetadata,
  ModelState,
  VersionGauges,
  VersionStatistics,
} from './types.ts';

const POLL_INTERVAL_MS = 15_000;
const RESTART_BACKOFF_MS = 1000;
const MAX_CRASHES = 3;
/** Loading takes a whole core; more at once would only make each of them late. */
const LOADS_AT_ONCE = 2;

/**
 * Settles when the repository has been read; the models then load in the background (`ready`, `settled`).
 * @throws SETTING_INVALID, REPOSITORY_UNREADABLE
 */
export async function openEngine(options: EngineOptions, signal: AbortSignal): Promise<Engine> {
  for (const model of Object.keys(options.models ?? {})) settingsFor(options, model);
  settingsFor(options, '');
  const engine = new RepositoryEngine(options, childProbe(options.clock));
  await engine.start(signal);
  return engine;
}

class RepositoryEngine implements Engine {
  readonly #options: EngineOptions;
  readonly #logger: Logger;
  readonly #probe: ProviderProbe;
  readonly #models = new Map<string, ServedModel>();
  readonly #providers = new Map<Accelerator, Promise<ProviderChoice>>();
  /** Work in the background that `settled` and `close` wait for. */
  readonly #loading = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #refused: readonly RefusedEntry[] = [];
  /** Explicit control: models that lie there and have not been asked for. */
  #dormant: readonly string[] = [];
  /** Fingerprints at the last look, to tell a file that is still being written. */
  #seen = new Map<string, string>();
  readonly #gate = new Gate(LOADS_AT_ONCE);
  #closing: Promise<void> | undefined;

  constructor(options: EngineOptions, probe: ProviderProbe) {
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
    this.#probe = probe;
  }

  get #control(): NonNullable<EngineOptions['modelControl']> {
    return this.#options.modelControl ?? 'none';
  }

  async start(signal: AbortSignal): Promise<void> {
    const found = await scanRepository(this.#options.repository);
    signal.throwIfAborted();
    this.#refused = found.refused;
    if (this.#control === 'explicit') {
      this.#dormant = [...found.models.keys()];
      return;
    }
    for (const model of found.models.values())
      this.#track(this.#model(model.name).apply(model, false, this.#stop.signal));
    this.#remember(found.models.values());
    if (this.#control === 'poll') void this.#poll();
  }

  live(): boolean {
    return this.#closing === undefined;
  }

  ready(): boolean {
    if (this.#closing !== undefined) return false;
    const models = [...this.#models.values()];
    return models.every((model) => model.ready) && (models.length > 0 || this.#control === 'explicit');
  }

  modelReady(model: string, version?: string): boolean {
    try {
      return this.#pick(model, version).ready;
    } catch {
      return false;
    }
  }

  metadata(model: string, version?: string): ModelMetadata {
    const served = this.#pick(model, version);
    const ready = this.#models.get(model)?.versions.filter((candidate) => candidate.ready) ?? [];
    return metadataOf(
      model,
      served,
      ready.map((candidate) => candidate.version).toReversed(),
      settingsFor(this.#options, model),
    );
  }

  async infer(request: InferRequest, signal: AbortSignal): Promise<InferAnswer> {
    let version: ServedVersion;
    try {
      if (this.#closing !== undefined) throw notReady(request.model, 'the server is closing');
      version = this.#pick(request.model, request.version);
    } catch (error) {
      const outcome =
        error instanceof ForesailError && error.code === 'MODEL_NOT_FOUND' ? 'invalid' : 'rejected';
      const nothing = {
        rows: 0,
        totalNs: 0,
        queueNs: 0,
        computeInputNs: 0,
        computeInferNs: 0,
        computeOutputNs: 0,
      };
      // Names that do not exist come from outside and would make labels without end.
      const model = this.#models.has(request.model) ? request.model : '';
      this.#options.observer?.onRequest?.({ model, version: '', outcome, ...nothing });
      throw error;
    }
    return await version.infer(request, signal);
  }

  index(readyOnly: boolean): readonly ModelState[] {
    const unavailable = (entry: RefusedEntry): ModelState => ({ ...entry, state: 'UNAVAILABLE' });
    const all = [
      ...[...this.#models.values()].flatMap((model) => model.states),
      ...this.#dormant
        .filter((name) => !this.#models.has(name))
        .map((name) => unavailable({ name, version: '', reason: 'not loaded' })),
      ...this.#refused.map(unavailable),
    ];
    return readyOnly ? all.filter((state) => state.state === 'READY') : all;
  }

  async load(name: string, signal: AbortSignal): Promise<void> {
    if (this.#control !== 'explicit') throw loadDisabled();
    if (this.#closing !== undefined) throw notReady(name, 'the server is closing');
    if (!isModelName(name)) throw notFound(name);
    const found = await this.#find(name);
    signal.throwIfAborted();
    const model = this.#model(name);
    const applied = model.apply(found, true, this.#stop.signal);
    this.#track(applied);
    await untilAborted(applied, signal);
    model.assertServing();
  }

  async unload(name: string, signal: AbortSignal): Promise<void> {
    if (this.#control !== 'explicit') throw loadDisabled();
    const model = this.#models.get(name);
    if (model === undefined) throw notFound(name);
    this.#models.delete(name);
    if (!this.#dormant.includes(name)) this.#dormant = [...this.#dormant, name];
    const unloaded = model.unload();
    this.#track(unloaded);
    await untilAborted(unloaded, signal);
  }

  statistics(name?: string, version?: string): readonly VersionStatistics[] {
    if (name !== undefined && name !== '' && !this.#models.has(name)) throw notFound(name);
    const wanted = version === undefined || version === '' ? undefined : version;
    const list = [...this.#models]
      .filter(([model]) => name === undefined || name === '' || model === name)
      .flatMap(([, model]) => model.versions.toReversed())
      .filter((served) => wanted === undefined || served.version === wanted);
    if (list.length === 0 && name !== undefined && wanted !== undefined) throw notFound(name, wanted);
    return list.map((served) => served.statistics());
  }

  gauges(): readonly VersionGauges[] {
    return [...this.#models.values()].flatMap((model) => model.versions.map((version) => version.gauges()));
  }

  async settled(signal: AbortSignal): Promise<void> {
    while (this.#loading.size > 0) {
      // oxlint-disable-next-line no-await-in-loop -- a load may have begun meanwhile
      await untilAborted(Promise.allSettled(this.#loading), signal);
    }
  }

  close(signal: AbortSignal): Promise<void> {
    this.#closing ??= this.#close(signal);
    return this.#closing;
  }

  async #close(signal: AbortSignal): Promise<void> {
    this.#stop.abort(new ForesailError('MODEL_NOT_READY', 'transient', 'the server is closing'));
    const models = [...this.#models.values()];
    const kill = (): void => {
      for (const model of models) model.kill();
    };
    signal.addEventListener('abort', kill, { once: true });
    if (signal.aborted) kill();
    await Promise.allSettled([...this.#loading, ...models.map((model) => model.unload())]);
    signal.removeEventListener('abort', kill);
  }

  #pick(name: string, version: string | undefined): ServedVersion {
    const model = this.#models.get(name);
    if (model === undefined) throw notFound(name);
    return model.pick(version);
  }

  #model(name: string): ServedModel {
    const known = this.#models.get(name);
    if (known !== undefined) return known;
    const model = new ServedModel({
      name,
      load: (version, signal) => this.#gate.run(() => version.load(signal), signal),
      latestVersions: this.#options.latestVersions ?? Number.POSITIVE_INFINITY,
      open: async (found, signal) => {
        const settings = settingsFor(this.#options, name);
        return new ServedVersion({
          clock: this.#options.clock,
          logger: this.#logger,
          observer: this.#options.observer ?? {},
          model: name,
          found,
          settings,
          provider: await this.#provider(settings.accelerator, signal),
          restartBackoffMs: this.#options.restartBackoffMs ?? RESTART_BACKOFF_MS,
          maxCrashes: this.#options.maxCrashes ?? MAX_CRASHES,
        });
      },
      onError: (error) =>
        this.#logger.error('a model version did not end in order', { model: name, error: messageOf(error) }),
    });
    this.#models.set(name, model);
    return model;
  }

  /** Asked once; the libraries do not come and go while the server runs. */
  #provider(accelerator: Accelerator, signal: AbortSignal): Promise<ProviderChoice> {
    const known = this.#providers.get(accelerator);
    if (known !== undefined) return known;
    const choice = chooseProvider(accelerator, this.#probe, signal);
    this.#providers.set(accelerator, choice);
    return choice;
  }

  async #find(name: string): Promise<FoundModel> {
    const found = await scanModel(this.#options.repository, name).catch((error: unknown) => {
      throw isMissing(error) ? notFound(name) : error;
    });
    if (found.versions.length === 0 && found.refused.length === 0) throw notFound(name);
    return found;
  }

  async #poll(): Promise<void> {
    const { clock, pollIntervalMs = POLL_INTERVAL_MS } = this.#options;
    while (!this.#stop.signal.aborted) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one look after the other
        await clock.sleep(pollIntervalMs, this.#stop.signal);
        // oxlint-disable-next-line no-await-in-loop -- as above
        await this.#look();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#logger.warn('the model repository cannot be read; what serves stays', {
          error: messageOf(error),
        });
      }
    }
  }

  async #look(): Promise<void> {
    const found = await scanRepository(this.#options.repository);
    if (this.#stop.signal.aborted) return;
    this.#refused = found.refused;
    for (const [name, model] of this.#models) {
      if (found.models.has(name)) continue;
      this.#models.delete(name);
      this.#track(model.unload());
    }
    for (const model of found.models.values()) {
      const served = this.#model(model.name);
      const known = new Map(
        served.versions.map((version) => [version.version, version.fingerprint] as const),
      );
      // A new or changed file is taken up when it looks the same twice; until then its predecessor stays.
      const versions = model.versions.flatMap((version) => {
        const before = known.get(version.version);
        const steady = this.#seen.get(`${model.name}/${version.version}`) === version.fingerprint;
        if (steady || before === version.fingerprint) return version;
        return before === undefined ? [] : { ...version, fingerprint: before };
      });
      this.#track(served.apply({ ...model, versions }, false, this.#stop.signal));
    }
    this.#remember(found.models.values());
  }

  #remember(models: Iterable<FoundModel>): void {
    this.#seen = new Map(
      [...models].flatMap((model) =>
        model.versions.map((version) => [`${model.name}/${version.version}`, version.fingerprint] as const),
      ),
    );
  }

  #track(work: Promise<void>): void {
    const quiet = work.catch((error: unknown) => {
      if (!this.#stop.signal.aborted)
        this.#logger.error('a change of the repository failed', { error: messageOf(error) });
    });
    this.#loading.add(quiet);
    void quiet.then(() => this.#loading.delete(quiet));
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
